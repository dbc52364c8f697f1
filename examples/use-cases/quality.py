"""Tells on a monitor beside the line whether a part is as bright as it has to be; nothing leaves the site.

Parameters: `low`, `high` (float32): mean brightness of a good part, 0 to 255; they may be changed while it runs.
"""

import logging

import numpy as np
import panoramasdk

PART = (0.3, 0.3, 0.7, 0.7)  # left, top, right, bottom: where parts stop


class Application(panoramasdk.node):
    def __init__(self):
        self.good = self.bad = 0
        self.last = {}

    def process_streams(self):
        streams = self.inputs.video_in.get()
        for stream in streams:
            verdict = self.last.get(stream.stream_id) if stream.is_cached else self.judge(stream.image)
            self.last[stream.stream_id] = verdict
            stream.add_rect(*PART)
            stream.add_label("GOOD" if verdict else "REJECT", PART[0], PART[1] - 0.02)
            stream.add_label("{} good, {} rejected".format(self.good, self.bad), 0.02, 0.06)
        self.outputs.video_out.put(streams)

    def judge(self, image):
        height, width = image.shape[:2]
        left, top, right, bottom = PART
        part = image[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
        good = self.inputs.low.get() <= float(np.mean(part)) <= self.inputs.high.get()
        self.good, self.bad = self.good + good, self.bad + (not good)
        return good


def main():
    logging.basicConfig(level=logging.INFO)
    application = Application()
    while True:
        application.process_streams()


if __name__ == "__main__":
    main()
