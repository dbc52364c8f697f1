"""Which software devices have, and which is the newest: what Panorama's console called current and latest software."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from vedette.cloud.access import Cloud
from vedette.cloud.document import SUITE
from vedette.cloud.errors import NotFoundError
from vedette.cloud.planning import newest_version
from vedette.nucleus.recipe import Version

_NUCLEUS: Final = "aws.greengrass.Nucleus"
_WORKERS: Final = 8


@dataclass(frozen=True)
class Software:
    """Versions of the nucleus and of Vedette; empty where there is none, or it is of no matter."""

    nucleus: str = ""
    suite: str = ""

    def behind(self, newest: "Software") -> bool:
        """Tell whether a newer version of what is installed is to be had."""
        pairs = ((self.nucleus, newest.nucleus), (self.suite, newest.suite))
        return any(old and new and Version.parse(old) < Version.parse(new) for old, new in pairs)

    def __str__(self) -> str:
        return ", ".join(
            f"{name} {version}" for name, version in (("nucleus", self.nucleus), ("vedette", self.suite)) if version
        )


def newest_software(cloud: Cloud) -> Software:
    """Return the newest published versions, of the Java nucleus and of the account's own Vedette.

    :raises vedette.cloud.CloudError: if AWS does not answer
    """
    who = cloud.identity()
    found = []
    for name in sorted(SUITE):
        arn = f"arn:{who.partition}:greengrass:{who.region}:{who.account}:components:{name}"
        try:
            listed = cloud.call("greengrassv2", "list_component_versions", arn=arn, maxResults=100)
        except NotFoundError:
            continue
        found += [str(item["componentVersion"]) for item in listed.get("componentVersions", ())]
    try:
        nucleus = newest_version(cloud, _NUCLEUS)
    except NotFoundError:
        nucleus = ""
    return Software(nucleus, max(found, key=Version.parse, default=""))


def installed_software(cloud: Cloud, names: Iterable[str]) -> Mapping[str, Software]:
    """Return what devices have installed; one call a device and page, side by side.

    :raises vedette.cloud.CloudError: if AWS does not answer
    """
    wanted = list(names)
    with ThreadPoolExecutor(_WORKERS) as pool:
        return dict(zip(wanted, pool.map(lambda name: _installed(cloud, name), wanted), strict=True))


def _installed(cloud: Cloud, name: str) -> Software:
    nucleus, suite = "", []
    for item in cloud.pages(
        "greengrassv2",
        "list_installed_components",
        "installedComponents",
        coreDeviceThingName=name,
        topologyFilter="ALL",
    ):
        if item["componentName"] == _NUCLEUS:
            nucleus = str(item["componentVersion"])
        elif item["componentName"] in SUITE:
            suite.append(str(item["componentVersion"]))
    # The oldest of them: one component that was left behind is behind.
    return Software(nucleus, min(suite, key=Version.parse, default=""))
