"""An encoder in hardware, in a process of its own: frames in, coded pictures out, within bounds of time.

Drivers of encoders crash, hang and refuse in the middle of a stream. Here that ends a child process and an exchange
with it, and whoever asked goes on in software.
"""

import contextlib
import fcntl
import os
import select
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import IO, Any, Final, Protocol, cast

from vedette.hardware_encoding import gstreamer, libav
from vedette.hardware_encoding.coded import Coded, ParameterSets
from vedette.hardware_encoding.ways import Carrier, Way

OPEN_S: Final = 10.0
"""For the process to start, the driver to open, and the first picture to come."""
PICTURE_S: Final = 2.0
"""For a picture, once there has been one."""
_FIRST_SETTLE_S: Final = 1.0
_SETTLE_S: Final = 0.1
"""How long is waited for a picture that an encoder seems to hold back until the next frame; first of all, and later."""
_ASK_AGAIN: Final = 300
"""After so many frames it is seen anew how many pictures the encoder holds back."""
_STOP_S: Final = 0.5
_READ_BYTES: Final = 1 << 16
_PREFIXES: Final = ("WARNING: ", "ERROR: ", "erroneous pipeline: ")
_PIPE_BYTES: Final = 1 << 20
# No keys or settings of ours; what finds drivers and GStreamer's plug-ins.
_PASSED_ON: Final = frozenset(
    {"HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR", "VIRTUAL_ENV", "XDG_CACHE_HOME"}
)
_PASSED_ON_BEGIN: Final = ("GST_", "LIBVA_", "CUDA_", "NVIDIA_", "ONEVPL_", "INTEL_")


class EncoderFailed(Exception):
    """The encoder cannot be used, or not any more; the text says why."""


class _Protocol(Protocol):
    ready: bool

    def frame(self, planes: memoryview, *, key: bool) -> tuple[bytes | memoryview, ...]: ...

    def receive_data(self, data: bytes) -> list[Coded]: ...


class EncoderProcess:
    """One encoder of one size.

    ``bits`` a second, ``gop`` frames from key frame to key frame at most. The constructor starts the process and does
    not wait for it.

    :raises EncoderFailed: when there is no such command.
    """

    def __init__(
        self,
        way: Way,
        width: int,
        height: int,
        *,
        fps: int,
        gop: int,
        bits: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._protocol: _Protocol
        if way.carrier is Carrier.LIBAV:
            self._protocol, command = libav.Messages(), libav.command
        else:
            self._protocol, command = gstreamer.FramedRtp(), gstreamer.command
        self._sets = ParameterSets()
        self._waiting: deque[tuple[Any, float]] = deque()
        """Tags of frames whose pictures have not come, and when each was given."""
        self._held = 0
        self._began = False
        self._count = 0
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        environment = {k: v for k, v in os.environ.items() if k in _PASSED_ON or k.startswith(_PASSED_ON_BEGIN)}
        try:
            self._process = subprocess.Popen(
                command(way.element, width, height, fps, gop, bits),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=environment,
            )
        except OSError as error:
            self._log.close()
            raise EncoderFailed(f"its program cannot be run: {error.strerror}") from error
        self._in, self._out = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        for pipe in (self._in, self._out):
            os.set_blocking(pipe.fileno(), False)
            with contextlib.suppress(OSError):
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def encode(self, planes: memoryview, tag: Any, *, key: bool) -> list[tuple[Any, Coded]]:
        """Give one I420 frame; return the pictures that have come, each with its frame's ``tag``.

        Waits for this frame's picture, unless the encoder has shown that it holds pictures back.

        :raises EncoderFailed: when the process has ended, or takes or gives nothing in time.
        """
        given_at = self._clock()
        limit_s, settle_s = (PICTURE_S, _SETTLE_S) if self._began else (OPEN_S, _FIRST_SETTLE_S)
        self._await_ready(given_at + limit_s)
        done = self._write(self._protocol.frame(planes.cast("B"), key=key), given_at + limit_s)
        self._waiting.append((tag, given_at))
        found = self._match(done)
        self._count += 1
        if self._count % _ASK_AGAIN == 0:
            # A busy moment is not the encoder's way.
            self._held = max(0, self._held - 1)
        heard_at = self._clock()
        while len(self._waiting) > self._held:
            now = self._clock()
            left_s = heard_at + settle_s - now
            if left_s <= 0:
                if now - self._waiting[0][1] > limit_s:
                    raise EncoderFailed(f"no picture came within {limit_s:g} s")
                # It keeps pictures back until more frames have come, or begins slowly.
                self._held = len(self._waiting) if self._began else 0
                break
            if not select.select([self._out], [], [], left_s)[0]:
                continue
            came = self._match(self._read())
            if came:
                found += came
                heard_at = self._clock()
        self._began = self._began or bool(found)
        return found

    def _await_ready(self, deadline: float) -> None:
        while not self._protocol.ready:
            left_s = deadline - self._clock()
            if left_s <= 0:
                raise EncoderFailed(f"it did not open within {OPEN_S:g} s")
            if select.select([self._out], [], [], left_s)[0]:
                self._read()

    def close(self) -> None:
        """End the process."""
        for pipe in (self._in, self._out):
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _match(self, pictures: Iterable[Coded]) -> list[tuple[Any, Coded]]:
        found = []
        for each in pictures:
            picture = self._sets.complete(each)
            if picture is not None and self._waiting:
                found.append((self._waiting.popleft()[0], picture))
        return found

    def _write(self, parts: tuple[bytes | memoryview, ...], deadline: float) -> list[Coded]:
        """Write everything; what comes meanwhile is returned, so that both sides can never wait for one another."""
        found: list[Coded] = []
        for part in parts:
            rest = memoryview(part).cast("B")
            while rest:
                left_s = deadline - self._clock()
                if left_s <= 0:
                    raise EncoderFailed(f"it takes no frame any more ({self._last_words() or 'it hangs'})")
                readable, writable, _ = select.select([self._out], [self._in], [], left_s)
                if readable:
                    found += self._read()
                if writable:
                    try:
                        rest = rest[os.write(self._in.fileno(), rest) :]
                    except BlockingIOError:
                        continue
                    except OSError as error:
                        raise EncoderFailed(self._ended()) from error
        return found

    def _read(self) -> list[Coded]:
        try:
            data = os.read(self._out.fileno(), _READ_BYTES)
        except BlockingIOError:
            return []
        if not data:
            raise EncoderFailed(self._ended())
        return self._protocol.receive_data(data)

    def _ended(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)
        words = self._last_words()
        code = self._process.poll()
        how = "ended" if code is None else f"was killed by signal {-code}" if code < 0 else f"ended with exit {code}"
        return words or f"its process {how}"

    def _last_words(self) -> str:
        """Return what its program said last that a person can use."""
        with contextlib.suppress(OSError):
            self._log.seek(0)
            return _reason(self._log.read(_READ_BYTES).decode("utf-8", "replace"))
        return ""


def _reason(text: str) -> str:
    """Return the first thing that its program said: what follows is what came of it."""
    for line in text.splitlines():
        told = line.strip()
        for prefix in _PREFIXES:
            told = told.removeprefix(prefix)
        if told:
            return told[:200]
    return ""
