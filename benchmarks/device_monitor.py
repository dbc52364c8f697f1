"""What vedette.DeviceMonitor costs: processor time and memory of its process, on a real IPC connection.

    python benchmarks/device_monitor.py [--cameras 8] [--applications 2] [--seconds 180] [--lines 20]

``--lines``: each application prints so many a second, and the monitor sends them to CloudWatch Logs; 0: no logs.

Baselines of the same run: a Python process that only imports the bus's SDK, and one with boto3 and a CloudWatch client.
CloudWatch is moto on this machine; a real one adds a TLS handshake a minute.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).parents[1]
PUBLISHER = """
import sys, threading, time
from vedette.bus import connect
from vedette.messages import *
cameras, applications = int(sys.argv[1]), int(sys.argv[2])
bus = connect()
messages = [CameraStatus(camera_id=f"cam-{i}", name=f"cam {i}", state=CameraState.LIVE, since=1.0, url="rtsp://10.0.0.1/",
    socket="/run/x", pid=1, codec="h264", width=1920, height=1080, fps=25.0, users=["a0"]) for i in range(cameras)]
messages += [ApplicationStatus(instance=f"a{i}", application="x", state=ApplicationState.RUNNING, since=1.0, fps=9.0,
    environment="Python 3.7", cameras={"video_in": [f"cam-{n}" for n in range(cameras)]}) for i in range(applications)]
messages += [ModelStatus(model_id="a" * 16, name="net.onnx", state=ModelState.READY, since=1.0, latency_ms=20.0, pid=1)]
topics = [type(m).topic(getattr(m, "camera_id", None) or getattr(m, "instance", None) or m.model_id) for m in messages]
stop = threading.Event()
while not stop.wait(1.0):
    for topic, message in zip(topics, messages):
        bus.publish(topic, message.encode())
"""
LINE = "2026-11-27 10:00:00,000 INFO counted 3 people in front of camera door, 7 since the morning\n"
SDK = "import awsiot.greengrasscoreipc.client, time; print(flush=True); time.sleep(60)"
BOTO3 = "import boto3, time; boto3.client('cloudwatch', 'eu-west-1'); print(flush=True); time.sleep(60)"


def memory_mb(pid: int) -> float:
    found = psutil.Process(pid).memory_full_info()
    return float(found.rss) / 1e6


def baseline(code: str) -> float:
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        used = memory_mb(process.pid)
        process.kill()
    return used


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--applications", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--lines", type=int, default=0)
    given = parser.parse_args()
    aws = ThreadedMotoServer(port=0, ip_address="127.0.0.1", verbose=False)
    aws.start()
    host, port = aws.get_host_and_port()
    pause = threading.Event()
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        nucleus = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/functional/bus/nucleus_process.py"), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert nucleus.stdout is not None
        environments = json.loads(nucleus.stdout.readline())
        work = folder / "work" / "vedette.DeviceMonitor"
        work.mkdir(parents=True)
        consoles = [folder / f"work/vedette.app.a{number}/logs/console_output" for number in range(given.applications)]
        for console in consoles:
            console.parent.mkdir(parents=True)
        if given.lines:
            assert nucleus.stdin is not None
            nucleus.stdin.write("configure monitor logs true\n")
            nucleus.stdin.flush()
            nucleus.stdout.readline()
        publisher = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, str(given.cameras), str(given.applications)],
            env={**os.environ, **environments["two"]},
        )
        monitor = subprocess.Popen(
            [sys.executable, "-m", "vedette_device_monitor"],
            env={
                **os.environ,
                **environments["monitor"],
                "AWS_IOT_THING_NAME": "bench-1",
                "AWS_REGION": "eu-west-1",
                "AWS_ENDPOINT_URL": f"http://{host}:{port}",
                "AWS_ACCESS_KEY_ID": "x",
                "AWS_SECRET_ACCESS_KEY": "y",
            },
            cwd=work,
            stdout=subprocess.DEVNULL,
        )
        try:
            pause.wait(8.0)
            watched = psutil.Process(monitor.pid)
            before, began = watched.cpu_times(), time.monotonic()
            peak = 0.0
            while time.monotonic() - began < given.seconds:
                pause.wait(1.0)
                for console in consoles:
                    with console.open("a") as file:
                        file.write(LINE * given.lines)
                peak = max(peak, memory_mb(monitor.pid))
            after, seconds = watched.cpu_times(), time.monotonic() - began
            used = after.user + after.system - before.user - before.system
        finally:
            for process in (monitor, publisher, nucleus):
                process.terminate()
                process.wait(10)
            aws.stop()
    statuses = given.cameras + given.applications + 1
    print(f"{given.cameras} cameras, {given.applications} applications, 1 model: {statuses} statuses a second")
    print(f"processor {100 * used / seconds:.2f} % of a core over {seconds:.0f} s")
    print(f"memory    {peak:.1f} MB at most")
    if given.lines:
        print(f"logs      {given.lines * given.applications} lines a second")
    print(f"baselines: SDK alone {baseline(SDK):.1f} MB, boto3 with one client {baseline(BOTO3):.1f} MB")


if __name__ == "__main__":
    main()
