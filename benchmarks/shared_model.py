"""One model for many applications: the model server against a session of its own in each application's process.

usage: shared_model.py [--model FILE | --matrices] [--applications N] [--seconds S] [--rounds N] [--json]

Every application calls as fast as it gets answers. "own sessions" are N processes with an ONNX Runtime session each:
`as delivered` with the library's settings (a thread a core, spinning), `1 thread` tuned by hand. "served" is one
process with the model server and N processes that call it through panoramasdk, each call's input copied in and its
outputs copied out, with the server's settings and with one call at a time. `bare loop` is
one session with as many threads as the server has, and
nothing else on the machine: what the server's throughput is compared with for one caller.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
from figures import paired, table, tell
from vedette_app_runtime.sdk_folder import SOURCE
from vedette_model_inference.batching import best_batch
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.engines import open_session
from vedette_model_inference.handler import ModelHandler
from vedette_model_inference.loading import LoadedModel

from vedette.conversion import Converter, Wanted
from vedette.resources import examples_dir
from vedette.rings import connect, listen
from vedette.rings.calls import CallServer

_START_S = 60.0


def example_model() -> Path:
    """Return NanoDet-g int8 of the examples with a free batch, as ``vedette run`` would import it."""
    (archive,) = (examples_dir() / "people-counter" / "assets").glob("*.tar.gz")
    return Converter().convert(archive, Wanted(), print_progress).path


def print_progress(text: str) -> None:
    """Say what the conversion does."""
    sys.stderr.write(text + "\n")


def matrices(path: Path) -> Path:
    """Write a network of large matrices, 67 MB: what ends older classifiers and most re-identification."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    sizes = (3072, 2048, 2048, 2048, 1000)
    nodes, weights, at = [helper.make_node("Flatten", ["data"], ["x0"])], [], "x0"
    for number, (rows, columns) in enumerate(pairwise(sizes)):
        values = (rng.standard_normal((rows, columns)) / rows**0.5).astype(np.float32)
        weights.append(numpy_helper.from_array(values, f"w{number}"))
        nodes.append(helper.make_node("MatMul", [at, f"w{number}"], [f"m{number}"]))
        at = f"x{number + 1}"
        nodes.append(helper.make_node("Relu", [f"m{number}"], [at]))
    source = helper.make_tensor_value_info("data", TensorProto.FLOAT, ["batch", 3, 32, 32])
    target = helper.make_tensor_value_info(at, TensorProto.FLOAT, ["batch", 1000])
    model = helper.make_model(
        helper.make_graph(nodes, "matrices", [source], [target], weights),
        opset_imports=[helper.make_opsetid("", 13)],
    )
    model.ir_version = 8
    onnx.save(model, str(path))
    return path


def input_of(model: str) -> tuple[str, np.ndarray]:
    """Return the name and values of the model's input."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    shape = [size if isinstance(size, int) else 1 for size in given.shape]
    return given.name, np.random.default_rng(0).random(shape, np.float32)


def serve(model: str, path: str, threads: int, batch: int, ready: Connection) -> None:
    """Serve the model as ModelInference does, until killed."""
    configuration = Configuration(threads=threads, max_batch=batch)
    session = open_session(Path(model), "onnx", configuration)
    best = best_batch(session, [], batch)
    handler = ModelHandler(LoadedModel(session, (), 4 << 20, 0.0, "", best), lanes=configuration.lanes())
    server = CallServer(listen(path), handler, batch_wait_s=configuration.batch_wait_ms / 1000)
    ready.send(best)
    server.serve()


def call(path: str, seconds: float, start: Any, results: Connection) -> None:
    """Call as an application does."""
    sys.path.insert(0, str(SOURCE))
    from panoramasdk._models import Model

    model = Model("m", lambda: None)
    model.offer(connect(path, 5.0))
    name, values = ready_input(results)
    _count(lambda: model.call({name: values}, 60.0), seconds, start, results)


def own(model: str, threads: int, seconds: float, start: Any, results: Connection) -> None:
    """Run a session of one's own; 0 threads are the library's settings."""
    options = onnxruntime.SessionOptions()
    if threads:
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name, values = ready_input(results)
    _count(lambda: session.run(None, {name: values}), seconds, start, results)


def ready_input(results: Connection) -> tuple[str, np.ndarray]:
    """Return the input that the parent sent."""
    name, values = results.recv()
    return name, values


def _count(run: Any, seconds: float, start: Any, results: Connection) -> None:
    for _ in range(3):
        run()
    start.wait(_START_S)
    began, count, slowest = time.monotonic(), 0, []
    while time.monotonic() - began < seconds:
        before = time.monotonic()
        run()
        slowest.append(time.monotonic() - before)
        count += 1
    slowest.sort()
    results.send((count, slowest[int(len(slowest) * 0.95)] * 1000))


def together(target: Any, arguments: tuple[Any, ...], count: int, given: tuple[str, np.ndarray], seconds: float) -> Any:
    """Run ``count`` processes at once; return calls a second of all of them and the worst 95th percentile, ms."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(count)
    pipes, processes = [], []
    for _ in range(count):
        ours, theirs = context.Pipe()
        process = context.Process(target=target, args=(*arguments, seconds, start, theirs), daemon=True)
        process.start()
        ours.send(given)
        pipes.append(ours)
        processes.append(process)
    answers = []
    for pipe in pipes:
        if not pipe.poll(_START_S + seconds):
            raise SystemExit("a caller did not come up")
        answers.append(pipe.recv())
    for process in processes:
        process.join(10.0)
    return sum(count for count, _ in answers) / seconds, max(slow for _, slow in answers)


def served(model: str, threads: int, batch: int, count: int, given: Any, seconds: float, folder: str) -> Any:
    """Run a server and ``count`` callers."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    path = str(Path(folder) / f"model-{batch}-{count}-{time.monotonic_ns()}.sock")
    server = context.Process(target=serve, args=(model, path, threads, batch, theirs), daemon=True)
    server.start()
    if not ours.poll(_START_S):
        raise SystemExit("the server did not come up")
    sys.stderr.write(f"server: up to {ours.recv()} calls a run\n")
    try:
        return together(call, (path,), count, given, seconds)
    finally:
        server.terminate()
        server.join(5.0)


def measure(model: str, count: int, seconds: float, rounds: int) -> dict[str, Any]:
    """Return calls a second of each way, round by round."""
    threads = Configuration().thread_count()
    given = input_of(model)
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            ways: list[tuple[str, Callable[[], Any]]] = [
                ("bare loop, 1 caller", lambda: together(own, (model, threads), 1, given, seconds)),
                ("served, 2 callers, one call at a time", lambda: served(model, threads, 1, 2, given, seconds, folder)),
                ("served, 1 caller", lambda: served(model, threads, 8, 1, given, seconds, folder)),
                (f"own sessions, as delivered, {count}", lambda: together(own, (model, 0), count, given, seconds)),
                (f"own sessions, 1 thread, {count}", lambda: together(own, (model, 1), count, given, seconds)),
                (
                    f"served, one call at a time, {count}",
                    lambda: served(model, threads, 1, count, given, seconds, folder),
                ),
                (f"served, {count}", lambda: served(model, threads, 8, count, given, seconds, folder)),
            ]
            for name, run in ways:
                found.setdefault(name, []).append(run())
    names = list(found)
    rates = {name: [rate for rate, _ in found[name]] for name in names}
    return {
        "model": Path(model).name,
        "rows": [
            {
                "way": name,
                "calls_per_s": median(rates[name]),
                "p95_ms": median(slow for _, slow in found[name]),
                "ratio": paired(rates[name], rates[names[0] if index < 3 else names[3]]),
            }
            for index, name in enumerate(names)
        ],
        "served_over_bare": paired(rates[names[1]], rates[names[0]]),
        "served_over_own": paired(rates[names[6]], rates[names[3]]),
        "served_over_tuned": paired(rates[names[6]], rates[names[4]]),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="ONNX with one float32 input and a free batch")
    parser.add_argument("--matrices", action="store_true", help="a network of large matrices in place of a detector")
    parser.add_argument("--applications", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = matrices(Path(folder) / "matrices.onnx") if given.matrices else given.model or example_model()
        figures = measure(str(model), given.applications, given.seconds, given.rounds)
    rows = [
        [row["way"], f"{row['calls_per_s']:.1f}", f"{row['p95_ms']:.0f}", f"{row['ratio']:.2f}"]
        for row in figures["rows"]
    ]
    tell(figures, table(["", "calls/s", "p95 ms", "ratio"], rows), as_json=given.json)


if __name__ == "__main__":
    main()
