"""The server for demo and tests: its loop, its errors, its end."""

import socket
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import av
import pytest

from vedette.rtsp_server import RtspServer, RtspServerError

from .conftest import FRAMES


def test_the_end_of_the_file_shows_in_no_time_stamp(clip: Path) -> None:
    stamps: list[int] = []
    options = {"rtsp_transport": "tcp", "fpsprobesize": "0"}
    with RtspServer({"cam": clip}) as server, av.open(server.url("cam"), options=options, timeout=10) as container:
        for packet in container.demux(video=0):
            if packet.pts is not None:
                stamps.append(packet.pts)
            if len(stamps) > 2.5 * FRAMES:
                break
    # 90 kHz clock, 25 fps: every picture once, none missing, whatever the order of decoding at either end.
    shown = sorted(stamps)[4:-4]
    assert {later - earlier for earlier, later in pairwise(shown)} == {3600}


def test_a_server_started_again_keeps_its_port(server: RtspServer) -> None:
    port, pid = server.port, server.pid
    server.kill()
    assert not server.running
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)
    server.start()
    assert server.port == port
    assert server.pid != pid
    socket.create_connection(("127.0.0.1", port), 1).close()


def test_login_is_not_in_the_process_list(server: RtspServer) -> None:
    for name in ("cmdline", "environ"):
        content = Path(f"/proc/{server.pid}/{name}").read_bytes()
        assert b"p@ss" not in content
        assert b"viewer" not in content


def test_files_and_ports_that_cannot_be_served_are_named(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(RtspServerError, match=r"nothing\.mp4 does not exist"):
        RtspServer({"cam": tmp_path / "nothing.mp4"}).start()
    text = tmp_path / "text.mp4"
    text.write_text("no film")
    with pytest.raises(RtspServerError, match=r"text\.mp4 is not a video that can be read"):
        RtspServer({"cam": text}).start()
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(RtspServerError, match="cannot listen at"):
        RtspServer({"cam": clip}, port=taken.getsockname()[1]).start()


PARENT = """
import sys, time
from vedette.rtsp_server import RtspServer
server = RtspServer({"cam": sys.argv[1]}).start()
server.suspend()
print(server.pid, flush=True)
time.sleep(60)
"""


def test_a_stopped_server_goes_with_its_parent(clip: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(clip)], stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            assert Path(f"/proc/{pid}").exists()
        finally:
            parent.kill()
    assert _gone(pid)


def test_command_serves_until_it_is_told_to_stop(clip: Path) -> None:
    command = [sys.executable, "-m", "vedette.rtsp_server", str(clip), "--path", "dock", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.endswith("/dock")
            with av.open(url, options={"rtsp_transport": "tcp", "fpsprobesize": "0"}, timeout=10) as container:
                assert next(container.decode(video=0)).width == 320
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()


def _gone(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        threading.Event().wait(0.02)
    return False
