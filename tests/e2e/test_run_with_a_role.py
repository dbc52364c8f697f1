"""``vedette run --role``: the application finds that role's credentials, taken on with a profile of the developer's."""

import contextlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from tests.waiting import eventually

from .suite import AT_MOST_S, Suite

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

NO_CAMERA = Path(__file__).parents[1] / "fixtures" / "applications" / "no_camera"
ROLE = "arn:aws:iam::123456789012:role/ShopCounter"
KEY, SECRET = "AKIADEVELOPER", "secret-of-the-developer"
ASKING = """
import json, os, threading, urllib.request
url = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
header = {"Authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]}
with urllib.request.urlopen(urllib.request.Request(url, headers=header), timeout=20) as answer:
    found = json.load(answer)
said = {"role": found["RoleArn"], "key": found["AccessKeyId"], "region": os.environ["AWS_REGION"]}
print(json.dumps(said), flush=True)
threading.Event().wait(100)
"""


@pytest.fixture
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with contextlib.ExitStack() as stack:
        server.start()
        stack.callback(server.stop)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        yield "http://{}:{}".format(*server.get_host_and_port())


def test_role_of_a_run_gives_nothing_or_the_developers_own_keys(
    start_suite: Callable[..., Suite], aws: str, tmp_path: Path
) -> None:
    project = tmp_path / "no_camera"
    shutil.copytree(NO_CAMERA, project, ignore=shutil.ignore_patterns(".vedette"))
    (program,) = project.glob("packages/*/src/*.py")
    program.write_text(ASKING)
    (tmp_path / "config").write_text("[profile dev]\nregion = eu-west-3\n")
    (tmp_path / "credentials").write_text(f"[dev]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    environ = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_ENDPOINT_URL_STS": aws,
    }
    suite = start_suite(
        "run", project, "--role", ROLE, "--profile", "dev", "--no-browser", "--port", "0", environ=environ
    )

    def said() -> str | None:
        logs = project.glob(".vedette/work/*/logs/*")
        lines = [line for path in logs if path.is_file() for line in path.read_text(errors="replace").splitlines()]
        return next((line for line in lines if '"role"' in line and line.startswith("{")), None)

    eventually(said, "the application has found credentials", within_s=90)
    found = json.loads(said() or "")
    assert found["role"] == ROLE
    assert found["region"] == "eu-west-3"
    assert found["key"] != KEY
    assert suite.interrupt() < AT_MOST_S
    written = b"".join(path.read_bytes() for path in project.rglob("*") if path.is_file())
    assert SECRET.encode() not in written


def test_profile_without_a_role_is_ignored(start_suite: Callable[..., Suite], tmp_path: Path) -> None:
    shutil.copytree(NO_CAMERA, tmp_path / "app", ignore=shutil.ignore_patterns(".vedette"))
    suite = start_suite("run", tmp_path / "app", "--profile", "dev")
    assert suite.process.wait(40) == 2
    assert "--role ARN" in suite.talk
