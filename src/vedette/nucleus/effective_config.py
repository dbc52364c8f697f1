"""``config/effectiveConfig.yaml`` below the root: what the Java nucleus writes there, and some components read.

It is written after each deployment and at the end; nothing is ever read from it.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from vedette.nucleus.configuration import ConfigurationStore
from vedette.nucleus.plan import ComponentPlan
from vedette.whole_files import PRIVATE, write_whole

logger = logging.getLogger(__name__)


def write_effective_config(
    root: Path,
    plans: Sequence[ComponentPlan],
    configuration: ConfigurationStore,
    *,
    thing_name: str,
    region: str,
    version: str,
) -> None:
    """Write what runs, with its configuration; a file that cannot be written is a warning and no more."""
    services: dict[str, Any] = {
        "aws.greengrass.Nucleus": {
            "componentType": "NUCLEUS",
            "configuration": {"awsRegion": region},
            "dependencies": [],
            "version": version,
        },
        "main": {"dependencies": [f"{plan.name}:HARD" for plan in plans]},
    }
    for plan in plans:
        services[plan.name] = {
            "componentType": "GENERIC",
            "configuration": configuration.find(plan.name, ()) or {},
            "dependencies": [f"{name}:HARD" for name in plan.hard_dependencies],
            "version": plan.version,
        }
    system = {"certificateFilePath": "", "privateKeyPath": "", "rootCaPath": "", "rootpath": str(root)}
    document = {"services": services, "system": {**system, "thingName": thing_name}}
    path = root / "config" / "effectiveConfig.yaml"
    text = yaml.safe_dump(document, explicit_start=True)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(path, text.encode(), mode=PRIVATE)
    except OSError as error:
        logger.warning("%s cannot be written: %s", path, error.strerror)
