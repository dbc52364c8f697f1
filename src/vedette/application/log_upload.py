"""Which log files go to CloudWatch, and where they are found there.

The Greengrass log manager sends them; its log group is ``/aws/greengrass/UserComponent/<region>/<name>``, its stream
``/<yyyy>/<mm>/<dd>/thing/<thing>``. A name need not be a component's: an application has two more, for what it
prints and for the files it writes.
"""

from collections.abc import Iterable, Mapping
from typing import Final

GROUP_PREFIX: Final = "/aws/greengrass/UserComponent/"
CONSOLE: Final = ".console"
FILES: Final = ".files"
GREENGRASS_ROOT: Final = "/greengrass/v2"
_COMMON: Final = {
    "minimumLogLevel": "INFO",
    "diskSpaceLimitUnit": "MB",
    "deleteLogFileAfterCloudUpload": "false",
}


def log_configurations(
    components: Iterable[str], applications: Iterable[str], root: str = GREENGRASS_ROOT
) -> dict[str, Mapping[str, str]]:
    """Return the entries of the log manager's ``componentLogsConfigurationMap``.

    :param components: components whose own logs are sent
    :param applications: components of applications: also what they print, and their files
    :param root: root folder of the nucleus
    """
    names = sorted(applications)
    entries: dict[str, Mapping[str, str]] = {
        name: {**_COMMON, "diskSpaceLimit": "10"} for name in sorted({*components, *names})
    }
    for name in names:
        logs = f"{root}/work/{name}/logs"
        entries[name + CONSOLE] = {
            **_COMMON,
            "diskSpaceLimit": "25",
            "logFileDirectoryPath": logs,
            "logFileRegex": r"console_output(\.1)?",
        }
        entries[name + FILES] = {
            **_COMMON,
            "diskSpaceLimit": "100",
            "logFileDirectoryPath": f"{logs}/application",
            "logFileRegex": ".*",
        }
    return entries


def log_group(name: str, region: str) -> str:
    """Return the log group of an entry."""
    return f"{GROUP_PREFIX}{region}/{name}"
