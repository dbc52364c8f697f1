"""Watches a zone in which nobody may be: the picture goes to S3, and a message with its address to SNS.

Parameters: `bucket`, `topic` (ARN), both string; `quiet` (int32): seconds until the next alert.
"""

import logging
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
import cv2
import panoramasdk

ZONE = (0.5, 0.0, 1.0, 1.0)  # left, top, right, bottom
MOVED = 25  # levels by which a dot has changed
SHARE = 0.05  # of the zone's dots
logger = logging.getLogger(__name__)


class Application(panoramasdk.node):
    def __init__(self):
        self.s3, self.sns = boto3.client("s3"), boto3.client("sns")
        self.bucket, self.topic = self.inputs.bucket.get(), self.inputs.topic.get()
        self.last = {}
        self.alerted = {}
        self.sender = ThreadPoolExecutor(1)

    def process_streams(self):
        streams = self.inputs.video_in.get()
        for stream in streams:
            moved = not stream.is_cached and self.moved(stream)
            stream.add_rect(*ZONE)
            stream.add_label("MOVEMENT" if moved else "clear", 0.52, 0.06)
            if moved and self.due(stream.stream_id):
                self.alerted[stream.stream_id] = time.monotonic()
                picture = cv2.imencode(".jpg", stream.image)[1].tobytes()
                self.sender.submit(self.alert, stream.stream_id, stream.time_stamp[0], picture)
        self.outputs.video_out.put(streams)

    def moved(self, stream):
        """Tell whether much has changed in the zone since the frame before."""
        height, width = stream.image.shape[:2]
        left, top, right, bottom = ZONE
        zone = stream.image[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
        grey = cv2.GaussianBlur(cv2.cvtColor(zone, cv2.COLOR_BGR2GRAY), (5, 5), 0)
        before, self.last[stream.stream_id] = self.last.get(stream.stream_id), grey
        if before is None or before.shape != grey.shape:
            return False
        return (cv2.absdiff(before, grey) > MOVED).mean() > SHARE

    def due(self, camera):
        return time.monotonic() - self.alerted.get(camera, float("-inf")) > self.inputs.quiet.get()

    def alert(self, camera, at, picture):
        key = "alerts/{}/{}.jpg".format(camera, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at)))
        try:
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=picture, ContentType="image/jpeg")
            message = "Movement in the zone of {}: s3://{}/{}".format(camera, self.bucket, key)
            self.sns.publish(TopicArn=self.topic, Subject="Movement", Message=message)
        except Exception:
            logger.exception("the alert of %s is lost", camera)


def main():
    logging.basicConfig(level=logging.INFO)
    application = Application()
    while True:
        application.process_streams()


if __name__ == "__main__":
    main()
