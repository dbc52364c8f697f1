"""What people write without Vedette: the two loops every figure is compared with, each in one plain process.

usage: baselines.py opencv|bare|decode CLIP MODEL SECONDS     prints {"fps", "cpu_ms", "rss_mb", "pss_mb"}

* ``opencv``: OpenCV VideoCapture, resize, ONNX Runtime, draw.
* ``bare``: decode (PyAV), resize (swscale, straight from YUV), ONNX Runtime; nothing else.
* ``decode``: decode (PyAV) alone.

One thread for the model in each. Decoding uses the library's own choice of threads. Pixels become the model's input by
look-up, as in the example: the arithmetic in floats takes five times as long, and would flatter the comparison.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import processes

MEAN = (103.53, 116.28, 123.675)
STD = (57.375, 57.12, 58.395)
SIZE = 416


def session(model: str) -> Callable[[npt.NDArray[Any]], list[npt.NDArray[np.float32]]]:
    """Return a function that normalises a (416, 416, 3) BGR picture and runs the model on it, with one thread."""
    import cv2
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    run = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = run.get_inputs()[0].name
    values = np.arange(256, dtype=np.float32)
    tables = [(values - mean) / std for mean, std in zip(MEAN, STD, strict=True)]

    def infer(small: npt.NDArray[Any]) -> list[npt.NDArray[np.float32]]:
        tensor = np.empty((1, 3, SIZE, SIZE), np.float32)
        for index, channel in enumerate(cv2.split(small)):
            cv2.LUT(channel, tables[index], tensor[0, index])
        result: list[npt.NDArray[np.float32]] = run.run(None, {name: tensor})
        return result

    return infer


def opencv(clip: str, model: str) -> Iterator[None]:
    """OpenCV's VideoCapture, resize, model, boxes drawn where the best scores are."""
    import cv2

    infer = session(model)
    while True:
        capture = cv2.VideoCapture(clip)
        while True:
            more, image = capture.read()
            if not more:
                break
            outputs = infer(cv2.resize(image, (SIZE, SIZE)))
            for score in np.sort(outputs[0][0, :, 0])[-3:]:
                cv2.rectangle(image, (100, 100), (300, 500), (0, 0, 255), 2)
                cv2.putText(image, f"{score:.2f}", (100, 90), cv2.FONT_HERSHEY_SIMPLEX, 1, (255, 255, 255), 2)
            yield


def bare(clip: str, model: str) -> Iterator[None]:
    """Decode, resize, model."""
    import av

    infer = session(model)
    while True:
        with av.open(clip) as container:
            for frame in container.decode(video=0):
                infer(frame.to_ndarray(width=SIZE, height=SIZE, format="bgr24"))
                yield


def decode(clip: str, model: str) -> Iterator[None]:
    """Decode, nothing else."""
    import av

    del model
    while True:
        with av.open(clip) as container:
            for _ in container.decode(video=0):
                yield


def main() -> None:
    """Run one loop for a while; the first 20 frames do not count."""
    kind, clip, model, seconds = sys.argv[1:5]
    loop = {"opencv": opencv, "bare": bare, "decode": decode}[kind](clip, model)
    for _ in range(20):
        next(loop)
    began, cpu, frames = time.monotonic(), time.process_time(), 0
    while time.monotonic() - began < float(seconds):
        next(loop)
        frames += 1
    elapsed, used = time.monotonic() - began, time.process_time() - cpu
    figures = {"fps": frames / elapsed, "cpu_ms": used / frames * 1000, **processes.memory([os.getpid()])._asdict()}
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
