"""What ``node.call`` takes over ``session.run`` in the application's own process.

usage: calls.py [--model FILE]... [--starts N] [--rounds N] [--calls N] [--json]

First a model that averages each channel of 1x3x224x224 float32: next to no arithmetic, so that what is left is the way
there and back, the copies of 600 kB of input and of the outputs included. Then the example's detector, which takes more
than 10 ms: there the share of throughput counts. Direct runs and calls alternate, round by round; one thread each. The
direct runs are of ONNX Runtime as delivered, and once more with the settings that the server chose, but not in the
large pages in which it runs.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
from end_to_end import unpack_model
from figures import percentile, table, tell
from vedette_app_runtime.sdk_folder import SOURCE
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.engines import open_session
from vedette_model_inference.handler import ModelHandler
from vedette_model_inference.loading import LoadedModel

from vedette.large_pages import VARIABLE as LARGE_PAGES
from vedette.large_pages import with_large_pages
from vedette.rings import connect, listen
from vedette.rings.calls import CallServer

SHAPE = (1, 3, 224, 224)
_WARM_UP = 10
_START_S = 20.0

Feed = dict[str, np.ndarray]


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _field(number: int, value: int | str | bytes) -> bytes:
    """Return one protobuf field."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    sizes = b"".join(_field(1, _field(1, size)) for size in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, sizes)))


def averaging_model(shape: tuple[int, ...] = SHAPE) -> bytes:
    """Return an ONNX model ``mean`` = average of ``data`` over height and width."""
    node = _field(1, "data") + _field(2, "mean") + _field(4, "GlobalAveragePool")
    graph = _field(1, node) + _field(2, "mean") + _field(11, _value("data", shape))
    graph += _field(12, _value("mean", (*shape[:2], 1, 1)))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 13))


def serve(model: str, path: str, ready: Connection) -> None:
    """Serve the model as ModelInference does, until killed."""
    session = open_session(Path(model), "onnx", Configuration(threads=1))
    handler = ModelHandler(LoadedModel(session, (), 4096, 0.0, ""))
    server = CallServer(listen(path), handler)
    ready.send("listening")
    server.serve()


class Paired:
    """A model in this process and the same one behind a server, called in turn with the same tensors."""

    def __init__(self, model: Path, folder: Path) -> None:
        from panoramasdk._models import Model

        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        path = str(folder / f"{time.monotonic_ns()}.sock")
        self._server = context.Process(target=serve, args=(str(model), path, theirs), daemon=True)
        # As the component's recipe starts it.
        os.environ.update(with_large_pages({}))
        self._server.start()
        del os.environ[LARGE_PAGES]
        if not ours.poll(_START_S):
            raise SystemExit("the server did not come up")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._alike = open_session(model, "onnx", Configuration(threads=1))
        given = self._session.get_inputs()[0]
        self._name, self._values = given.name, np.random.default_rng(0).random(given.shape, np.float32)
        self._node = Model("model", lambda: None)
        self._node.offer(connect(path, 5.0))
        if not all(
            np.allclose(*each, atol=1e-5)
            for each in zip(self.direct(self._feed()), self.call(self._feed()), strict=True)
        ):
            raise SystemExit("the call and the direct run gave different results")

    def direct(self, feed: Feed) -> Any:
        """Run it here."""
        return self._session.run(None, feed)

    def alike(self, feed: Feed) -> Any:
        """Run it here with the settings that the server chose: NanoDet gains 6 % by them."""
        return self._alike.run(feed)

    def call(self, feed: Feed) -> Any:
        """Run it there, as an application does."""
        return self._node.call(feed, 10.0)

    def timed(self, run: Callable[[Feed], Any], calls: int) -> list[float]:
        """Return how long each of ``calls`` runs took, ms; each with a tensor just made, as by an application."""
        taken = []
        for _ in range(calls):
            feed = self._feed()
            began = time.perf_counter()
            run(feed)
            taken.append((time.perf_counter() - began) * 1000)
        return taken

    def _feed(self) -> Feed:
        return {self._name: self._values * np.float32(1)}

    def close(self) -> None:
        """End the server."""
        self._node.close()
        self._server.terminate()
        self._server.join(5.0)


def measure(model: Path, rounds: int, calls: int, starts: int) -> dict[str, Any]:
    """Return medians and 99th percentiles of a model with one input, ms, and the share of calls a second that is left.

    Rounds are short and alternate, so that what changes on the machine changes both. The same model is up to 3 % faster
    in one process than in another, by where its memory lies: hence several ``starts`` of both.
    """
    sys.path.insert(0, str(SOURCE))
    runs: dict[str, list[list[float]]] = {"session.run": [], "server's settings": [], "node.call": []}
    shares: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(starts):
            pair = Paired(model, Path(folder))
            ways = (pair.direct, pair.alike, pair.call)
            for way in ways:
                pair.timed(way, _WARM_UP)
            ratios = []
            for _ in range(rounds):
                direct, alike, called = (pair.timed(way, calls) for way in ways)
                for taken, each in zip(runs.values(), (direct, alike, called), strict=True):
                    taken.append(each)
                ratios.append((sum(direct) / sum(called), sum(alike) / sum(called)))
            pair.close()
            shares.append((median(first for first, _ in ratios), median(second for _, second in ratios)))
    figures = {
        name: {
            "p50_ms": median(percentile(each, 0.5) for each in taken),
            "p99_ms": percentile([value for each in taken for value in each], 0.99),
            "per_s": 1000 / median(sum(each) / len(each) for each in taken),
        }
        for name, taken in runs.items()
    }
    return {
        **figures,
        "over_ms": median(
            percentile(called, 0.5) - percentile(direct, 0.5)
            for direct, called in zip(runs["session.run"], runs["node.call"], strict=True)
        ),
        "throughput": median(first for first, _ in shares),
        "throughput_alike": median(second for _, second in shares),
        "starts": shares,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, action="append", default=[], help="ONNX with one float32 input, as well")
    parser.add_argument("--starts", type=int, default=3, help="of both processes")
    parser.add_argument("--rounds", type=int, default=15, help="of each start")
    parser.add_argument("--calls", type=int, default=10, help="of each kind in a round")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        averaging = Path(folder) / "mean.onnx"
        averaging.write_bytes(averaging_model())
        figures = {"1x3x224x224": measure(averaging, given.rounds, given.calls * 20, given.starts)}
        for title, model in [("detector", unpack_model(Path(folder))), *((each.stem, each) for each in given.model)]:
            figures[title] = measure(model, given.rounds, given.calls, given.starts)
    rows: list[list[str]] = []
    for title, each in figures.items():
        for name in ("session.run", "server's settings", "node.call"):
            row = each[name]
            rows.append([f"{title} {name}", f"{row['p50_ms']:.3f}", f"{row['p99_ms']:.3f}", f"{row['per_s']:.1f}"])
        rows.append([f"{title} over session.run", f"{each['over_ms']:.3f}"])
        if title != "1x3x224x224":
            rows[-1] += ["", f"{(each['throughput'] - 1) * 100:+.1f} %"]
            rows.append(
                [f"{title} over the server's settings", "", "", f"{(each['throughput_alike'] - 1) * 100:+.1f} %"]
            )
        else:
            rows[-1] += ["", ""]
    tell(figures, table(["", "p50 ms", "p99 ms", "calls/s"], rows), as_json=given.json)


if __name__ == "__main__":
    main()
