"""How live pictures reach a browser: JPEG over a WebSocket (the page), fMP4 into MediaSource, WebRTC; glass to glass.

    python benchmarks/transport.py [--seconds 15] [--only jpeg mse webrtc ffmpeg] [--fps 15] [--viewers 1]

One output of 1920x1080 (a street scene) with the time of its making in black and white along its upper edge, sent 1280
wide. The time is read back from what the browser shows. WebRTC needs aiortc (``uv pip install aiortc``), which is no
dependency of Vedette. The baseline for the processor is ffmpeg doing the same transcode.
"""

import argparse
import asyncio
import json
import multiprocessing
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from http import HTTPStatus
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import psutil
from display import FLAGS, display_process
from numpy.typing import NDArray
from websockets.exceptions import ConnectionClosed

from vedette.rings import I420, FrameHeader, RingReader, RingWriter, connect, frame_bytes, listen

ROOT = Path(__file__).parents[1]
WIDTH, HEIGHT, SENT = 1920, 1080, 1280
BITS = 20
CELL = WIDTH // 24

READ_TIME = """
() => {
  const small = document.createElement("canvas");
  small.width = 240; small.height = 8;
  const context = small.getContext("2d", { willReadFrequently: true });
  window.delays = [];
  let last = -1;
  const look = () => {
    const source = document.querySelector("video") ?? document.querySelector(".tile canvas");
    const width = source?.videoWidth ?? source?.width ?? 0;
    if (width > 100) {
      const height = source.videoHeight ?? source.height;
      context.drawImage(source, 0, 0, width, height / 30, 0, 0, 240, 8);
      const { data } = context.getImageData(0, 0, 240, 8);
      let value = 0, ones = 0;
      for (let bit = 0; bit < 20; bit += 1) {
        const on = data[(2 * 240 + bit * 10 + 5) * 4 + 1] > 128 ? 1 : 0;
        value = value * 2 + on;
        ones += on;
      }
      let check = 0;
      for (let bit = 20; bit < 24; bit += 1) check = check * 2 + (data[(2 * 240 + bit * 10 + 5) * 4 + 1] > 128 ? 1 : 0);
      if (value !== last && check === ones % 16) {
        last = value;
        window.delays.push(((Date.now() % 1048576) - value + 1048576) % 1048576);
      }
    }
    requestAnimationFrame(look);
  };
  look();
}
"""
COUNT_BYTES = """
window.received = 0;
window.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => { window.received += data.byteLength ?? data.length; });
  }
};
"""
MSE_PAGE = """<!doctype html><video muted autoplay playsinline style="width:1280px"></video><script>
const video = document.querySelector("video"), source = new MediaSource(), waiting = [];
video.src = URL.createObjectURL(source);
source.onsourceopen = () => {
  const buffer = source.addSourceBuffer('video/mp4; codecs="avc1.4d4028"');
  const next = () => { if (!buffer.updating && waiting.length) buffer.appendBuffer(waiting.shift()); };
  buffer.onupdateend = () => {
    const end = buffer.buffered.length ? buffer.buffered.end(buffer.buffered.length - 1) : 0;
    if (end - video.currentTime > 0.4) video.currentTime = end - 0.05;
    next();
  };
  const socket = new WebSocket(`ws://${location.host}/live`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => { waiting.push(data); next(); };
};
video.play();
</script>"""
RTC_PAGE = """<!doctype html><video muted autoplay playsinline style="width:1280px"></video><script>
const peer = new RTCPeerConnection(), video = document.querySelector("video");
window.peer = peer;
peer.ontrack = ({ track, receiver }) => {
  if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
  video.srcObject = new MediaStream([track]);
};
const line = peer.addTransceiver("video", { direction: "recvonly" });
const codecs = RTCRtpReceiver.getCapabilities("video").codecs;
const wanted = codecs.filter(({ mimeType }) => mimeType === "video/H264");
if (wanted.length) line.setCodecPreferences(wanted);
const socket = new WebSocket(`ws://${location.host}/live`);
socket.onopen = async () => {
  await peer.setLocalDescription(await peer.createOffer());
  await new Promise((done) => {
    if (peer.iceGatheringState === "complete") done();
    peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && done();
  });
  socket.send(JSON.stringify(peer.localDescription));
};
socket.onmessage = async ({ data }) => peer.setRemoteDescription(JSON.parse(data));
</script>"""


class Result(NamedTuple):
    """One transport. ``server``, ``browser``: cores used; ``kilobytes``: a second to one viewer."""

    name: str
    p50: float
    p95: float
    fps: float
    server: float
    browser: float
    kilobytes: float


def scene(count: int = 45) -> list[NDArray[np.uint8]]:
    """Return frames of the street scene as I420 planes."""
    capture = cv2.VideoCapture(str(ROOT / "examples" / "media" / "street.mp4"))
    frames: list[Any] = []
    while len(frames) < count:
        good, image = capture.read()
        if not good:
            break
        frames.append(cv2.cvtColor(cv2.resize(image, (WIDTH, HEIGHT)), cv2.COLOR_BGR2YUV_I420))
    capture.release()
    return [np.ascontiguousarray(frame, np.uint8) for frame in frames]


def write_time(planes: NDArray[np.uint8]) -> None:
    """Write the present into a frame, in black and white along its upper edge: 20 bits of ms, and how many are set."""
    now = int(time.time() * 1000) % 2**BITS
    bits = [now >> shift & 1 for shift in range(BITS - 1, -1, -1)]
    check = sum(bits) % 16
    for index, bit in enumerate([*bits, *(check >> shift & 1 for shift in (3, 2, 1, 0))]):
        planes[: HEIGHT // 30, index * CELL : (index + 1) * CELL] = 235 if bit else 16
    # Grey: no colour on the cells.
    planes[HEIGHT : HEIGHT + HEIGHT // 120] = 128
    planes[HEIGHT * 5 // 4 : HEIGHT * 5 // 4 + HEIGHT // 120] = 128


def put_frames(ring: RingWriter, frames: list[NDArray[np.uint8]], fps: float, stop: threading.Event) -> None:
    """Put frames with their time written on them."""
    nbytes = frame_bytes(I420, WIDTH, HEIGHT)
    number, due = 0, time.monotonic()
    while not stop.wait(max(0.0, due - time.monotonic())):
        due = max(due + 1 / fps, time.monotonic() - 1 / fps)
        slot = ring.reserve(nbytes)
        if slot is None:
            continue
        planes = np.frombuffer(slot.buffer, np.uint8).reshape(HEIGHT * 3 // 2, WIDTH)
        planes[:] = frames[number % len(frames)]
        number += 1
        write_time(planes)
        ring.publish(slot, FrameHeader(0, time.time_ns(), time.monotonic_ns(), WIDTH, HEIGHT, I420), b"")


def read_units(path: str, put: Callable[[Any], None], stop: Event) -> None:
    """Read the ring and hand over small I420 pictures, in a thread."""
    from vedette_display.encoding import to_i420
    from vedette_display.overlay import Overlays

    reader = RingReader(connect(path), 1)
    while not stop.is_set():
        lease = reader.receive(0.2)
        if lease is not None:
            with lease:
                put(to_i420(lease.header, lease.buffer, Overlays(), SENT).copy())
    reader.close()


def serve(page: str, talk: Callable[[Any], Any], ports: Any, stop: Event) -> None:
    """Serve a page and a WebSocket until stopped."""
    from websockets.asyncio.server import serve as listen_at
    from websockets.datastructures import Headers
    from websockets.http11 import Response

    def respond(_connection: Any, request: Any) -> Response | None:
        if request.path == "/live":
            return None
        body = page.encode()
        headers = Headers({"Content-Type": "text/html", "Content-Length": str(len(body))})
        return Response(HTTPStatus.OK.value, "OK", headers, body)

    async def run() -> None:
        async with listen_at(talk, "127.0.0.1", 0, process_request=respond, max_size=None) as server:
            ports.put(next(iter(server.sockets)).getsockname()[1])
            await asyncio.to_thread(stop.wait)

    asyncio.run(run())


def mse_process(path: str, fps: float, ports: Any, stop: Event) -> None:
    """H.264 from the display's encoder, one fragment a frame, to every viewer."""
    import av
    from vedette_display.encoders import CLOCK_HZ, Shot, SoftwareEncoder

    encoder = SoftwareEncoder(SENT, SENT * HEIGHT // WIDTH, fps)
    viewers: list[tuple[asyncio.AbstractEventLoop, asyncio.Queue[Any]]] = []
    count = 0

    def take(planes: Any) -> None:
        nonlocal count
        if not viewers:
            return
        for unit in encoder.encode(planes, Shot(round(count * CLOCK_HZ / fps), 0), key=count % 30 == 0):
            for loop, queue in viewers:
                loop.call_soon_threadsafe(queue.put_nowait, unit)
        count += 1

    async def talk(socket: Any) -> None:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        entry = (asyncio.get_running_loop(), queue)
        viewers.append(entry)
        parts: list[bytes] = []

        class Pipe:
            def write(self, data: Any) -> int:
                parts.append(bytes(data))
                return len(data)

        container: Any = None
        number = 0
        try:
            while True:
                unit = await queue.get()
                if container is None:
                    if not unit.key:
                        continue
                    options = {"movflags": "frag_every_frame+empty_moov+delay_moov+default_base_moof"}
                    container = av.open(Pipe(), "w", format="mp4", options=options)
                    clock = Fraction(1, CLOCK_HZ)
                    stream = container.add_mux_stream("h264", width=unit.width, height=unit.height, time_base=clock)
                packet: Any = av.Packet(unit.data)
                packet.stream, packet.time_base = stream, Fraction(1, CLOCK_HZ)
                packet.pts = packet.dts = round(number * CLOCK_HZ / fps)
                packet.duration, packet.is_keyframe = round(CLOCK_HZ / fps), unit.key
                container.mux(packet)
                number += 1
                data = b"".join(parts)
                parts.clear()
                if data:
                    await socket.send(data)
        except ConnectionClosed:
            return
        finally:
            viewers.remove(entry)

    threading.Thread(target=read_units, args=(path, take, stop), daemon=True).start()
    serve(MSE_PAGE, talk, ports, stop)


def webrtc_process(path: str, _fps: float, ports: Any, stop: Event) -> None:
    """aiortc: one encoder for each viewer, as WebRTC's congestion control wants it."""
    import av
    from aiortc import RTCPeerConnection, RTCSessionDescription, VideoStreamTrack

    waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Queue[Any]]] = []

    def take(planes: Any) -> None:
        for loop, queue in waiting:
            loop.call_soon_threadsafe(put, queue, planes)

    def put(queue: asyncio.Queue[Any], planes: Any) -> None:
        if queue.empty():
            queue.put_nowait(planes)

    def track() -> Any:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        waiting.append((asyncio.get_running_loop(), queue))
        began = time.monotonic()

        async def recv(_self: Any) -> Any:
            frame = av.VideoFrame.from_ndarray(await queue.get(), format="yuv420p")
            frame.pts, frame.time_base = round((time.monotonic() - began) * 90000), Fraction(1, 90000)
            return frame

        # Without aiortc there is no class to inherit from, and this file is checked without it too.
        return type("Track", (VideoStreamTrack,), {"recv": recv})()

    async def talk(socket: Any) -> None:
        peer = RTCPeerConnection()
        offer = json.loads(await socket.recv())
        peer.addTrack(track())
        await peer.setRemoteDescription(RTCSessionDescription(offer["sdp"], offer["type"]))
        await peer.setLocalDescription(await peer.createAnswer())
        answer = peer.localDescription
        await socket.send(json.dumps({"sdp": answer.sdp, "type": answer.type}))
        await socket.wait_closed()
        await peer.close()

    threading.Thread(target=read_units, args=(path, take, stop), daemon=True).start()
    serve(RTC_PAGE, talk, ports, stop)


def cores(processes: list[psutil.Process]) -> float:
    """Return seconds of processor time that the processes have used."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
            total += times.user + times.system
        except psutil.Error:
            continue
    return total


def measure(name: str, address: str, server: int, options: argparse.Namespace) -> Result:
    """Look at a page and measure."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=[*FLAGS, "--autoplay-policy=no-user-gesture-required"]
        )
        pages = []
        for _ in range(options.viewers):
            page = browser.new_page(viewport={"width": 1700, "height": 1000})
            page.add_init_script(COUNT_BYTES)
            page.goto(address)
            if name == "jpeg":
                page.locator(".chip", has_text="LIVE").first.wait_for()
                page.keyboard.press("1")
            page.evaluate(READ_TIME)
            pages.append(page)
        pages[0].wait_for_timeout(5000)
        browsers = [p for p in psutil.Process().children(recursive=True) if "chrom" in p.name()]
        watched = [psutil.Process(server)]
        for page in pages:
            page.evaluate("() => { window.delays = []; window.received = 0; }")
        before = cores(watched), cores(browsers), time.monotonic()
        pages[0].wait_for_timeout(options.seconds * 1000)
        after = cores(watched), cores(browsers), time.monotonic()
        elapsed = after[2] - before[2]
        delays = sorted(pages[0].evaluate("() => window.delays"))
        received = pages[0].evaluate(
            """async () => {
              if (!window.peer) return window.received;
              let bytes = 0;
              for (const s of (await window.peer.getStats()).values()) {
                if (s.type === "inbound-rtp") bytes += s.bytesReceived;
              }
              return bytes;
            }"""
        )
        browser.close()
    if not delays:
        raise SystemExit(f"{name}: the browser showed nothing")
    since = elapsed if name != "webrtc" else elapsed + 5
    return Result(
        name, delays[len(delays) // 2], delays[int(len(delays) * 0.95)], len(delays) / elapsed,
        (after[0] - before[0]) / elapsed, (after[1] - before[1]) / elapsed, received / since / 1000,
    )  # fmt: skip


def run(name: str, path: str, options: argparse.Namespace) -> Result:
    """Start one transport's server and measure it."""
    context = multiprocessing.get_context("spawn")
    stop, told = context.Event(), context.Queue()
    if name == "jpeg":
        process = context.Process(target=display_process, args=([path], told, stop))
    else:
        target = mse_process if name == "mse" else webrtc_process
        process = context.Process(target=target, args=(path, options.fps, told, stop))
    process.start()
    try:
        answer = told.get(timeout=60)
        address = json.loads(answer)["page"] if name == "jpeg" else f"http://127.0.0.1:{answer}/"
        return measure(name, address, process.pid or 0, options)
    finally:
        stop.set()
        process.join(10)
        process.kill()


def ffmpeg(frames: list[NDArray[np.uint8]], codec: list[str]) -> float:
    """Return ffmpeg's processor time a frame for the same transcode, in ms."""
    with tempfile.NamedTemporaryFile(suffix=".yuv") as file:
        for frame in frames * 4:
            file.write(frame.tobytes())
        file.flush()
        source = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}", "-i", file.name]
        scale = ["-vf", f"scale={SENT}:-2:flags=fast_bilinear", "-threads", "1", *codec, "-f", "null", "-"]
        before = psutil.Process().cpu_times()
        subprocess.run(["ffmpeg", "-v", "error", "-threads", "1", *source, *scale], check=True, timeout=300)
        after = psutil.Process().cpu_times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return 1000 * used / (4 * len(frames))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--fps", type=float, default=15.0)
    parser.add_argument("--viewers", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=["ffmpeg", "jpeg", "mse", "webrtc"])
    options = parser.parse_args()
    frames = scene()
    stop = threading.Event()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "out.sock")
        ring = RingWriter(listen(path))
        threading.Thread(target=put_frames, args=(ring, frames, options.fps, stop), daemon=True).start()
        for name in options.only:
            if name == "ffmpeg":
                jpeg = ffmpeg(frames, ["-c:v", "mjpeg", "-q:v", "5"])
                x264 = ffmpeg(frames, ["-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-crf", "23"])
                print(f"ffmpeg, 1080p to {SENT} wide, CPU a frame: JPEG {jpeg:.1f} ms, H.264 {x264:.1f} ms")
                continue
            results.append(run(name, path, options))
            print(f"{results[-1]}", flush=True)
        stop.set()
        ring.close()
    print(f"\n{WIDTH}x{HEIGHT} at {options.fps:.0f} fps, sent {SENT} wide, {options.viewers} viewer(s)")
    print("| transport | delay p50 | p95 | pictures/s | server CPU | ms a picture | browser CPU | kB/s |")
    for r in results:
        each = 1000 * r.server / max(r.fps, 0.1)
        print(
            f"| {r.name} | {r.p50:.0f} ms | {r.p95:.0f} ms | {r.fps:.1f} | {100 * r.server:.1f} % | {each:.1f} |"
            f" {100 * r.browser:.0f} % | {r.kilobytes:.0f} |"
        )


if __name__ == "__main__":
    main()
