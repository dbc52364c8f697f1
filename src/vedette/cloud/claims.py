"""Claims: certificates with which any machine may become a device of its own, for a while and from a list.

How long a claim is good, and for which serial numbers, is kept in the bucket, where the provisioning template's hook
(infra/iot-policies.yaml) looks it up whenever a machine asks for its own certificate. So a claim ends by itself.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from vedette.cloud.access import Cloud
from vedette.cloud.bucket import Bucket, default_bucket
from vedette.cloud.errors import InvalidRequestError, NotFoundError
from vedette.cloud.provisioning import Certificate, end_certificate, new_certificate

FOLDER: Final = "provisioning/"
MAX_MINUTES: Final = 30 * 24 * 60
_SERIAL: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")
"""What install.sh makes of a machine's serial number."""


@dataclass(frozen=True)
class Limits:
    """How long a claim is good, and for whom."""

    until: datetime | None = None
    """None: until it is ended by hand."""
    serials: tuple[str, ...] | None = None
    """None: whoever holds it."""

    def document(self) -> dict[str, object]:
        """Return it as the hook reads it."""
        return {
            "until": int(self.until.timestamp()) if self.until is not None else None,
            "serials": list(self.serials) if self.serials is not None else None,
        }


def read_serials(path: Path) -> tuple[str, ...]:
    """Read serial numbers, one a line; what follows a ``#`` is left out.

    :raises InvalidRequestError: if there is none, or one cannot be a serial number
    :raises OSError: if the file cannot be read
    """
    lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    # The installer leaves everything else out of a serial number, so that it fits a thing's attribute.
    found = [re.sub(r"[^A-Za-z0-9_-]", "", line)[:60] for line in lines if line]
    if not found:
        raise InvalidRequestError(f"{path} holds no serial number", hint="one a line, as the machine has it")
    wrong = next((serial for serial in found if not _SERIAL.fullmatch(serial)), None)
    if wrong is not None:
        raise InvalidRequestError(f"{path}: a line holds no letter and no digit of a serial number")
    return tuple(dict.fromkeys(found))


def make_claim(cloud: Cloud, template: str, limits: Limits, bucket: Bucket | None = None) -> Certificate:
    """Make an active claim certificate for a provisioning template.

    :raises NotFoundError: if there is no such template
    :raises InvalidRequestError: if the template has no hook that could keep the limits
    """
    try:
        found = cloud.call("iot", "describe_provisioning_template", templateName=template)
    except NotFoundError:
        raise NotFoundError(
            f"the account has no provisioning template `{template}`", hint="scripts/create-stack iot-policies"
        ) from None
    if not found.get("preProvisioningHook") and limits != Limits():
        raise InvalidRequestError(
            f"the provisioning template `{template}` has no hook: nothing would end the claim",
            hint="scripts/create-stack iot-policies, or --minutes 0 and vedette device claim --end by hand",
        )
    where = bucket or Bucket(cloud, default_bucket(cloud))
    if not where.exists():
        where.make()
    made = new_certificate(cloud, f"{template}Claim")
    where.write(f"{FOLDER}{made.certificate_id}.json", limits.document())
    cloud.call("iot", "update_certificate", certificateId=made.certificate_id, newStatus="ACTIVE")
    return made


def claims_of(cloud: Cloud, template: str) -> list[str]:
    """Return the ARNs of the claim certificates of a provisioning template.

    :raises NotFoundError: if it has no policy for them
    """
    policy = f"{template}Claim"
    try:
        answer = cloud.call("iot", "list_targets_for_policy", policyName=policy, pageSize=250)
    except NotFoundError:
        raise NotFoundError(
            f"the account has no IoT policy `{policy}`", hint="scripts/create-stack iot-policies"
        ) from None
    return [str(arn) for arn in answer.get("targets", ()) if ":cert/" in arn]


def end_claims(cloud: Cloud, arns: Sequence[str]) -> None:
    """End claims; devices that came by them stay.

    :raises vedette.cloud.CloudError: if AWS refuses
    """
    for arn in arns:
        end_certificate(cloud, arn)
