"""``python -m vedette.cloud_stand_in.video``: the stand-in until Ctrl-C, for uploads and for AWS's own producers."""

import argparse
import sys
import threading

from vedette.cloud_stand_in.video.server import VideoStandIn


def main() -> int:
    """Serve until Ctrl-C; tell of fragments as they come."""
    parser = argparse.ArgumentParser(prog="python -m vedette.cloud_stand_in.video", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--stream", action="append", default=[], metavar="NAME", help="a stream that is there")
    options = parser.parse_args()
    with VideoStandIn(region=options.region, port=options.port) as stand_in:
        for name in options.stream:
            stand_in.streams.create({"StreamName": name, "DataRetentionInHours": 24}, stand_in.wall())
        sys.stdout.write(
            f"export AWS_ENDPOINT_URL_KINESIS_VIDEO={stand_in.url} CONTROL_PLANE_URI={stand_in.url} "
            f"AWS_REGION={options.region} AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing\n"
        )
        sys.stdout.flush()
        told: dict[str, int] = {}
        try:
            while True:
                for stream in stand_in.streams.all():
                    for fragment in stream.fragments[told.get(stream.name, 0) :]:
                        sys.stdout.write(
                            f"{stream.name}: {fragment.producer_ms / 1000:.3f}, {fragment.seconds:.2f} s, "
                            f"{len(fragment.blocks)} frames, {len(fragment.raw)} bytes\n"
                        )
                    told[stream.name] = len(stream.fragments)
                sys.stdout.flush()
                threading.Event().wait(0.5)
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    sys.exit(main())
