"""``config/effectiveConfig.yaml`` below the root: what the Java nucleus writes there, and some components read.

It is written after each deployment and at the end; nothing is ever read from it.
"""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from vedette.nucleus.configuration import ConfigurationStore
from vedette.nucleus.plan import ComponentPlan

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
    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yaml.safe_dump(document, file, explicit_start=True)
        os.replace(fresh, path)  # noqa: PTH105 -- says better what happens to an existing file
    except OSError as error:
        logger.warning("%s cannot be written: %s", path, error.strerror)
