"""From what is wanted and what is there to a plan: what to publish, which secrets to write, which deployments change.

Reading only. The number of calls depends on components, secrets, roles and targets, never on devices.
"""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from vedette.cloud.access import Cloud
from vedette.cloud.bucket import WORKERS, Bucket
from vedette.cloud.conflicts import lists_replaced, refuse_port_clashes, values_hidden
from vedette.cloud.document import (
    LOG_MANAGER,
    SECRET_MANAGER,
    SHADOW_MANAGER,
    SUITE,
    TOKEN_EXCHANGE,
    Aws,
    Change,
    Components,
    Wanted,
    application_of,
    changes,
    equal,
    instance_of,
    instances,
    merged,
    sizes,
    suite_versions,
    with_application,
    without_application,
)
from vedette.cloud.errors import InvalidRequestError, NotFoundError
from vedette.cloud.provisioning import ROLE_ALIAS
from vedette.cloud.publishing import Publication, Publishable, component_arn, plan_publications, refuse_others
from vedette.cloud.records import record_key
from vedette.cloud.roles import check_roles
from vedette.cloud.secret_values import SecretPlan, plan_secrets
from vedette.cloud.targets import Target, group_arn, groups_of
from vedette.nucleus.recipe import Version, VersionRequirement, parse_recipe

MAX_DOCUMENT_BYTES: Final = 10_000_000
Nucleus = Literal["java", "lite"]
DEFAULT_POLICIES: Final[Mapping[str, Any]] = {
    "failureHandlingPolicy": "ROLLBACK",
    "componentUpdatePolicy": {"action": "NOTIFY_COMPONENTS", "timeoutInSeconds": 60},
    "configurationValidationPolicy": {"timeoutInSeconds": 30},
}


@dataclass(frozen=True)
class Application:
    """An application instance to deploy: what it needs published, configured and kept secret."""

    instance: str
    publishables: tuple[Publishable, ...]
    components: Components
    """Its own component and the suite's, in CreateDeployment's form."""
    secrets: tuple[str, ...]
    """Names of the secrets its cameras use."""
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """Values of those secrets that are known here."""
    record: Mapping[str, Any] = field(default_factory=dict)
    """What is kept of it, to describe and copy it later."""

    @property
    def role(self) -> str | None:
        """Return the ARN of the AWS role that it is given; None for none."""
        name = application_of(self.instance, self.components)
        role = merged(self.components[name]).get("role") if name is not None else None
        return role if isinstance(role, str) else None


@dataclass(frozen=True)
class Policies:
    """How deployments roll out; None leaves what the target has."""

    on_failure: Literal["ROLLBACK", "DO_NOTHING"] | None = None
    per_minute: int | None = None
    abort_percent: float | None = None
    abort_after: int = 1
    timeout_minutes: int | None = None

    def deployment_policies(self, current: Mapping[str, Any]) -> dict[str, Any]:
        """Return deploymentPolicies of a deployment that follows one with ``current``."""
        chosen = {"failureHandlingPolicy": self.on_failure} if self.on_failure is not None else {}
        return {**DEFAULT_POLICIES, **current, **chosen}

    def job(self, current: Mapping[str, Any]) -> dict[str, Any]:
        """Return iotJobConfiguration of a deployment that follows one with ``current``."""
        result = dict(current)
        if self.per_minute is not None:
            result["jobExecutionsRolloutConfig"] = {"maximumPerMinute": self.per_minute}
        if self.abort_percent is not None:
            criterion = {
                "failureType": "FAILED",
                "action": "CANCEL",
                "thresholdPercentage": self.abort_percent,
                "minNumberOfExecutedThings": self.abort_after,
            }
            result["abortConfig"] = {"criteriaList": [criterion]}
        if self.timeout_minutes is not None:
            result["timeoutConfig"] = {"inProgressTimeoutInMinutes": self.timeout_minutes}
        return result


@dataclass(frozen=True)
class Current:
    """The newest deployment of a target."""

    deployment_id: str
    revision: int
    name: str
    status: str
    components: Components
    policies: Mapping[str, Any]
    job: Mapping[str, Any]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class TargetPlan:
    """What becomes of one target."""

    target: Target
    current: Current | None
    components: Components
    policies: Mapping[str, Any]
    job: Mapping[str, Any]
    name: str
    changes: tuple[Change, ...]
    keeps: tuple[str, ...]
    """Other applications that stay."""
    leaves: tuple[str, ...]
    """Applications that are removed."""

    @property
    def changed(self) -> bool:
        """Tell whether a deployment has to be created."""
        if self.current is None:
            return bool(self.components)
        return bool(self.changes) or self.current.status in {"CANCELED", "FAILED"}

    @property
    def revision(self) -> int:
        """Return the revision that the target has now; 0 for none."""
        return self.current.revision if self.current is not None else 0

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "target": str(self.target),
            "arn": self.target.arn,
            "revision": self.revision,
            "changed": self.changed,
            "changes": [change.document() for change in self.changes],
            "keeps": list(self.keeps),
            "removes": list(self.leaves),
        }


@dataclass(frozen=True)
class Order:
    """What somebody wants of some targets."""

    applications: tuple[Application, ...] = ()
    remove: tuple[str, ...] = ()
    """Instances that leave."""
    targets: tuple[Target, ...] = ()
    policies: Policies = Policies()
    nucleus: Nucleus = "java"
    logs: bool = True
    """Whether logs are sent to CloudWatch."""
    panorama_logs: bool | None = None
    """Whether by vedette.DeviceMonitor under Panorama's names; None: as it is, on nucleus lite always."""
    role_alias: str = ROLE_ALIAS
    """Of the devices, by which they take the roles of applications."""


@dataclass(frozen=True)
class Plan:
    """Everything that carrying an order out will do."""

    order: Order
    publications: tuple[Publication, ...]
    secrets: tuple[SecretPlan, ...]
    targets: tuple[TargetPlan, ...]
    aws: Aws
    notes: tuple[str, ...] = ()
    """What to know before it is carried out."""

    @property
    def changed(self) -> bool:
        """Tell whether there is anything to do."""
        return bool(self.to_publish or self.to_tag or self.to_write or any(target.changed for target in self.targets))

    @property
    def to_publish(self) -> list[Publication]:
        """Return the versions that are not published yet."""
        return [item for item in self.publications if item.state.value in {"new", "failed"}]

    @property
    def to_tag(self) -> list[Publication]:
        """Return the versions that are published with other tags."""
        return [item for item in self.publications if item.retagged]

    @property
    def to_write(self) -> list[SecretPlan]:
        """Return the secrets that have to be written."""
        return [item for item in self.secrets if item.state.value != "there"]

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "changed": self.changed,
            "publish": [item.document() for item in self.publications],
            "secrets": [item.document() for item in self.secrets],
            "targets": [item.document() for item in self.targets],
            "notes": list(self.notes),
        }


def make_plan(cloud: Cloud, order: Order, bucket: Bucket | None = None) -> Plan:
    """Read what is there and work out what has to change.

    :param bucket: where records are kept: what is to be removed and is not there must have been there once
    :raises vedette.cloud.errors.CloudError: if AWS refuses, or the order cannot be carried out on a target
    :raises OSError: if an artifact cannot be read
    """
    _check_order(order)
    publishables = {(p.name, p.version): p for each in order.applications for p in each.publishables}
    publications = plan_publications(cloud, publishables.values())
    refuse_others(publications)
    _check_suite(cloud, order)
    notes = check_roles(cloud, (each.role for each in order.applications if each.role), order.role_alias)
    names = sorted({name for each in order.applications for name in each.secrets})
    values = {name: value for each in order.applications for name, value in each.values.items()}
    secrets = plan_secrets(cloud, names, values)
    with ThreadPoolExecutor(WORKERS) as pool:
        currents = list(pool.map(lambda target: read_current(cloud, target), order.targets))
    for target, current in zip(order.targets, currents, strict=True):
        _check_removals(order, target, current, bucket)
    aws = _aws(cloud, order, currents)
    arns = {plan.name: plan.arn or f"<{plan.name}>" for plan in secrets}
    found = [
        plan_target(order, target, current, arns, aws) for target, current in zip(order.targets, currents, strict=True)
    ]
    for plan in found:
        check_others(cloud, plan)
        notes += _surroundings(cloud, order, plan)
    return Plan(order, tuple(publications), tuple(secrets), tuple(found), aws, tuple(notes))


def _surroundings(cloud: Cloud, order: Order, plan: TargetPlan) -> list[str]:
    """Look at what else a target's devices have; return what is worth a word.

    :raises InvalidRequestError: if two applications would open the same port
    """
    target, who = plan.target, cloud.identity()
    neighbours = {}
    for name in groups_of(cloud, target):
        group = Target("thinggroup", name, group_arn(who, name))
        current = read_current(cloud, group)
        if current is not None:
            neighbours[str(group)] = current.components
    if plan.changed:
        new = {application.instance for application in order.applications}
        refuse_port_clashes(target, plan.components, new, neighbours)
    notes = lists_replaced(target, plan.components, neighbours)
    if target.kind == "thing":
        for application in order.applications:
            notes += values_hidden(cloud, target, application.instance, application.record)
    return notes


def plan_target(order: Order, target: Target, current: Current | None, arns: Mapping[str, str], aws: Aws) -> TargetPlan:
    """Work out one target from what it has; calls nothing.

    :param arns: ARN of each secret by its name
    :raises InvalidRequestError: if the document becomes too large
    """
    before: Components = current.components if current is not None else {}
    after: Components = before
    new = {application.instance for application in order.applications}
    for instance in order.remove:
        if instance not in new:
            after = without_application(after, instance, aws)
    for application in order.applications:
        known_arns = {name: arns[name] for name in application.secrets}
        after = with_application(after, Wanted(application.instance, application.components, known_arns), aws)
    size = sizes(after)
    if size > MAX_DOCUMENT_BYTES:
        raise InvalidRequestError(f"the deployment to {target} has {size} bytes: Greengrass takes {MAX_DOCUMENT_BYTES}")
    policies = order.policies.deployment_policies(current.policies if current is not None else {})
    job = order.policies.job(current.job if current is not None else {}) if target.kind == "thinggroup" else {}
    found = [] if equal(before, after) else changes(before, after)
    if current is not None:
        found += _settings("policy", current.policies, policies)
        found += _settings("roll-out", current.job, job)
    elif not after:
        policies = {}
    name = current.name if current is not None and current.name else target.name
    keeps = tuple(name for name in instances(before) if name not in new and name not in order.remove)
    leaves = tuple(name for name in instances(before) if application_of(name, after) is None)
    return TargetPlan(target, current, after, policies, job, name, tuple(found), keeps, leaves)


def read_current(cloud: Cloud, target: Target) -> Current | None:
    """Return the newest deployment of a target; None if it never had one. Two calls.

    :raises vedette.cloud.errors.CloudError: if AWS does not answer
    """
    listed = cloud.call(
        "greengrassv2", "list_deployments", targetArn=target.arn, historyFilter="LATEST_ONLY", maxResults=1
    ).get("deployments", ())
    if not listed:
        return None
    found = cloud.call("greengrassv2", "get_deployment", deploymentId=listed[0]["deploymentId"])
    return current_of(found)


def latest_deployments(cloud: Cloud) -> list[dict[str, Any]]:
    """Return the newest deployment of every target, as GetDeployment answers; one call a target.

    :raises vedette.cloud.errors.CloudError: if AWS does not answer
    """
    listed = list(cloud.pages("greengrassv2", "list_deployments", "deployments", historyFilter="LATEST_ONLY"))
    with ThreadPoolExecutor(WORKERS) as pool:
        ids = (item["deploymentId"] for item in listed)
        return list(pool.map(lambda each: cloud.call("greengrassv2", "get_deployment", deploymentId=each), ids))


def current_of(found: Mapping[str, Any]) -> Current:
    """Return what GetDeployment answered, as this package reads it."""
    return Current(
        deployment_id=found["deploymentId"],
        revision=int(found.get("revisionId") or 0),
        name=found.get("deploymentName", ""),
        status=found.get("deploymentStatus", ""),
        components=found.get("components", {}),
        policies=found.get("deploymentPolicies", {}),
        job=found.get("iotJobConfiguration", {}),
        tags=found.get("tags", {}),
    )


def _settings(what: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    return [
        Change("~", f"{what} {key}", _text(before.get(key)), _text(after[key]))
        for key in sorted(after)
        if _text(before.get(key)) != _text(after[key])
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _check_order(order: Order) -> None:
    names = [application.instance for application in order.applications]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidRequestError(f"two applications are called `{twice[0]}`", hint="give one another name: --name")
    things = [target for target in order.targets if target.kind == "thing"]
    if order.nucleus == "lite" and things:
        raise InvalidRequestError(
            f"{things[0]} is a single thing: nucleus lite takes deployments to thing groups only",
            hint="put the thing into a group and deploy to that: --to thing-group/NAME",
        )


def _check_removals(order: Order, target: Target, current: Current | None, bucket: Bucket | None) -> None:
    """Refuse to remove what never was there: a name with a slip of the pen would look like success."""
    components = current.components if current is not None else {}
    for instance in order.remove:
        if application_of(instance, components) is not None:
            continue
        key = record_key(instance, target.kind, target.name)
        if bucket is None or not bucket.exists() or bucket.read(key) is None:
            known = ", ".join(instances(components)) or "none"
            raise InvalidRequestError(f"{target} has no application `{instance}`", hint=f"it has: {known}")


def _check_suite(cloud: Cloud, order: Order) -> None:
    """Refuse to deploy components of Vedette that nobody has published: a device could not get them."""
    wanted = {
        (name, version)
        for application in order.applications
        for name, version in suite_versions(application.components).items()
    }
    missing = []
    for name, version in sorted(wanted):
        try:
            cloud.call("greengrassv2", "describe_component", arn=component_arn(cloud, name, version))
        except NotFoundError:
            missing.append(f"{name} {version}")
    if missing:
        who = cloud.identity()
        raise NotFoundError(
            f"not published in account {who.account}, {who.region}: {', '.join(missing)}",
            hint="vedette publish (once for each account, region and version of Vedette)",
        )


def _aws(cloud: Cloud, order: Order, currents: Iterable[Current | None]) -> Aws:
    """Return versions for AWS's components that some target does not have yet: the newest ones."""
    names = {TOKEN_EXCHANGE} if order.nucleus == "lite" else {TOKEN_EXCHANGE, SECRET_MANAGER, SHADOW_MANAGER}
    if order.logs and order.nucleus != "lite":
        names.add(LOG_MANAGER)
    if not order.applications:
        names = set()
    missing = {name for name in names for current in currents if current is None or name not in current.components}
    versions = {name: newest_version(cloud, name) for name in sorted(missing)}
    return Aws(order.nucleus, versions, order.logs, order.panorama_logs)


def newest_version(cloud: Cloud, name: str) -> str:
    """Return the newest version of one of AWS's components.

    :raises NotFoundError: if AWS offers none in this region
    """
    who = cloud.identity()
    arn = f"arn:{who.partition}:greengrass:{who.region}:aws:components:{name}"
    listed = cloud.call("greengrassv2", "list_component_versions", arn=arn, maxResults=100).get("componentVersions", ())
    versions = [item["componentVersion"] for item in listed]
    if not versions:
        raise NotFoundError(f"AWS offers no {name} in {who.region}")
    return str(max(versions, key=Version.parse))


def check_others(cloud: Cloud, plan: TargetPlan) -> None:
    """Refuse a change of the suite's versions that an application which stays was not made for.

    :raises InvalidRequestError: naming the application
    """
    before = suite_versions(plan.current.components) if plan.current is not None else {}
    after = suite_versions(plan.components)
    if not plan.keeps or all(before.get(name) == version for name, version in after.items() if name in before):
        return
    for name in plan.components:
        instance = instance_of(name, plan.components)
        if instance not in plan.keeps:
            continue
        arn = component_arn(cloud, name, plan.components[name]["componentVersion"])
        data = cloud.call("greengrassv2", "get_component", arn=arn, recipeOutputFormat="JSON")["recipe"]
        recipe = parse_recipe(data, name)
        for needed, dependency in recipe.component_dependencies.items():
            version = after.get(needed) if needed in SUITE else None
            requirement = dependency.version_requirement
            if version is not None and not VersionRequirement.parse(requirement).allows(Version.parse(version)):
                raise InvalidRequestError(
                    f"`{instance}` on {plan.target} needs {needed} {requirement}, and this changes it to {version}",
                    hint=f"deploy it too, in the same command: vedette deploy DIR DIR-OF-{instance} --to {plan.target}",
                )
