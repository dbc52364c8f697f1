"""A device between its cameras and nothing else: only RTSP and time may pass (NET-08)."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .camera_clips import write_clip

SCRIPT = """
set -e
ip link set lo up
nft -f - <<END
table inet t {
  chain out {
    type filter hook output priority 0; policy drop;
    ct state established,related accept
    tcp dport 554 accept
    udp dport 123 accept
  }
}
END
exec "$1" -c "$2" "$3"
"""
INSIDE = """
import socket, subprocess, sys, threading
from vedette.rtsp_server import RtspServer

def test(url):
    command = [sys.executable, "-m", "vedette.cli.main", "camera", "test", url, "--seconds", "1"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)

def answer(server):
    data, sender = server.recvfrom(64)
    server.sendto(bytes([0x24]) + data[1:], sender)

with RtspServer({"cam": sys.argv[1]}, port=554), RtspServer({"cam": sys.argv[1]}, port=8554):
    seen = test("rtsp://127.0.0.1/cam")
    assert seen.returncode == 0, seen.stderr
    shut = test("rtsp://127.0.0.1:8554/cam")
    assert shut.returncode == 1 and "No answer" in shut.stderr, shut.stderr
with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as clock:
    server.bind(("127.0.0.1", 123))
    threading.Thread(target=answer, args=(server,), daemon=True).start()
    clock.settimeout(10)
    clock.sendto(bytes([0x23]) + bytes(47), ("127.0.0.1", 123))
    assert clock.recv(64)[0] & 7 == 4
print("cameras and clock work")
"""
MISSING = [
    name for name in ("unshare", "ip", "nft") if shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin") is None
]


@pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)} (apt install util-linux iproute2 nftables)")
def test_camera_or_clock_needs_another_port(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    # A network of its own, with loopback alone.
    command = ["unshare", "--map-root-user", "--net", "bash", "-c", SCRIPT, "bash", sys.executable, INSIDE, str(clip)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    if done.returncode and any(words in done.stderr for words in ("unshare", "Operation not supported", "netlink")):
        pytest.skip(f"no network namespaces with rules here: {done.stderr.strip()[:200]}")
    assert "cameras and clock work" in done.stdout, done.stderr
