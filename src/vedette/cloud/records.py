"""What is kept of each deployed application instance: enough to describe it, and to copy it without its sources.

``instances/<instance>/<kind>/<target>.json`` in the bucket. It stays when the instance is removed, marked as removed.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from vedette.cloud.bucket import Bucket
from vedette.cloud.errors import InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from vedette.cloud.planning import Plan

SCHEMA: Final = "vedette.instance/1"


def record_key(instance: str, kind: str, target: str) -> str:
    """Return the place of a record."""
    return f"instances/{instance}/{kind}/{target}.json"


def keep_records(bucket: Bucket, plan: "Plan", arns: Mapping[str, str]) -> None:
    """Write the records of what a plan deploys and removes.

    :raises vedette.cloud.errors.CloudError: if they cannot be written
    """
    for item in plan.targets:
        for application in plan.order.applications:
            if not application.record:
                continue
            secrets = {name: arns[name] for name in application.secrets}
            place = {"target": item.target.arn, "state": "deployed", "secrets": secrets}
            document = {"schema": SCHEMA, **application.record, **place}
            bucket.write(record_key(application.instance, item.target.kind, item.target.name), document)
        for instance in item.leaves:
            key = record_key(instance, item.target.kind, item.target.name)
            found = bucket.read(key)
            if found is not None:
                bucket.write(key, {**found[0], "state": "removed"})


def read_records(bucket: Bucket, instance: str | None = None) -> list[dict[str, Any]]:
    """Return the records of an instance, or of all; those that are damaged are left out.

    :raises vedette.cloud.errors.CloudError: if the bucket cannot be read
    """
    prefix = f"instances/{instance}/" if instance is not None else "instances/"
    found = (bucket.read(key) for key in bucket.keys(prefix))
    return [item[0] for item in found if item is not None and item[0].get("schema") == SCHEMA]


def record_to_copy(bucket: Bucket, instance: str, target: str | None = None) -> dict[str, Any]:
    """Return the record of an instance that is to be copied; ``target`` is the ARN, where it is on several.

    :raises NotFoundError: if there is none
    :raises InvalidRequestError: if there are several that differ
    """
    records = [item for item in read_records(bucket, instance) if target in {None, item["target"]}]
    if not records:
        raise NotFoundError(f"nothing is known of an application `{instance}`", hint="vedette application list --all")
    contents = {repr(sorted((k, str(v)) for k, v in item.items() if k not in {"target", "state"})) for item in records}
    if len(contents) > 1:
        places = ", ".join(item["target"].rpartition(":")[2] for item in records)
        raise InvalidRequestError(
            f"`{instance}` is on several targets and not the same on each: {places}",
            hint="say which: --copy-from thing-group/NAME",
        )
    return records[0]
