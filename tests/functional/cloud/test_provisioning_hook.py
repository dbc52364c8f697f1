"""The hook of infra/iot-policies.yaml as AWS IoT calls it: a claim is good for a while, for listed serial numbers."""

import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from vedette.cloud.bucket import default_bucket
from vedette.cloud.claims import Limits, make_claim
from vedette.cloud.provisioning import TEMPLATE, Certificate

from .conftest import Aws
from .test_devices import account  # noqa: F401 - a fixture

TEMPLATES = Path(__file__).parents[3] / "infra"


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as nothing."""


_Loader.add_multi_constructor("!", lambda _loader, _tag, _node: None)


@pytest.fixture
def hook(account: Aws, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: F811
    template = yaml.load((TEMPLATES / "iot-policies.yaml").read_text(), _Loader)
    code = template["Resources"]["Hook"]["Properties"]["Code"]["ZipFile"]
    assert len(code) < 4096, "CloudFormation takes no more in a template"
    monkeypatch.setenv("BUCKET", default_bucket(account.cloud()))
    names: dict[str, Any] = {}
    exec(compile(code, "hook", "exec"), names)
    return names["handler"]


def ask(hook: Any, certificate_id: str, serial: str | None = "SN-1") -> bool:
    parameters = {"ThingName": "a"} if serial is None else {"SerialNumber": serial}
    answer = hook({"claimCertificateId": certificate_id, "parameters": parameters}, None)
    assert answer.keys() == {"allowProvisioning"}
    return bool(answer["allowProvisioning"])


def status(made: Certificate) -> str:
    found = boto3.client("iot").describe_certificate(certificateId=made.certificate_id)
    return str(found["certificateDescription"]["status"])


def test_a_serial_number_that_is_not_listed_comes_in(account: Aws, hook: Any) -> None:  # noqa: F811
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    made = make_claim(account.cloud(), TEMPLATE, Limits(later, ("SN-1", "SN-2")))
    assert [ask(hook, made.certificate_id, serial) for serial in ("SN-1", "SN-2", "SN-3", "", None)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    anybody = make_claim(account.cloud(), TEMPLATE, Limits(later))
    assert ask(hook, anybody.certificate_id, None)
    assert not ask(hook, "0" * 64), "a certificate that is no claim of ours"


def test_a_claim_is_good_after_its_time(account: Aws, hook: Any) -> None:  # noqa: F811
    made = make_claim(account.cloud(), TEMPLATE, Limits(datetime.fromtimestamp(time.time() - 1, timezone.utc)))
    assert status(made) == "ACTIVE"
    assert not ask(hook, made.certificate_id)
    assert status(made) == "INACTIVE", "it cannot even connect again"
    endless = make_claim(account.cloud(), TEMPLATE, Limits())
    assert ask(hook, endless.certificate_id)
