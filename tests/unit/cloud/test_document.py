"""How one application changes a target's deployment: nothing of the others may be lost."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from vedette.cloud.document import (
    LOG_MANAGER,
    SECRET_MANAGER,
    SHADOW_MANAGER,
    TOKEN_EXCHANGE,
    Aws,
    Wanted,
    changes,
    equal,
    instances,
    merged,
    with_application,
    without_application,
)

JAVA = Aws(
    "java",
    {TOKEN_EXCHANGE: "2.0.3", SECRET_MANAGER: "2.2.6", SHADOW_MANAGER: "2.3.12", LOG_MANAGER: "2.3.11"},
)
LITE = Aws("lite", {TOKEN_EXCHANGE: "2.0.3"})
PREFIX = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"


def application(name: str, *cameras: str, version: str = "1.0.1", suite: str = "0.1.0", **more: Any) -> Wanted:
    merge = {
        "instance": name,
        "cameras": {"node": [{"name": camera, "secret": f"vedette/camera/{camera}"} for camera in cameras]},
        **more,
    }
    components: dict[str, dict[str, Any]] = {
        "vedette.Runtime": {"componentVersion": suite},
        "vedette.CameraIngest": {"componentVersion": suite},
        f"vedette.app.{name}": {
            "componentVersion": version,
            "configurationUpdate": {"merge": json.dumps(merge), "reset": ["/cameras"]},
        },
    }
    return Wanted(name, components, {f"vedette/camera/{c}": f"{PREFIX}vedette/camera/{c}-AbCdEf" for c in cameras})


def secrets(components: Mapping[str, Any]) -> list[str]:
    listed = merged(components.get(SECRET_MANAGER, {})).get("cloudSecrets", [])
    return [entry["arn"].removeprefix(PREFIX) for entry in listed]


def shadows(components: Mapping[str, Any]) -> list[str]:
    names: list[str] = merged(components[SHADOW_MANAGER])["synchronize"]["coreThing"]["namedShadows"]
    return names


def test_a_second_application_takes_the_first_or_its_secrets_away() -> None:
    one = with_application({}, application("one", "a", "shared"), JAVA)
    both = with_application(one, application("two", "b", "shared"), JAVA)
    assert instances(both) == ["one", "two"]
    assert both["vedette.app.one"] == one["vedette.app.one"]
    assert secrets(both) == [f"vedette/camera/{name}-AbCdEf" for name in ("a", "shared", "b")]
    assert shadows(both) == ["vedette-one", "vedette-two"]


def test_a_removed_application_leaves_secrets_or_takes_those_of_another() -> None:
    both = with_application({}, application("one", "a", "shared"), JAVA)
    both = with_application(both, application("two", "b", "shared"), JAVA)
    left = without_application(both, "one", JAVA)
    assert instances(left) == ["two"]
    assert secrets(left) == ["vedette/camera/shared-AbCdEf", "vedette/camera/b-AbCdEf"]
    assert shadows(left) == ["vedette-two"]
    assert "vedette.CameraIngest" in left


def test_the_last_application_leaves_the_suite_behind_or_takes_strangers_along() -> None:
    stranger = {"com.example.Mine": {"componentVersion": "3.0.0", "runWith": {"posixUser": "me"}}}
    one = with_application(stranger, application("one", "a"), JAVA)
    left = without_application(one, "one", JAVA)
    assert left.keys() == {"com.example.Mine", TOKEN_EXCHANGE, SECRET_MANAGER, SHADOW_MANAGER, LOG_MANAGER}
    assert left["com.example.Mine"] == stranger["com.example.Mine"]
    assert secrets(left) == []


def test_the_suite_leaves_although_it_was_deployed_by_itself() -> None:
    own = {"vedette.Suite": {"componentVersion": "0.1.0"}}
    left = without_application(with_application(own, application("one"), JAVA), "one", JAVA)
    assert {"vedette.Suite", "vedette.Runtime"} <= left.keys()


def test_secrets_and_shadows_of_others_are_replaced_with_the_list() -> None:
    mine = {"arn": f"{PREFIX}mine-XyZxYz", "labels": ["AWSPREVIOUS"]}
    before = {
        SECRET_MANAGER: {
            "componentVersion": "2.1.0",
            "configurationUpdate": {"merge": json.dumps({"cloudSecrets": [mine], "periodicRefreshIntervalMin": 5})},
        },
        SHADOW_MANAGER: {
            "componentVersion": "2.3.0",
            "configurationUpdate": {
                "merge": json.dumps(
                    {"synchronize": {"coreThing": {"classic": True, "namedShadows": ["mine"]}, "direction": "x"}}
                )
            },
        },
    }
    after = with_application(before, application("one", "a"), JAVA)
    configuration = merged(after[SECRET_MANAGER])
    assert configuration["cloudSecrets"][0] == mine
    assert configuration["periodicRefreshIntervalMin"] == 5
    assert merged(after[SHADOW_MANAGER])["synchronize"] == {
        "coreThing": {"classic": True, "namedShadows": ["mine", "vedette-one"]},
        "direction": "x",
    }
    # AWS's components stay in the versions that somebody chose.
    assert (after[SECRET_MANAGER]["componentVersion"], after[SHADOW_MANAGER]["componentVersion"]) == ("2.1.0", "2.3.0")
    left = without_application(after, "one", JAVA)
    assert equal({SECRET_MANAGER: left[SECRET_MANAGER]}, {SECRET_MANAGER: before[SECRET_MANAGER]})


def test_a_camera_that_goes_keeps_its_secret_on_the_device() -> None:
    one = with_application({}, application("one", "a", "b"), JAVA)
    assert secrets(with_application(one, application("one", "b"), JAVA)) == ["vedette/camera/b-AbCdEf"]


def test_a_secret_is_taken_for_another_whose_name_begins_alike() -> None:
    both = with_application({}, application("one", "cam"), JAVA)
    both = with_application(both, application("two", "cam-2"), JAVA)
    assert secrets(without_application(both, "one", JAVA)) == ["vedette/camera/cam-2-AbCdEf"]


def test_nucleus_lite_gets_components_that_it_does_not_have() -> None:
    after = with_application({}, application("one", "a"), LITE)
    assert TOKEN_EXCHANGE in after
    assert not {SECRET_MANAGER, SHADOW_MANAGER} & after.keys()


def test_what_somebody_set_of_the_suite_in_the_console_is_lost() -> None:
    set_by_hand = {"vedette.CameraIngest": {"componentVersion": "0.0.9", "runWith": {"posixUser": "cam"}}}
    after = with_application(set_by_hand, application("one"), JAVA)
    assert after["vedette.CameraIngest"] == {"componentVersion": "0.1.0", "runWith": {"posixUser": "cam"}}


def test_an_application_is_deployed_again_although_nothing_changed() -> None:
    one = with_application({}, application("one", "a"), JAVA)
    again = with_application(one, application("one", "a"), JAVA)
    assert equal(one, again)
    assert changes(one, again) == []


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        (application("one", "a", version="1.0.2"), ("~", "vedette.app.one", "1.0.1", "1.0.2")),
        (application("one", "a", suite="0.1.1"), ("~", "vedette.Runtime", "0.1.0", "0.1.1")),
        (application("one", "a", parameters={"t": 5}), ("+", "vedette.app.one /parameters/t", "", "5")),
    ],
)
def test_a_change_is_not_told(wanted: Wanted, line: tuple[str, ...]) -> None:
    one = with_application({}, application("one", "a"), JAVA)
    told = [(c.kind, c.what, c.before, c.after) for c in changes(one, with_application(one, wanted, JAVA))]
    assert line in told


def log_entries(components: Mapping[str, Any]) -> dict[str, Any]:
    uploader = merged(components[LOG_MANAGER])["logsUploaderConfiguration"]
    found: dict[str, Any] = uploader["componentLogsConfigurationMap"]
    return found


def test_what_an_application_prints_does_not_reach_cloudwatch() -> None:
    strangers = {
        LOG_MANAGER: {
            "componentVersion": "2.3.0",
            "configurationUpdate": {
                "merge": json.dumps(
                    {
                        "periodicUploadIntervalSec": "60",
                        "logsUploaderConfiguration": {
                            "systemLogsConfiguration": {"uploadToCloudWatch": "true"},
                            "componentLogsConfigurationMap": {"com.example.Mine": {"minimumLogLevel": "ERROR"}},
                        },
                    }
                )
            },
        }
    }
    one = with_application(strangers, application("one", "a"), JAVA)
    both = with_application(one, application("two"), JAVA)
    assert both[LOG_MANAGER]["componentVersion"] == "2.3.0"
    assert merged(both[LOG_MANAGER])["periodicUploadIntervalSec"] == "60"
    entries = log_entries(both)
    assert entries.keys() == {
        "com.example.Mine", "vedette.Runtime", "vedette.CameraIngest",
        "vedette.app.one", "vedette.app.one.console", "vedette.app.one.files",
        "vedette.app.two", "vedette.app.two.console", "vedette.app.two.files",
    }  # fmt: skip
    assert entries["vedette.app.one.console"]["logFileDirectoryPath"] == "/greengrass/v2/work/vedette.app.one/logs"
    left = without_application(without_application(both, "one", JAVA), "two", JAVA)
    assert log_entries(left).keys() == {"com.example.Mine"}


def test_logs_are_sent_although_nobody_wants_them() -> None:
    quiet = Aws("java", JAVA.versions, logs=False)
    assert LOG_MANAGER not in with_application({}, application("one"), quiet)
    assert LOG_MANAGER not in with_application({}, application("one"), LITE)


def test_logs_are_sent_twice_or_by_nobody() -> None:
    def monitored(before: Mapping[str, Any], name: str, aws: Aws) -> dict[str, Any]:
        wanted = application(name)
        monitor = {"vedette.DeviceMonitor": {"componentVersion": "0.1.0"}}
        return with_application(before, Wanted(name, {**wanted.components, **monitor}, {}), aws)

    def by_monitor(components: Mapping[str, Any]) -> bool:
        return bool(merged(components["vedette.DeviceMonitor"]).get("logs"))

    usual = monitored({}, "one", JAVA)
    assert not by_monitor(usual)
    assert "vedette.app.one" in log_entries(usual)
    panorama = monitored(usual, "two", replace(JAVA, panorama_logs=True))
    assert by_monitor(panorama)
    assert not log_entries(panorama)
    kept = monitored(panorama, "three", JAVA)
    assert by_monitor(kept), "the next deployment goes back to the log manager"
    assert not log_entries(kept)
    back = monitored(kept, "three", replace(JAVA, panorama_logs=False))
    assert not by_monitor(back)
    assert "vedette.app.three" in log_entries(back)
    assert by_monitor(monitored({}, "one", LITE)), "nucleus lite has no log manager"
    assert not by_monitor(monitored({}, "one", replace(LITE, logs=False)))


def test_the_health_of_devices_does_not_reach_the_cloud() -> None:
    wanted = application("one")
    monitored = Wanted("one", {**wanted.components, "vedette.DeviceMonitor": {"componentVersion": "0.1.0"}}, {})
    both = with_application(with_application({}, monitored, JAVA), application("two"), JAVA)
    assert shadows(both) == ["vedette-one", "vedette-two", "vedette:health"]
