"""Other versions of the nucleus and of Vedette's components for targets; applications stay as they are."""

from collections.abc import Sequence

from vedette.cloud.access import Cloud
from vedette.cloud.bucket import Bucket, default_bucket
from vedette.cloud.carrying_out import Made, deploy_target
from vedette.cloud.document import SUITE, Components, changes
from vedette.cloud.errors import InvalidRequestError, NotFoundError
from vedette.cloud.planning import Current, Policies, TargetPlan, check_others, newest_version, read_current
from vedette.cloud.publishing import component_arn
from vedette.cloud.targets import Target
from vedette.nucleus.recipe import Version

NUCLEUS = "aws.greengrass.Nucleus"


def plan_updates(
    cloud: Cloud,
    targets: Sequence[Target],
    *,
    nucleus: str | None = None,
    suite: str | None = None,
    allow_major: bool = False,
) -> list[TargetPlan]:
    """Work out what changes on each target; without a version, the newest is meant for what a target has.

    :param nucleus: version of the Java nucleus; ``none`` leaves it
    :param suite: version of Vedette's components; ``none`` leaves them
    :raises NotFoundError: if a version does not exist
    :raises InvalidRequestError: for another major version that was not allowed, or where nothing was deployed yet
    """
    nucleus = newest_version(cloud, NUCLEUS) if nucleus is None else nucleus
    plans = []
    for target in targets:
        current = read_current(cloud, target)
        if current is None:
            raise InvalidRequestError(f"{target} has no deployment yet", hint=f"vedette deploy my-app --to {target}")
        wanted = suite if suite is not None else _newest_suite(cloud, current)
        plan = _plan(target, current, nucleus, wanted)
        for change in plan.changes:
            _check(change.what, change.before, change.after, allow_major=allow_major)
        _check_published(cloud, plan)
        check_others(cloud, plan)
        plans.append(plan)
    return plans


def _plan(target: Target, current: Current, nucleus: str, suite: str) -> TargetPlan:
    after = {name: dict(said) for name, said in current.components.items()}
    for name, said in after.items():
        if name in SUITE | {"vedette.Suite"} and suite != "none":
            said["componentVersion"] = suite
        if name == NUCLEUS and nucleus != "none":
            said["componentVersion"] = nucleus
    if NUCLEUS not in after and nucleus != "none" and "aws.greengrass.NucleusLite" not in after:
        after[NUCLEUS] = {"componentVersion": nucleus}
    policies = Policies(on_failure="ROLLBACK").deployment_policies(current.policies)
    found = tuple(changes(current.components, after))
    return TargetPlan(target, current, after, policies, current.job, current.name, found, _all(after), ())


def _all(components: Components) -> tuple[str, ...]:
    from vedette.cloud.document import instances

    return tuple(instances(components))


def _newest_suite(cloud: Cloud, current: Current) -> str:
    names = sorted((SUITE | {"vedette.Suite"}) & current.components.keys())
    if not names:
        return "none"
    who = cloud.identity()
    arn = f"arn:{who.partition}:greengrass:{who.region}:{who.account}:components:{names[0]}"
    listed = cloud.call("greengrassv2", "list_component_versions", arn=arn, maxResults=100).get("componentVersions", ())
    versions = [item["componentVersion"] for item in listed]
    return str(max(versions, key=Version.parse)) if versions else "none"


def _check(name: str, before: str, after: str, *, allow_major: bool) -> None:
    if not before or not after or allow_major:
        return
    old, new = Version.parse(before), Version.parse(after)
    if old.major != new.major:
        raise InvalidRequestError(f"{name} {before} → {after} is another major version", hint="--allow-major")


def _check_published(cloud: Cloud, plan: TargetPlan) -> None:
    for change in plan.changes:
        owner = "aws" if change.what == NUCLEUS else cloud.identity().account
        arn = component_arn(cloud, change.what, change.after).replace(
            f":{cloud.identity().account}:components", f":{owner}:components"
        )
        try:
            cloud.call("greengrassv2", "describe_component", arn=arn)
        except NotFoundError:
            raise NotFoundError(
                f"{change.what} {change.after} is not published", hint="vedette publish, or another version"
            ) from None


def carry_out_updates(cloud: Cloud, plans: Sequence[TargetPlan], bucket: Bucket | None = None) -> list[Made]:
    """Create the deployments; a change that somebody else made meanwhile is refused.

    :raises vedette.cloud.errors.AlreadyThereError: if a target has changed since its plan
    """
    where = bucket or Bucket(cloud, default_bucket(cloud))
    if plans and not where.exists():
        where.make()
    made = []
    for plan in plans:
        versions = {change.what: change.after for change in plan.changes}

        def again(target: Target, current: Current | None, versions: dict[str, str] = versions) -> TargetPlan:
            before = current.components if current is not None else {}
            after = {
                name: {**said, "componentVersion": versions.get(name, said["componentVersion"])}
                for name, said in before.items()
            }
            policies = current.policies if current is not None else {}
            job = current.job if current is not None else {}
            name = current.name if current is not None else target.name
            return TargetPlan(
                target, current, after, policies, job, name, tuple(changes(before, after)), _all(after), ()
            )

        made.append(deploy_target(cloud, where, plan, again))
    return made
