"""What is called of AWS, what policies allow and what private sites reach are one list."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from vedette.aws_calls import endpoint
from vedette.cloud import Cloud
from vedette.cloud.endpoints import DEVICE, DEVICE_OPTIONAL, FUNCTIONS, OPERATOR, missing_endpoints, needed_by_operators
from vedette.cloud.operations import OPERATIONS, OPTIONAL

ROOT = Path(__file__).parents[2]
CALLERS = [
    *sorted((ROOT / "src" / "vedette" / "cloud").rglob("*.py")),
    *sorted((ROOT / "src/vedette/cli").rglob("*.py")),
]
CALLER = re.compile(r"""AwsCaller\(\s*["']([a-z0-9.-]+)["']""")
PAGE = (ROOT / "docs" / "guide" / "deploy.md").read_text()

EVERY_OF_DEVICES = (*DEVICE.values(), *DEVICE_OPTIONAL.values())


def constants(tree: ast.Module) -> dict[str, str]:
    found = {}
    for node in tree.body:
        targets: list[ast.expr] = node.targets if isinstance(node, ast.Assign) else []
        target = node.target if isinstance(node, ast.AnnAssign) else next(iter(targets), None)
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
            found[target.id] = value.value
    return found


def calls(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (service, operation) of every ``<cloud>.call(...)`` and ``.pages(...)``."""
    tree = ast.parse(path.read_text())
    named = constants(tree)
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr not in {"call", "pages"} or len(node.args) < 2:
            continue
        words = [
            argument.value if isinstance(argument, ast.Constant) else named.get(getattr(argument, "id", ""), "")
            for argument in node.args[:2]
        ]
        if all(isinstance(word, str) and word for word in words):
            yield str(words[0]), str(words[1])


def test_an_operation_is_called_by_nobody_or_not_in_the_table() -> None:
    called: dict[str, set[str]] = defaultdict(set)
    for path in CALLERS:
        for service, operation in calls(path):
            called[service].add(operation)
    assert {service: sorted(names) for service, names in called.items()} == {
        service: sorted(names) for service, names in OPERATIONS.items()
    }


def test_a_private_site_of_operators_lacks_an_endpoint() -> None:
    known = {item.service for item in needed_by_operators()}
    assert not missing_endpoints(OPERATIONS.keys() - OPTIONAL, known)
    assert missing_endpoints(["greengrassv2"], known - {"greengrass"}) == {"greengrassv2"}


def test_a_device_calls_a_service_that_its_site_cannot_reach() -> None:
    # Devices sign their calls themselves; nothing on them imports boto3 but applications with a role.
    on_devices = [path for path in sorted((ROOT / "components").rglob("*.py")) if "sdk" not in path.parts]
    called = {service for path in on_devices for service in CALLER.findall(path.read_text())}
    known = {item.service for item in EVERY_OF_DEVICES}
    assert called <= known
    assert set(endpoint._ENDPOINT_VARIABLES) <= known
    assert not [path for path in on_devices if "import boto3" in path.read_text()]


@pytest.mark.parametrize("service", sorted(OPERATOR))
def test_an_endpoint_has_another_host_than_boto3_calls(service: str) -> None:
    host = boto3.client(
        service, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y"
    ).meta.endpoint_url
    if service == "iot-data":
        return  # each account has its own, see the last test here
    assert host.removeprefix("https://") == OPERATOR[service].hosts[0].replace("<region>", "eu-west-1")


def test_the_page_says_otherwise_what_breaks_without_an_endpoint() -> None:
    """What it says is what tests/e2e/test_private_site.py finds when each is taken away."""
    assert {name for item in EVERY_OF_DEVICES for name in item.breaks} == set(FUNCTIONS)
    for item in EVERY_OF_DEVICES:
        who = "device" if item in DEVICE.values() else "device, where configured"
        (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| {who} | `{item.service}`"))
        assert row.split("|")[-2].strip() == "; ".join(FUNCTIONS[name] for name in item.breaks)


def test_the_page_lacks_an_endpoint() -> None:
    for item in (*OPERATOR.values(), *EVERY_OF_DEVICES):
        assert f"`{item.service}`" in PAGE
        for host in item.hosts:
            assert f"`{host}`" in PAGE, host


def test_shadows_are_called_by_a_name_that_no_endpoint_has(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IOT_DATA_PLANE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    cloud = Cloud(region="eu-west-1")
    with mock_aws():
        found = cloud._client("iot-data").meta.endpoint_url
    prefix, _, rest = found.removeprefix("https://").partition(".")
    assert rest == "iot.eu-west-1.amazonaws.com"
    assert prefix.endswith("-ats")
    assert prefix != "data-ats"
