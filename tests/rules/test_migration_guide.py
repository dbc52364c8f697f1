"""docs/guide/migrate-from-panorama.md leaves nothing of Panorama out, and names no command that does not exist."""

import re
from pathlib import Path
from typing import Any

import typer

from vedette.cli.main import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guide" / "migrate-from-panorama.md").read_text()
# The operations of Panorama's API, version 2019-07-24.
OPERATIONS = [
    "CreateApplicationInstance",
    "CreateJobForDevices",
    "CreateNodeFromTemplateJob",
    "CreatePackage",
    "CreatePackageImportJob",
    "DeleteDevice",
    "DeletePackage",
    "DeregisterPackageVersion",
    "DescribeApplicationInstance",
    "DescribeApplicationInstanceDetails",
    "DescribeDevice",
    "DescribeDeviceJob",
    "DescribeNode",
    "DescribeNodeFromTemplateJob",
    "DescribePackage",
    "DescribePackageImportJob",
    "DescribePackageVersion",
    "ListApplicationInstanceDependencies",
    "ListApplicationInstanceNodeInstances",
    "ListApplicationInstances",
    "ListDevices",
    "ListDevicesJobs",
    "ListNodeFromTemplateJobs",
    "ListNodes",
    "ListPackageImportJobs",
    "ListPackages",
    "ListTagsForResource",
    "ProvisionDevice",
    "RegisterPackageVersion",
    "RemoveApplicationInstance",
    "SignalApplicationInstanceNodeInstances",
    "TagResource",
    "UntagResource",
    "UpdateDeviceMetadata",
]


def test_an_operation_of_the_api_is_left_out() -> None:
    rows = re.findall(r"^\| ([A-Z][A-Za-z]+) \| (\S.+) \|$", PAGE, re.MULTILINE)
    assert len(OPERATIONS) == 34
    assert [name for name, _ in rows if name in OPERATIONS] == OPERATIONS


def test_a_command_is_named_that_does_not_exist() -> None:
    names = set()
    root: Any = typer.main.get_command(app)
    for said in re.findall(r"`vedette ((?:[a-z-]+ ?)+)", PAGE):
        command = root
        for word in said.split():
            if not hasattr(command, "commands"):
                break
            assert word in command.commands, f"vedette {said}"
            names.add(word)
            command = command.commands[word]
    assert len(names) > 12


def test_a_link_leads_nowhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / "guide" / target).exists(), target


def test_a_script_or_template_is_named_that_does_not_exist() -> None:
    named = re.findall(r"`((?:scripts|infra)/[a-z.-]+)", PAGE)
    assert len(named) >= 5
    for name in named:
        assert (ROOT / name).exists(), name


def test_a_page_for_a_chapter_of_awss_guide_is_not_there() -> None:
    chapters = PAGE.split("## The developer guide, chapter by chapter")[1].split("\n## ")[0]
    links = re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", chapters)
    assert len(links) > 30
    for path, anchor in links:
        page = (
            (ROOT / "docs" / "guide" / path).resolve() if path else ROOT / "docs" / "guide" / "migrate-from-panorama.md"
        )
        assert page.is_file(), path
        headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in anchors, (path, anchor)
