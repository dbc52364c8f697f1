"""Puts the uploader together, and says what it will do: what the appliance wrote into logging_setup_logs."""

import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from vedette.aws_calls import AwsCaller, CredentialsSource, KeptConnection, known_region
from vedette_device_monitor.configuration import MonitorConfiguration
from vedette_device_monitor.logs.backlog import Backlog
from vedette_device_monitor.logs.destination import Caller, Destination
from vedette_device_monitor.logs.files import LogFolders
from vedette_device_monitor.logs.journal import Journal
from vedette_device_monitor.logs.positions import Positions
from vedette_device_monitor.logs.times import Now
from vedette_device_monitor.logs.uploader import Uploader

logger = logging.getLogger(__name__)


def uploader(
    configuration: MonitorConfiguration,
    *,
    root: Path,
    work: Path,
    device: str,
    region: str,
    boot: str,
    environ: Mapping[str, str] = os.environ,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
    uptime: Callable[[], float],
    caller: Caller | None = None,
) -> Uploader:
    """Return the uploader.

    :param root: root folder of the nucleus
    :param work: work folder of this component
    :param caller: of CloudWatch Logs; None: over the network, with the device's credentials
    """
    service = caller or AwsCaller(
        "logs",
        region,
        CredentialsSource(environ, wall=wall, clock=clock),
        environ=environ,
        wall=wall,
        send=KeptConnection(clock).send,
        times_in_body=True,
    )
    positions = Positions(work / "logs.db", wall)
    _say(configuration, region, device)
    return Uploader(
        Backlog(LogFolders(root), positions, clock=clock, wall=wall, uptime=uptime, boot=boot),
        positions,
        Destination(service, retention_days=configuration.log_retention_days, kms_key=configuration.log_kms_key),
        device=device,
        application_ids=configuration.application_ids,
        group_prefix=configuration.log_groups,
        now=lambda: Now(service.now(), boot, uptime()),
        region=region,
        journal=Journal(clock=clock) if configuration.system_logs else None,
        clock=clock,
    )


def _say(configuration: MonitorConfiguration, region: str, device: str) -> None:
    kept = f"for {configuration.log_retention_days} days" if configuration.log_retention_days else "for ever"
    logger.info(
        "logs go to %s/%s in region %s; new groups keep them %s", configuration.log_groups, device, region, kept
    )
    if not known_region(region):
        logger.error(
            "`%s` is no region of AWS: correct %s",
            region,
            "the configuration key logRegion" if configuration.log_region else "awsRegion of the nucleus",
        )
    if configuration.system_logs and shutil.which("journalctl") is None:
        logger.warning("systemLogs is set, but this system has no journal: nothing goes to syslog and kern_log")
