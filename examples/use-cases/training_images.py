"""Collects pictures to train a model with: what looks unlike the last one that was kept goes to S3.

Parameters: `bucket` (string); `difference` (float32): mean difference of the pictures, 0 to 255, that is worth one more;
`hourly` (int32): pictures an hour and camera, at most.
"""

import logging
import time
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor

import boto3
import cv2
import panoramasdk

SMALL = (64, 36)
logger = logging.getLogger(__name__)


class Application(panoramasdk.node):
    def __init__(self):
        self.s3 = boto3.client("s3")
        self.bucket = self.inputs.bucket.get()
        self.kept = {}
        self.times = defaultdict(deque)
        self.sender = ThreadPoolExecutor(1)

    def process_streams(self):
        streams = self.inputs.video_in.get()
        for stream in streams:
            if not stream.is_cached and self.is_new(stream):
                # As it came: what is drawn on it afterwards would be learnt, too.
                picture = cv2.imencode(".jpg", stream.image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
                self.sender.submit(self.put, stream.stream_id, stream.time_stamp, picture)
            stream.add_label("{} kept this hour".format(len(self.times[stream.stream_id])), 0.02, 0.06)
        self.outputs.video_out.put(streams)

    def is_new(self, stream):
        times, now = self.times[stream.stream_id], time.monotonic()
        while times and now - times[0] > 3600:
            times.popleft()
        small = cv2.resize(stream.image, SMALL, interpolation=cv2.INTER_AREA)
        last = self.kept.get(stream.stream_id)
        if len(times) >= self.inputs.hourly.get():
            return False
        if last is not None and cv2.absdiff(last, small).mean() < self.inputs.difference.get():
            return False
        self.kept[stream.stream_id] = small
        times.append(now)
        return True

    def put(self, camera, at, picture):
        stamp = time.strftime("%Y/%m/%d/%H%M%S", time.gmtime(at[0]))
        key = "images/{}/{}-{:06d}.jpg".format(camera, stamp, at[1])
        try:
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=picture, ContentType="image/jpeg")
        except Exception:
            logger.exception("picture %s is lost", key)


def main():
    logging.basicConfig(level=logging.INFO)
    application = Application()
    while True:
        application.process_streams()


if __name__ == "__main__":
    main()
