"""Bubblewrap's command line and the choice between it and the next best thing, without starting anything."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from vedette_app_runtime.environments.environment import Environment
from vedette_app_runtime.sandbox import Choice, SandboxMisuse, SandboxSpec, SandboxUnavailable, command
from vedette_app_runtime.sandbox.bubblewrap import arguments, outermost
from vedette_app_runtime.sandbox.choice import decide
from vedette_app_runtime.sandbox.system_files import gpu_mounts, system_mounts

from vedette.doctor.bubblewrap import Bubblewrap

_WORKING = Bubblewrap("/usr/bin/bwrap", (0, 9, 0), works=True, disables_user_namespaces=True)
_BROKEN = Bubblewrap(
    "/usr/bin/bwrap", (0, 9, 0), works=False, reason="setting up uid map failed", remedy="load the profile"
)


@pytest.fixture
def spec(tmp_path: Path) -> SandboxSpec:
    """A view of folders that are there."""
    for name in ("venv/bin", "python", "application", "sdk", "storage", "logs"):
        (tmp_path / name).mkdir(parents=True)
    environment = Environment(
        tmp_path / "venv/bin/python", tmp_path / "venv/bin", (tmp_path / "venv", tmp_path / "python"), ""
    )
    return SandboxSpec(
        environment,
        tmp_path / "application",
        tmp_path / "sdk",
        tmp_path / "storage",
        tmp_path / "logs",
        environ={"A": "1"},
    )


def _triples(words: list[str], option: str) -> list[tuple[str, str]]:
    return [(words[at + 1], words[at + 2]) for at, word in enumerate(words) if word == option]


def test_only_storage_and_logs_are_bound_for_writing(spec: SandboxSpec) -> None:
    words = arguments(spec)
    assert _triples(words, "--bind") == [
        (str(spec.storage), "/opt/aws/panorama/storage"),
        (str(spec.logs), "/opt/aws/panorama/logs"),
    ]
    assert (str(spec.application_dir), "/panorama") in _triples(words, "--ro-bind")
    assert (str(spec.sdk_dir), "/opt/vedette/sdk") in _triples(words, "--ro-bind")


def test_every_namespace_but_the_networks_is_its_own(spec: SandboxSpec) -> None:
    words = arguments(spec)
    assert {"--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--new-session"} <= set(words)
    assert {"--die-with-parent", "--unshare-cgroup-try"} <= set(words)
    assert "--unshare-net" not in words
    assert words[words.index("--cap-drop") + 1] == "ALL"
    assert words[-2:] == ["--chdir", "/"]


def test_the_root_is_closed_after_the_last_mount_point_was_made(spec: SandboxSpec) -> None:
    words = arguments(spec)
    last = max(at for at, word in enumerate(words) if word in {"--bind", "--ro-bind", "--tmpfs", "--dir", "--symlink"})
    assert words.index("--remount-ro") > last
    assert [words[at + 1] for at, word in enumerate(words) if word == "--remount-ro"] == ["/dev", "/"]


def test_the_private_tmp_is_mounted_before_what_lies_in_tmp(spec: SandboxSpec) -> None:
    words = arguments(spec)
    assert words.index("/tmp") < words.index(str(spec.application_dir))


def test_options_of_a_new_bubblewrap_are_not_given_to_an_old_one(spec: SandboxSpec) -> None:
    assert "--disable-userns" not in arguments(spec)
    assert "--disable-userns" in arguments(spec, disable_user_namespaces=True)
    assert not {"--clearenv", "--size", "--perms"} & set(arguments(spec))


def test_the_command_clears_the_environment_before_it_sets_one(spec: SandboxSpec) -> None:
    words = command(spec, ["python3", "/panorama/app.py", "x"], choice=Choice("bubblewrap", bubblewrap=_WORKING))
    assert words[:3] == ["/usr/bin/env", "-i", "/usr/bin/bwrap"]
    assert dict(_triples(words, "--setenv")) == {
        "A": "1",
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "ORT_DISABLE_TELEMETRY": "1",
        "PATH": f"{spec.environment.bin_dir}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": "/opt/vedette/sdk",
        "PYTHONUNBUFFERED": "1",
        "TERM": "xterm",
        "container": "podman",
    }
    assert words[words.index("--") :] == ["--", str(spec.environment.python), "/panorama/app.py", "x"]


def test_the_sdk_comes_first_when_the_application_sets_its_own_path(spec: SandboxSpec) -> None:
    own = replace(spec, environ={"PYTHONPATH": "/panorama/lib"})
    assert own.child_environment()["PYTHONPATH"] == "/opt/vedette/sdk:/panorama/lib"


@pytest.mark.parametrize("wide", ["/", "/home", "/etc", "/opt", os.path.expanduser("~")])  # noqa: PTH111
def test_a_prefix_that_would_show_the_machine_is_refused(spec: SandboxSpec, wide: str) -> None:
    environment = replace(spec.environment, read_only=(Path(wide),))
    with pytest.raises(SandboxMisuse, match="refusing to show all of"):
        arguments(replace(spec, environment=environment))


def test_a_relative_folder_is_refused(spec: SandboxSpec) -> None:
    with pytest.raises(SandboxMisuse, match="an absolute path is needed"):
        arguments(replace(spec, application_dir=Path("application")))


def test_what_usr_or_another_folder_shows_is_not_bound_again() -> None:
    paths = [Path("/usr/lib/python3"), Path("/a/b"), Path("/a"), Path("/a"), Path("/usr"), Path("/ab")]
    assert outermost(paths) == [Path("/a"), Path("/ab")]


def _machine(top: Path) -> Path:
    for name in ("usr/bin", "etc/ssl/certs", "run/systemd/resolve", "sys/devices/system/cpu", "proc/sys", "dev/dri"):
        (top / name).mkdir(parents=True)
    (top / "bin").symlink_to("usr/bin")
    (top / "sbin").mkdir()
    for name in ("etc/shadow", "etc/passwd", "etc/ssl/openssl.cnf", "run/systemd/resolve/stub", "proc/sysrq-trigger"):
        (top / name).write_text("")
    (top / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub")
    return top


def test_of_etc_only_what_programs_need_is_shown_and_links_out_of_it_are_followed(tmp_path: Path) -> None:
    top = _machine(tmp_path)
    mounts = {mount.target: mount for mount in system_mounts(top)}
    assert mounts["/bin"].kind == "link"
    assert mounts["/bin"].source == "usr/bin"
    assert mounts["/sbin"].kind == "bind"
    assert mounts["/etc/resolv.conf"].source == str(top / "run/systemd/resolve/stub")
    assert not {"/etc", "/etc/shadow", "/etc/ssl", "/run"} & set(mounts)
    # THEN the users inside are our own, and the kernel's switches are closed
    assert not mounts["/etc/passwd"].source.startswith(str(top))
    assert {"/proc/sys", "/proc/sysrq-trigger"} <= set(mounts)


def test_the_gpu_is_there_only_when_asked_for_and_only_where_there_is_one(tmp_path: Path, spec: SandboxSpec) -> None:
    top = _machine(tmp_path / "machine")
    (top / "dev/dri").rmdir()
    assert gpu_mounts(top) == []
    (top / "dev/nvidia0").write_text("")
    assert [mount.target for mount in gpu_mounts(top)] == ["/sys", "/dev/nvidia0"]
    assert "/dev/nvidia0" not in arguments(spec, top=top)
    assert "/dev/nvidia0" in arguments(replace(spec, gpu=True), top=top)


def test_a_required_sandbox_that_does_not_work_stops_with_the_remedy() -> None:
    with pytest.raises(SandboxUnavailable, match="setting up uid map failed; load the profile"):
        decide("required", lambda: _BROKEN, lambda: (True, True))


def test_a_preferred_one_runs_without_and_says_what_that_means() -> None:
    choice = decide("preferred", lambda: _BROKEN, lambda: (True, False))
    assert choice.kind == "mount-view"
    assert not choice.as_root
    assert "without a sandbox: setting up uid map failed" in choice.warnings[0]
    assert "load the profile" in choice.warnings[0]


def test_without_any_namespace_it_is_said_which_paths_are_missing() -> None:
    choice = decide("preferred", lambda: _BROKEN, lambda: (False, False))
    assert choice.kind == "none"
    assert "/panorama, /opt/aws/panorama/storage and /opt/aws/panorama/logs do not exist" in choice.warnings[1]


def test_a_sandbox_that_is_off_is_off_even_where_it_would_work() -> None:
    choice = decide("off", lambda: _WORKING, lambda: (True, True))
    assert choice.kind == "mount-view"
    assert 'switched off ("sandbox": "off")' in choice.warnings[0]


def test_one_that_works_is_taken_without_a_word() -> None:
    assert decide("preferred", lambda: _WORKING, lambda: (True, True)) == Choice("bubblewrap", bubblewrap=_WORKING)


def test_without_namespaces_the_command_is_led_to_the_folders_on_the_host(spec: SandboxSpec) -> None:
    words = command(
        spec, ["python3", "/panorama/app.py", "/panoramic", "/opt/aws/panorama/storage/x"], choice=Choice("none")
    )
    assert words[-4:] == [
        str(spec.environment.python),
        f"{spec.application_dir}/app.py",
        "/panoramic",
        f"{spec.storage}/x",
    ]
    assert f"PYTHONPATH={spec.sdk_dir}" in words
