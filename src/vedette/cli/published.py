"""``vedette package list|describe|delete|prune``: what is published in the account."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from vedette.cli.aws import speaking_to_aws
from vedette.cli.device import Caller, confirm
from vedette.cli.failure import Failure
from vedette.cli.instance import answering, print_json
from vedette.cli.publish import tell_identity, write_stdout
from vedette.cli.tables import table
from vedette.cli.terminal import Terminal

if TYPE_CHECKING:
    from vedette.cloud import Cloud
    from vedette.cloud.packages import PackageVersion

SCHEMA: Final = "package"


def list_published(caller: Caller, *, kind: str | None) -> int:
    """Print the packages; returns the exit code."""
    from vedette.cloud.packages import list_packages

    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        packages = [item for item in list_packages(caller.cloud()) if kind in {None, item["kind"]}]
    if caller.as_json:
        print_json(SCHEMA, packages=packages)
        return 0
    rows = [(item["name"], item["kind"], item["latest"]) for item in packages]
    write_stdout("\n".join(table(("PACKAGE", "KIND", "LATEST"), rows)) + "\n" if rows else "nothing is published\n")
    return 0


def describe_published(name: str, version: str | None, caller: Caller, *, bucket: str | None) -> int:
    """Print a package with its versions, where it is kept, and who may reach it; returns the exit code.

    :raises Failure: if there is no such version
    """
    from vedette.cloud.bucket import bucket_of
    from vedette.cloud.packages import accounts_of, artifacts_of, kind_of, versions_of

    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        cloud = caller.cloud()
        versions = _some(versions_of(cloud, name), [version] if version else [])
        where = bucket_of(cloud, bucket)
        artifacts = artifacts_of(cloud, versions[0])
        accounts = accounts_of(where, cloud)
    document = {
        "name": name,
        "kind": kind_of(name),
        "storage": {"bucket": where.name, "artifacts": artifacts},
        "accounts": accounts,
        "versions": [
            {**item.document(), "latest": number == 0 and not version} for number, item in enumerate(versions)
        ],
    }
    if caller.as_json:
        print_json(SCHEMA, package=document)
        return 0
    lines = [
        f"{name} ({kind_of(name)})",
        *(f"  {uri}" for uri in artifacts),
        f"  read by {', '.join(accounts['readers'])}; written by {', '.join(accounts['writers'])}",
    ]
    rows = [(v.version, v.state, v.created[:19], ", ".join(v.used_by) or "-") for v in versions]
    write_stdout("\n".join([*lines, *table(("VERSION", "STATE", "CREATED", "DEPLOYED TO"), rows)]) + "\n")
    for item in versions:
        if item.message:
            Terminal().warn(item.version, item.message)
    return 0


def delete_published(name: str, wanted: Sequence[str], caller: Caller, terminal: Terminal, *, objects: bool) -> int:
    """Delete a package or some versions of it; returns the exit code.

    :raises Failure: if a version is in use or not there, or nobody agrees
    """
    from vedette.cloud.packages import refuse_used, versions_of

    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        cloud = caller.cloud()
        tell_identity(cloud, terminal)
        versions = _some(versions_of(cloud, name), wanted)
        refuse_used(versions)
        return _delete(cloud, versions, [], caller, terminal, objects=objects)


def prune_published(names: Sequence[str], caller: Caller, terminal: Terminal, *, keep: int, objects: bool) -> int:
    """Delete old versions that nothing uses; returns the exit code.

    :raises Failure: if nobody agrees
    """
    from vedette.cloud.packages import list_packages, to_prune, versions_of

    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        cloud = caller.cloud()
        tell_identity(cloud, terminal)
        old: list[PackageVersion] = []
        used: list[PackageVersion] = []
        for name in names or [str(item["name"]) for item in list_packages(cloud)]:
            gone, stays = to_prune(versions_of(cloud, name), keep)
            old, used = [*old, *gone], [*used, *stays]
        return _delete(cloud, old, used, caller, terminal, objects=objects)


def _delete(
    cloud: "Cloud",
    versions: "Sequence[PackageVersion]",
    kept: "Sequence[PackageVersion]",
    caller: Caller,
    terminal: Terminal,
    *,
    objects: bool,
) -> int:
    from vedette.cloud.packages import delete_versions

    for item in kept:
        terminal.skipped("kept", f"{item.name} {item.version}: deployed to {', '.join(item.used_by)}")
    artifacts: list[str] = []
    if versions:
        for item in versions:
            terminal.done("delete", f"- {item.name} {item.version}")
        confirm(f"delete {len(versions)} version{'' if len(versions) == 1 else 's'}", caller, terminal)
        artifacts = delete_versions(cloud, versions, objects=objects)
        terminal.done("deleted", f"{len(versions)} versions, {len(artifacts)} artifacts")
    else:
        terminal.line("nothing to delete")
    if caller.as_json:
        print_json(
            SCHEMA,
            deleted=[{"name": item.name, "version": item.version} for item in versions],
            kept=[{"name": item.name, "version": item.version, "used_by": list(item.used_by)} for item in kept],
            artifacts=artifacts,
        )
    return 0


def _some(versions: "list[PackageVersion]", wanted: Sequence[str]) -> "list[PackageVersion]":
    if not wanted:
        return versions
    missing = set(wanted) - {item.version for item in versions}
    if missing:
        known = ", ".join(item.version for item in versions[:8])
        raise Failure(f"{versions[0].name} has no version {min(missing)}", hint=f"it has {known}")
    return [item for item in versions if item.version in wanted]
