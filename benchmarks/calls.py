"""What ``node.call`` takes over ``session.run`` in the application's own process.

usage: calls.py [--rounds N] [--calls N] [--json]

First a model that averages each channel of 1x3x224x224 float32: next to no arithmetic, so that what is left is the way
there and back, the copies of 600 kB of input and of the outputs included. Then the example's detector, which takes more
than 10 ms: there the share of throughput counts. Direct runs and calls alternate, round by round; one thread each.
"""

import argparse
import multiprocessing
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

from vedette.rings import connect, listen
from vedette.rings.calls import CallServer

SHAPE = (1, 3, 224, 224)
_WARM_UP = 30
_START_S = 20.0


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


def timed(run: Callable[[], Any], calls: int) -> list[float]:
    """Return how long each of ``calls`` runs took, ms."""
    taken = []
    for _ in range(calls):
        began = time.perf_counter()
        run()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def measure(model: Path, rounds: int, calls: int) -> dict[str, Any]:
    """Return medians and 99th percentiles of a model with one input, ms, and calls a second."""
    sys.path.insert(0, str(SOURCE))
    from panoramasdk._models import Model

    with tempfile.TemporaryDirectory() as folder:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        path = str(Path(folder) / "model.sock")
        server = context.Process(target=serve, args=(str(model), path, theirs), daemon=True)
        server.start()
        if not ours.poll(_START_S):
            raise SystemExit("the server did not come up")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        given = session.get_inputs()[0]
        feed = {given.name: np.random.default_rng(0).random(given.shape, np.float32)}
        node = Model("model", lambda: None)
        node.offer(connect(path, 5.0))

        def direct() -> Any:
            return session.run(None, feed)

        def call() -> Any:
            return node.call(feed, 10.0)

        if not np.allclose(direct()[0], call()[0], atol=1e-5):
            raise SystemExit("the call and the direct run gave different results")
        timed(direct, _WARM_UP)
        timed(call, _WARM_UP)
        results: dict[str, list[list[float]]] = {"session.run": [], "node.call": []}
        for _ in range(rounds):
            results["session.run"].append(timed(direct, calls))
            results["node.call"].append(timed(call, calls))
        node.close()
        server.terminate()
        server.join(5.0)
    figures = {
        name: {
            "p50_ms": median(percentile(each, 0.5) for each in runs),
            "p99_ms": median(percentile(each, 0.99) for each in runs),
        }
        for name, runs in results.items()
    }
    rates = {name: sum(map(len, runs)) / sum(map(sum, runs)) * 1000 for name, runs in results.items()}
    return {
        **{name: {**figures[name], "per_s": rates[name]} for name in figures},
        "over_ms": figures["node.call"]["p50_ms"] - figures["session.run"]["p50_ms"],
        "throughput": rates["node.call"] / rates["session.run"],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=200, help="of each kind in a round")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        averaging = Path(folder) / "mean.onnx"
        averaging.write_bytes(averaging_model())
        figures = measure(averaging, given.rounds, given.calls)
        # A round of the slow one takes about as long: a tenth of the calls, at ten times the time or more.
        figures["slow"] = measure(unpack_model(Path(folder)), given.rounds, max(5, given.calls // 10))
    rows: list[list[str]] = []
    for title, each in (("1x3x224x224", figures), ("detector", figures["slow"])):
        for name in ("session.run", "node.call"):
            row = each[name]
            rows.append([f"{title} {name}", f"{row['p50_ms']:.3f}", f"{row['p99_ms']:.3f}", f"{row['per_s']:.1f}"])
        over = f"{each['over_ms']:.3f}"
        share = f"{(each['throughput'] - 1) * 100:+.1f} %" if each is not figures else ""
        rows.append([f"{title} over the direct run", over, "", share])
    tell(figures, table(["", "p50 ms", "p99 ms", "calls/s"], rows), as_json=given.json)


if __name__ == "__main__":
    main()
