"""Counts people on every camera attached to it.

An ordinary AWS Panorama application: it reads frames from its camera input, calls a model by the name of its node in
graph.json, and puts the frames on its output with boxes and a label.
"""

import logging
import time
from logging.handlers import RotatingFileHandler

import cv2
import numpy as np
import panoramasdk

MODEL_NODE = "model_node"
EPOCH_FRAMES = 150


class Detector:
    """NanoDet-g: prepares its input and decodes its output (80 COCO classes, boxes as distributions at 3 strides)."""

    SIZE = 416
    STRIDES = (8, 16, 32)
    BINS = 11
    MEAN = (103.53, 116.28, 123.675)
    STD = (57.375, 57.12, 58.395)

    def __init__(self):
        grids = [np.indices((self.SIZE // s, self.SIZE // s)).reshape(2, -1).T[:, ::-1] for s in self.STRIDES]
        self.centers = np.concatenate([(g + 0.5) * s for g, s in zip(grids, self.STRIDES)]).astype(np.float32)
        self.scale = np.concatenate([np.full(len(g), s, np.float32) for g, s in zip(grids, self.STRIDES)])
        # (x - mean) / std for each of the 256 values a channel can have: a look-up takes a fifth of the arithmetic.
        values = np.arange(256, dtype=np.float32)
        self.normalized = [(values - mean) / std for mean, std in zip(self.MEAN, self.STD)]

    def prepare(self, image):
        """Return a picture (H, W, 3) uint8 BGR as the model's input (1, 3, 416, 416) float32."""
        small = cv2.resize(image, (self.SIZE, self.SIZE), interpolation=cv2.INTER_LINEAR)
        tensor = np.empty((1, 3, self.SIZE, self.SIZE), np.float32)
        for plane, channel, table in zip(tensor[0], cv2.split(small), self.normalized):
            cv2.LUT(channel, table, plane)
        return tensor

    def decode(self, outputs, class_id, threshold, overlap=0.5):
        """Return (boxes, scores) of one class; boxes (n, 4) left, top, right, bottom in 0..1."""
        scores = np.concatenate([level[0, :, class_id] for level in outputs[:3]])
        found = np.flatnonzero(scores > threshold)
        if not len(found):
            return np.empty((0, 4)), np.empty(0)
        distances = np.concatenate([level[0] for level in outputs[3:]])[found].reshape(-1, 4, self.BINS)
        weights = np.exp(distances - distances.max(axis=2, keepdims=True))
        weights /= weights.sum(axis=2, keepdims=True)
        sides = (weights @ np.arange(self.BINS, dtype=np.float32)) * self.scale[found, None]
        centers = self.centers[found]
        boxes = np.concatenate([centers - sides[:, :2], centers + sides[:, 2:]], axis=1)
        sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
        kept = np.array(cv2.dnn.NMSBoxes(sizes.tolist(), scores[found].tolist(), threshold, overlap)).reshape(-1)
        return np.clip(boxes[kept] / self.SIZE, 0, 1), scores[found][kept]


class Application(panoramasdk.node):
    """Reads, detects, labels, shows; for ever."""

    def __init__(self):
        self.detector = Detector()
        self.class_id = self.inputs.class_id.get()
        self.label = self.inputs.label.get()
        self.frames = 0
        self.model_ms = 0.0
        self.epoch_start = time.monotonic()
        logger.info("counting %s (class %d)", self.label, self.class_id)

    def process_streams(self):
        """Process one frame of every camera that has a new one."""
        streams = self.inputs.video_in.get()
        # Read every time: the threshold may be changed while the application runs.
        threshold = self.inputs.threshold.get() / 100
        for stream in streams:
            if not stream.is_cached:
                self.process(stream, threshold)
        self.outputs.video_out.put(streams)
        self.frames += 1
        if self.frames % EPOCH_FRAMES == 0:
            self.log_epoch()

    def process(self, stream, threshold):
        """Find people on one frame and say so on it."""
        tensor = self.detector.prepare(stream.image)
        start = time.monotonic()
        outputs = self.call({"data": tensor}, MODEL_NODE)
        self.model_ms += (time.monotonic() - start) * 1000
        boxes, scores = self.detector.decode(outputs, self.class_id, threshold)
        for (left, top, right, bottom), score in zip(boxes, scores):
            stream.add_rect(left, top, right, bottom)
            stream.add_label("{:.0f} %".format(score * 100), left, max(0.0, top - 0.005))
        stream.add_label("{}: {}".format(self.label, len(boxes)), 0.02, 0.06)

    def log_epoch(self):
        """Write the rates of the last frames to the log."""
        elapsed = time.monotonic() - self.epoch_start
        logger.info("%.1f frames a second, model %.1f ms", EPOCH_FRAMES / elapsed, self.model_ms / EPOCH_FRAMES)
        self.model_ms = 0.0
        self.epoch_start = time.monotonic()


def get_logger():
    """Return a logger that writes to the folder whose files reach CloudWatch."""
    handler = RotatingFileHandler("/opt/aws/panorama/logs/app.log", maxBytes=10000000, backupCount=1)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-8s %(message)s"))
    log = logging.getLogger("people_counter")
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    return log


logger = get_logger()


def main():
    """Run until stopped; an error ends the application, and it is started again."""
    try:
        application = Application()
        while True:
            application.process_streams()
    except Exception:
        logger.exception("the application ends")
        raise


main()
