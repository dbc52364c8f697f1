"""``python -m vedette.cloud_stand_in``: the stand-in until Ctrl-C, for commands that speak to AWS.

Other services, S3 among them, are those of ``--upstream``, for example ``moto_server -p 5000``.
"""

import argparse
import sys
import threading
from collections.abc import Sequence

from vedette.cloud_stand_in.artifacts import read_from_s3
from vedette.cloud_stand_in.server import StandIn


def main() -> int:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m vedette.cloud_stand_in", description=__doc__)
    parser.add_argument("--upstream", default="http://127.0.0.1:5000", help="stand-in for S3, IAM, STS and AWS IoT")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--devices", type=int, default=0, metavar="N", help="core devices bench-0001 to N")
    parser.add_argument("--group", default="bench", help="thing group of these devices")
    options = parser.parse_args()
    names = [f"bench-{number:04}" for number in range(1, options.devices + 1)]
    _make_things(options.upstream, options.region, options.group, names)
    fetch = read_from_s3(options.upstream, options.region)
    with StandIn(fetch, upstream=options.upstream, region=options.region, port=options.port, pace=5) as stand_in:
        group = f"arn:aws:iot:{options.region}:123456789012:thinggroup/{options.group}"
        stand_in.fleet.add_devices(names, [group])
        sys.stdout.write(
            f"export AWS_ENDPOINT_URL={options.upstream} AWS_ENDPOINT_URL_GREENGRASSV2={stand_in.url} "
            f"AWS_ENDPOINT_URL_IOT={stand_in.url} AWS_REGION={options.region} "
            "AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing\n"
        )
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return 0
    return 0


def _make_things(upstream: str, region: str, group: str, names: Sequence[str]) -> None:
    """Make the devices' things and their group where AWS IoT's registry is played: deploying looks its targets up."""
    import boto3

    nobody = "testing"
    iot = boto3.client(
        "iot", endpoint_url=upstream, region_name=region, aws_access_key_id=nobody, aws_secret_access_key=nobody
    )
    iot.create_thing_group(thingGroupName=group)
    for name in names:
        iot.create_thing(thingName=name)
        iot.add_thing_to_thing_group(thingGroupName=group, thingName=name)


if __name__ == "__main__":
    sys.exit(main())
