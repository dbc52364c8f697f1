"""Builds a root file system archive as ``docker export`` would, around a Python that this machine has."""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

_LEFT_OUT = re.compile(
    r"/(test|tests|idlelib|tkinter|ensurepip|lib2to3|turtledemo|pydoc_data|site-packages|config-[^/]*|__pycache__)$"
    r"|\.(a|pyc|exe)$"
)
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def build(python: Path, numpy: str, folder: Path, files: dict[str, str]) -> Path:
    """Write ``<sha256>.tar.gz`` into ``folder``: ``python`` at /usr/local, numpy, what they link to, and ``files``.

    :raises LookupError: when that numpy cannot be had
    """
    site = folder / "site"
    uv = str(Path(sys.prefix) / "bin/uv")
    command = [uv, "pip", "install", "--python", str(python), "--target", str(site), "--only-binary", ":all:", numpy]
    made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if made.returncode:
        raise LookupError(made.stderr.strip()[-200:])
    prefix = Path(_ask(python, "import sys; print(sys.base_prefix)"))
    name = _ask(python, "import sys; print('python%d.%d' % sys.version_info[:2])")
    real = prefix / "bin" / name
    native = [real, *prefix.glob(f"lib/{name}/lib-dynload/*.so"), *site.rglob("*.so*")]
    path = folder / "asset.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        archive.add(real, f"usr/local/bin/{name}")
        _link(archive, "usr/local/bin/python3", name)
        archive.add(prefix / "lib" / name, f"usr/local/lib/{name}", filter=_wanted)
        archive.add(site, f"usr/local/lib/{name}/site-packages", filter=_wanted)
        for library in sorted(_libraries(native)):
            archive.add(Path(library).resolve(), library.lstrip("/"))
        for place, text in files.items():
            source = folder / "file"
            source.write_text(text)
            archive.add(source, place)
        # What docker leaves: an empty or linked resolv.conf, a device, a program with root's rights.
        _link(archive, "etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
        device = tarfile.TarInfo("dev/null")
        device.type = tarfile.CHRTYPE
        archive.addfile(device)
    shutil.rmtree(site)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return path.rename(folder / f"{digest}.tar.gz")


def _ask(python: Path, program: str) -> str:
    return subprocess.run(
        [str(python), "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def _wanted(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if re.search(r"/lib/[^/]+/site-packages$", info.name):
        return info
    return None if _LEFT_OUT.search(f"/{info.name}") else info


def _libraries(native: list[Path]) -> set[str]:
    listed = subprocess.run(["ldd", *map(str, native)], capture_output=True, text=True, check=False, timeout=60).stdout
    found = {match for match in _LIBRARY.findall(listed) if "site/" not in match}
    # Threads load it by name.
    return found | {str(path) for library in found if (path := Path(library).with_name("libgcc_s.so.1")).exists()}


def _link(archive: tarfile.TarFile, name: str, target: str) -> None:
    info = tarfile.TarInfo(name)
    info.type = tarfile.SYMTYPE
    info.linkname = target
    archive.addfile(info)
