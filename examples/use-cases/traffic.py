"""Counts vehicles with a loop drawn on the picture, and writes the count of every minute to DynamoDB.

Parameters: `table` (string): its partition key is `camera`, its sort key `minute`, both text.
"""

import datetime
import logging
from concurrent.futures import ThreadPoolExecutor

import boto3
import numpy as np
import panoramasdk

LOOP = (0.4, 0.6, 0.6, 0.8)  # left, top, right, bottom: where the lane is, in 0..1
OCCUPIED = 20  # by so much the loop's brightness differs from the empty road's
logger = logging.getLogger(__name__)


class Loop:
    """An induction loop of dots: occupied while it looks unlike the empty road, which is learnt slowly."""

    def __init__(self):
        self.road = None
        self.occupied = False
        self.count = 0

    def see(self, image):
        height, width = image.shape[:2]
        left, top, right, bottom = LOOP
        part = image[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
        light = float(np.mean(part))
        self.road = light if self.road is None else self.road
        before, self.occupied = self.occupied, abs(light - self.road) > OCCUPIED
        if not self.occupied:
            self.road += 0.05 * (light - self.road)
        self.count += self.occupied and not before


class Application(panoramasdk.node):
    def __init__(self):
        self.table = boto3.resource("dynamodb").Table(self.inputs.table.get())
        self.loops = {}
        self.minute = None
        # The network may be slow or away: pictures do not wait for it.
        self.sender = ThreadPoolExecutor(1)

    def process_streams(self):
        streams = self.inputs.video_in.get()
        for stream in streams:
            loop = self.loops.setdefault(stream.stream_id, Loop())
            if not stream.is_cached:
                self.tell(datetime.datetime.fromtimestamp(stream.time_stamp[0], datetime.timezone.utc))
                loop.see(stream.image)
            stream.add_rect(*LOOP)
            stream.add_label("{} vehicles".format(loop.count), 0.02, 0.06)
        self.outputs.video_out.put(streams)

    def tell(self, at):
        """Send the counts of a minute that is over."""
        minute = at.strftime("%Y-%m-%dT%H:%MZ")
        if self.minute not in (None, minute):
            for camera, loop in self.loops.items():
                self.sender.submit(self.put, {"camera": camera, "minute": self.minute, "vehicles": loop.count})
                loop.count = 0
        self.minute = minute

    def put(self, item):
        try:
            self.table.put_item(Item=item)
        except Exception:
            logger.exception("the count of %s is lost", item["minute"])


def main():
    logging.basicConfig(level=logging.INFO)
    application = Application()
    while True:
        application.process_streams()


if __name__ == "__main__":
    main()
