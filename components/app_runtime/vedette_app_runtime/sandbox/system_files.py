"""Which parts of the host's root file system an application sees: programs and libraries, never data or secrets."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SYSTEM_FOLDERS: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")

ETC: Final = (
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "alternatives",  # libblas.so.3 and others are links through here
    "ssl/certs",
    "ssl/openssl.cnf",
    "pki/tls/certs",
    "pki/ca-trust/extracted",
    "resolv.conf",
    "hosts",
    "host.conf",
    "gai.conf",
    "services",
    "protocols",
    "localtime",
    "timezone",
    "mime.types",
    "fonts",
    "os-release",
)
"""Files and folders below /etc; everything else there (shadow, ssh, the keys below ssl/private) stays out: an
application whose nucleus runs as root holds root's user id on the host and could read it."""

OWN_ETC: Final = Path(__file__).parent / "etc"
"""Files of the same names that take the host's place: two users, and look-ups that need no daemon."""

SYSFS: Final = ("devices/system/cpu", "devices/system/node")
"""Without these, ONNX Runtime and PyTorch count the machine's cores wrong."""

PROC_CLOSED: Final = (
    "sys",
    "sysrq-trigger",
    "irq",
    "bus",
    "fs",
    "acpi",
    "scsi",
    "driver",
    "tty",
    "mtrr",
    "pressure",
    "asound",
)
"""Below /proc. The kernel compares the host's user id there, which is 0 when the nucleus runs as root, whatever the
sandbox calls it: bubblewrap 0.8 left /proc/sys/kernel/hostname writable to such an application (measured)."""

PROC_HIDDEN: Final = (
    "kcore",
    "keys",
    "key-users",
    "kpagecgroup",
    "kpagecount",
    "kpageflags",
    "latency_stats",
    "pagetypeinfo",
    "sched_debug",
    "slabinfo",
    "timer_list",
    "timer_stats",
    "vmallocinfo",
)
"""Below /proc, of the whole machine: keys, memory, timers. Container engines hide the likes of these."""

FIRST_PROCESS_MEMORY: Final = ("/proc/1/mem", "/proc/1/task/1/mem")
"""Of bubblewrap's own process in the sandbox; what is written there becomes its program."""

GPU_NODES: Final = ("nvidia*", "nvhost*", "nvmap", "nvgpu", "nvsciipc", "dri", "kfd")
DRIVER: Final = "/opt/vedette/driver"
DRIVER_LIBRARIES: Final = tuple(
    f"usr/lib/{folder}/{name}"
    for folder in ("x86_64-linux-gnu", "aarch64-linux-gnu", "aarch64-linux-gnu/tegra", "aarch64-linux-gnu/nvidia", ".")
    for name in ("libcuda.so*", "libnvidia-*.so*", "libnvcuvid.so*", "libnvrm*.so*", "libnvos.so*", "libnvdla*.so*")
)
GPU_FOLDERS: Final = ("sys", "opt/nvidia", "etc/nv_tegra_release", "etc/OpenCL", "etc/vulkan", "etc/glvnd")


@dataclass(frozen=True)
class Mount:
    """One thing in the application's root: a read-only bind of ``source``, a device, or a symbolic link to it."""

    kind: str
    """"bind", "device" or "link"."""
    source: str
    target: str


def system_mounts(top: Path = Path("/"), *, name_servers: Path | None = None) -> list[Mount]:
    """Return what every application sees of the host whose root is ``top``, in the order of mounting.

    :param name_servers: shown as ``/etc/resolv.conf`` in place of the host's
    """
    mounts = [Mount("bind", str(top / "usr"), "/usr")]
    for name in SYSTEM_FOLDERS:
        folder = top / name
        if folder.is_symlink():  # a merged /usr: /bin -> usr/bin
            mounts.append(Mount("link", str(folder.readlink()), f"/{name}"))
        elif folder.is_dir():
            mounts.append(Mount("bind", str(folder), f"/{name}"))
    mounts += _etc_mounts(top, ETC, name_servers)
    mounts.extend(Mount("bind", str(own), f"/etc/{own.name}") for own in sorted(OWN_ETC.iterdir()))
    return mounts + _kernel_mounts(top)


def root_mounts(top: Path = Path("/"), *, name_servers: Path | None = None) -> list[Mount]:
    """Return what an application with a root file system of its own sees of the host: name look-up and the kernel's.

    :param name_servers: as with :func:`system_mounts`
    """
    mounts = _etc_mounts(top, ("resolv.conf", "hosts"), name_servers)
    mounts += [Mount("bind", str(OWN_ETC / name), f"/etc/{name}") for name in ("passwd", "group")]
    return mounts + _kernel_mounts(top)


def hosts_with(hostname: str, path: Path = Path("/etc/hosts")) -> bytes:
    """Return the machine's table of hosts with the sandbox's own name in it, by which applications look for themselves.

    As in a container; 127.0.0.1, because that is where what they serve is to be found.
    """
    try:
        said = path.read_bytes()
    except OSError:
        said = b"127.0.0.1 localhost\n"
    return said.rstrip(b"\n") + b"\n127.0.0.1 " + hostname.encode() + b"\n"


def _etc_mounts(top: Path, names: Iterable[str], name_servers: Path | None) -> list[Mount]:
    mounts = []
    for name in names:
        # resolv.conf and localtime are links that lead out of /etc (to /run/systemd/resolve, which stays hidden).
        own = name_servers if name == "resolv.conf" else None
        resolved = own or (top / "etc" / name).resolve()
        if resolved.exists():
            mounts.append(Mount("bind", str(resolved), f"/etc/{name}"))
    return mounts


def _kernel_mounts(top: Path) -> list[Mount]:
    mounts = [Mount("bind", str(top / "sys" / name), f"/sys/{name}") for name in SYSFS if (top / "sys" / name).is_dir()]
    mounts += [
        Mount("bind", str(top / "proc" / name), f"/proc/{name}")
        for name in PROC_CLOSED
        if (top / "proc" / name).exists()
    ]
    hidden = [f"/proc/{name}" for name in PROC_HIDDEN if (top / "proc" / name).exists()]
    return mounts + [Mount("bind", "/dev/null", place) for place in (*hidden, *FIRST_PROCESS_MEMORY)]


def gpu_mounts(top: Path = Path("/")) -> list[Mount]:
    """Return the GPU's device nodes and the driver's files outside /usr; empty on a machine without a GPU."""
    nodes = sorted({node for pattern in GPU_NODES for node in (top / "dev").glob(pattern)})
    if not nodes:
        return []
    folders = [Mount("bind", str(top / name), f"/{name}") for name in GPU_FOLDERS if (top / name).exists()]
    return folders + [Mount("device", str(node), f"/dev/{node.name}") for node in nodes]


def gpu_mounts_in_root(top: Path = Path("/")) -> list[Mount]:
    """Return the GPU for a root file system of the application's own: nodes, and the machine's driver libraries.

    A driver's libraries belong to the machine's kernel, so no container brings them; :data:`DRIVER` is for them.
    """
    mounts = [mount for mount in gpu_mounts(top) if mount.kind == "device"]
    if not mounts:
        return []
    seen: set[str] = set()
    for pattern in DRIVER_LIBRARIES:
        for library in sorted(top.glob(pattern)):
            if library.name not in seen and library.exists():
                seen.add(library.name)
                mounts.append(Mount("bind", str(library.resolve()), f"{DRIVER}/{library.name}"))
    return mounts
