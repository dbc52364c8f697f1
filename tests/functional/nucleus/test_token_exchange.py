"""AWS credentials for components: who gets them, how they are renewed, and that they are seen nowhere else."""

import asyncio
import json
import logging
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from vedette.cli.failure import EXIT_CREDENTIALS, Failure
from vedette.cli.nucleus import StartOptions
from vedette.nucleus.errors import NucleusError
from vedette.nucleus.nucleus import Nucleus
from vedette.nucleus.token_exchange import TokenExchange

from .conftest import Bench

EXCHANGE = "aws.greengrass.TokenExchangeService"
ASKS = (
    "import botocore.session as s; c = s.get_session().get_credentials(); "
    "print('got', None if c is None else (c.method, c.access_key, len(c.secret_key)))"
)
SHOWS = 'echo "uri=$AWS_CONTAINER_CREDENTIALS_FULL_URI"; echo "token=$SVCUID"; exec sleep 1000'
SECRET = "secret-that-is-nowhere"


def lent(number: int = 1, expires: str = "2100-01-01T00:00:00Z") -> Mapping[str, str]:
    return {"AccessKeyId": f"AKID{number}", "SecretAccessKey": SECRET, "Token": "T", "Expiration": expires}


@pytest.fixture
def lending(bench: Bench) -> Bench:
    """The bench with a nucleus that has credentials to give."""
    bench.nucleus.stop()
    bench.nucleus = Nucleus(bench.root, thing_name="bench", listeners=[bench.heard], lend=lent)
    bench.nucleus.start()
    return bench


def status(uri: str, token: str) -> int:
    assert uri.startswith("http://localhost:")
    request = urllib.request.Request(uri, headers={"Authorization": token})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_sdk_of_a_component_finds_no_credentials(lending: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    lending.recipe("asker", {"run": f'{sys.executable} -c "{ASKS}"'}, needs={EXCHANGE: "HARD"})
    lending.deploy("asker")
    assert lending.heard.line("asker", "got") == f"got ('container-role', 'AKID1', {len(SECRET)})"
    lending.nucleus.stop()
    kept = b"".join(path.read_bytes() for path in lending.root.rglob("*") if path.is_file())
    assert SECRET.encode() not in kept
    assert SECRET not in caplog.text


def test_component_that_does_not_depend_on_the_service_gets_credentials(lending: Bench) -> None:
    lending.recipe("entitled", {"run": SHOWS}, needs={EXCHANGE: "SOFT"})
    lending.recipe("stranger", {"run": SHOWS})
    lending.deploy("entitled", "stranger")
    uri = lending.heard.line("entitled", "uri=").removeprefix("uri=")
    assert lending.heard.line("stranger", "uri=") == "uri="
    tokens = {name: lending.heard.line(name, "token=").removeprefix("token=") for name in ("entitled", "stranger")}
    assert status(uri, tokens["entitled"]) == 200
    assert status(uri, tokens["stranger"]) == 403
    assert status(uri, "") == 403
    assert status(uri + "?x", tokens["entitled"]) == 200
    assert status(uri + "more", tokens["entitled"]) == 400
    lending.nucleus.with_components(lambda components: components.stop_component("entitled"))
    lending.heard.state("entitled", "FINISHED")
    assert status(uri, tokens["entitled"]) == 403


def test_nucleus_without_credentials_says_nothing_or_too_much(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("one", "two"):
        bench.recipe(name, {"run": SHOWS}, needs={EXCHANGE: "HARD"})
    bench.deploy("one", "two")
    assert bench.heard.line("one", "uri=") == "uri="
    assert len([record for record in caplog.records if "--credentials-of PROFILE" in record.getMessage()]) == 1


GET = b"GET {path} HTTP/1.1\r\nauthorization: t\r\n\r\n"


async def _ask(uri: str, head: bytes = GET) -> str:
    port = int(uri.split(":")[2].partition("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.replace(b"{path}", b"/2016-11-01/credentialprovider/"))
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer.decode()


def test_expired_credentials_are_given_out() -> None:
    now = [1_000_000_000.0]
    lends: list[int] = []
    refusing: list[NucleusError] = []

    def lend() -> Mapping[str, str]:
        if refusing:
            raise refusing[0]
        lends.append(1)
        return lent(len(lends), "2001-09-09T02:46:40Z")  # an hour after ``now``

    async def run() -> None:
        exchange = TokenExchange(lend, component=lambda _: "own", entitled=lambda _: True, wall=lambda: now[0])
        uri = await exchange.start()
        try:
            first, second = await asyncio.gather(_ask(uri), _ask(uri))
            assert json.loads(first.split("\r\n\r\n")[1])["AccessKeyId"] == "AKID1"
            assert first == second
            now[0] += 3600 - 299
            assert "AKID2" in await _ask(uri)
            refusing.append(NucleusError("the profile's session has ended"))
            assert "500 Internal" in await _ask(uri)
            assert "405 Method" in await _ask(uri, b"POST {path} HTTP/1.1\r\n\r\n")
            assert await _ask(uri, b"GET " + b"x" * 20_000 + b"\r\n\r\n") == ""
        finally:
            await exchange.stop()

    asyncio.run(run())


def test_profile_that_is_not_there_is_found_out_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(Failure, match="nobody") as caught:
        StartOptions(credentials_of="nobody").lend()
    assert caught.value.exit_code == EXIT_CREDENTIALS
    assert StartOptions().lend() is None
    assert StartOptions(credentials_of="dev").arguments()[-2:] == ["--credentials-of", "dev"]
