"""`vedette logs` gives the same lines from this machine and from CloudWatch (moto's)."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

NOW = time.time()
DEVICE = "shop-7"


def at(seconds_ago: float) -> str:
    return datetime.fromtimestamp(NOW - seconds_ago, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


INGEST = [
    f"{at(9000)} ERROR vedette_camera_ingest.capture long ago",
    f"{at(300)} INFO vedette_camera_ingest.ingest camera door is live",
    f"{at(200)} WARNING vedette_camera_ingest.capture camera yard: wrong-password",
    f"{at(100)} ERROR vedette_camera_ingest.worker it broke, no INFO",
    "Traceback (most recent call last):",
    '  File "worker.py", line 1, in <module>',
    f"{at(50)} INFO vedette_camera_ingest.ingest camera yard is live",
]
STALL = "stall-3"
PANORAMA = "/aws/panorama/devices"
NODES = {
    "code_node": ["from app.log"],
    "front_door": [f"{at(9)} ERROR vedette_camera_ingest.ingest camera door is not-found: 404"],
}
CONSOLE = [f"{at(40)} counted 3", f"{at(30)} counted 4"]


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, ip_address="127.0.0.1", verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client("logs", "eu-west-1", endpoint_url=url, aws_access_key_id="x", aws_secret_access_key="y")
    stream = f"/2026/11/27/thing/{DEVICE}"
    for name, lines in (("vedette.CameraIngest", INGEST), ("vedette.app.counter.console", CONSOLE)):
        group = f"/aws/greengrass/UserComponent/eu-west-1/{name}"
        client.create_log_group(logGroupName=group)
        client.create_log_stream(logGroupName=group, logStreamName=stream)
        client.create_log_stream(logGroupName=group, logStreamName=stream.replace("7", "8"))
        events, when = [], 0.0
        for line in lines:
            # As the log manager has it: lines without a time go with the one before.
            if line[:2] == "20":
                when = datetime.fromisoformat(line.split()[0].replace("Z", "+00:00")).timestamp()
            events.append({"timestamp": int(when * 1000), "message": line})
        client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
        other = [{"timestamp": int(NOW * 1000), "message": "of another device"}]
        client.put_log_events(logGroupName=group, logStreamName=stream.replace("7", "8"), logEvents=other)
    group = f"{PANORAMA}/{STALL}/applications/shopper"
    client.create_log_group(logGroupName=group)
    for stream, lines in NODES.items():
        client.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [{"timestamp": int((NOW - 20 + n) * 1000), "message": line} for n, line in enumerate(lines)]
        client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    yield url
    server.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    state = tmp_path / ".vedette"
    (state / "logs").mkdir(parents=True)
    (state / "logs" / "vedette.CameraIngest.log").write_text("\n".join(INGEST) + "\n")
    own = state / "work" / "vedette.app.counter" / "logs"
    own.mkdir(parents=True)
    (own / "console_output").write_text("\n".join(CONSOLE) + "\n")
    return tmp_path


def logs(*arguments: str, endpoint: str = "") -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    if endpoint:
        environ["AWS_ENDPOINT_URL"] = endpoint
    command = [sys.executable, "-m", "vedette.cli.main", "logs", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environ)


@pytest.mark.parametrize(
    "options",
    [
        ["--since", "30m"],
        ["--since", "30m", "--level", "warn"],
        ["--since", "30m", "-n", "1"],
        ["CameraIngest", "--since", "30m", "--level", "ERROR"],
        ["counter/console", "--since", "1h"],
    ],
)
def test_the_device_and_the_cloud_say_different_things(aws: str, folder: Path, options: list[str]) -> None:
    here = logs("--dir", str(folder), *options)
    there = logs("--cloud", "--region", "eu-west-1", "--device", DEVICE, *options, endpoint=aws)
    assert (here.returncode, there.returncode) == (0, 0), there.stderr
    local = [line.split(maxsplit=1) for line in here.stdout.splitlines()]
    cloud = [line.removeprefix(f"{DEVICE} ").split(maxsplit=1) for line in there.stdout.splitlines()]
    assert local
    assert local == cloud


def test_lines_of_other_levels_and_times_are_shown(folder: Path) -> None:
    text = logs("--dir", str(folder), "CameraIngest", "--level", "ERROR", "--since", "30m").stdout
    assert "it broke" in text
    assert "worker.py" in text  # the traceback goes with its line
    assert "wrong-password" not in text
    assert "is live" not in text
    assert "long ago" not in text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shopper", ["code_node", "front_door"]),
        ("shopper/front_door", ["front_door"]),
        ("code_node", ["code_node"]),
    ],
)
def test_the_streams_of_nodes_are_not_read(aws: str, name: str, expected: list[str]) -> None:
    done = logs("--cloud", "--region", "eu-west-1", "--device", STALL, name, endpoint=aws)
    assert done.stdout.splitlines() == [f"{STALL} shopper/{node} {line}" for node in expected for line in NODES[node]]


def test_all_devices_are_one(aws: str) -> None:
    text = logs("--cloud", "--region", "eu-west-1", "console", endpoint=aws).stdout
    assert "shop-7 counter/console " in text
    assert "shop-8 counter/console of another device" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--level", "LOUD"], "LOUD"), (["--since", "soon"], "soon"), (["nothing-like-it"], "there are")],
)
def test_a_wrong_option_is_taken(aws: str, options: list[str], said: str) -> None:
    done = logs("--cloud", "--region", "eu-west-1", *options, endpoint=aws)
    assert done.returncode in {1, 2}
    assert said in done.stderr
    assert "Traceback" not in done.stderr
