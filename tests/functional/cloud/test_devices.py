"""Devices from provisioning to decommissioning, against moto's AWS IoT and our own Greengrass."""

import json
import os
import stat
import subprocess
import tarfile
import zipfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from vedette.cli.device import Caller, list_all
from vedette.cloud import AlreadyThereError, InvalidRequestError, NotFoundError
from vedette.cloud.arrival import NotArrivedError, wait_until_online
from vedette.cloud.bucket import Bucket, default_bucket
from vedette.cloud.claims import Limits, claims_of, make_claim, read_serials
from vedette.cloud.devices import (
    decommission,
    describe,
    describe_device,
    list_devices,
    read_description,
    reboot,
    status_of,
    written_description,
)
from vedette.cloud.provisioning import (
    POLICY,
    ROLE_ALIAS,
    TEMPLATE,
    Certificate,
    Endpoints,
    Provisioning,
    bundle_files,
    check_account,
    end_certificate,
    endpoints,
    finish_rotation,
    provision,
    rotate,
    write_bundle,
)
from vedette.cloud.targets import find_targets
from vedette.cloud.updating import carry_out_updates, plan_updates

from .conftest import Aws, order, publish_suite
from .test_deploying import Make, components, deploy

WHERE = Endpoints("abc-ats.iot.us-east-1.amazonaws.com", "abc.credentials.iot.us-east-1.amazonaws.com")


@pytest.fixture
def account(aws: Aws) -> Aws:
    """Return an account with what the stacks of infra/ make."""
    iot, document = aws.client("iot"), json.dumps({"Version": "2012-10-17", "Statement": []})
    for name in (POLICY, f"{TEMPLATE}Claim"):
        iot.create_policy(policyName=name, policyDocument=document)
    iot.create_role_alias(roleAlias=ROLE_ALIAS, roleArn="arn:aws:iam::123456789012:role/VedetteTokenExchange")
    body = json.dumps({"Parameters": {}, "Resources": {}})
    role = "arn:aws:iam::123456789012:role/Provisioning"
    hook = {"targetArn": "arn:aws:lambda:us-east-1:123456789012:function:hook", "payloadVersion": "2020-04-01"}
    iot.create_provisioning_template(
        templateName=TEMPLATE, templateBody=body, provisioningRoleArn=role, preProvisioningHook=hook
    )
    return aws


def active(aws: Aws) -> list[str]:
    listed = aws.client("iot").list_certificates()["certificates"]
    return [item["certificateArn"] for item in listed if item["status"] == "ACTIVE"]


def test_a_provisioned_device_lacks_something(account: Aws) -> None:
    cloud = account.cloud()
    wanted = Provisioning("shop-01", groups=("shop",), description="Entrance, left (Köln)")
    check_account(cloud, wanted)
    made = provision(cloud, wanted)
    iot = account.client("iot")
    assert iot.list_thing_principals(thingName="shop-01")["principals"] == [made.arn] == active(account)
    assert [p["policyName"] for p in iot.list_attached_policies(target=made.arn)["policies"]] == [POLICY]
    found = describe_device(cloud, "shop-01")
    assert (found.status, found.groups, found.description) == (
        "AWAITING_PROVISIONING",
        ("shop",),
        "Entrance, left (Köln)",
    )
    assert endpoints(cloud).data.endswith(".amazonaws.com")
    describe(cloud, "shop-01", "Entrance, right")
    assert describe_device(cloud, "shop-01").description == "Entrance, right"


def test_a_second_provisioning_leaves_two_certificates(account: Aws) -> None:
    cloud = account.cloud()
    first = provision(cloud, Provisioning("shop-01"))
    with pytest.raises(AlreadyThereError, match="`shop-01` has a certificate already"):
        provision(cloud, Provisioning("shop-01"))
    second = provision(cloud, Provisioning("shop-01", again=True))
    assert active(account) == [second.arn] != [first.arn]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Provisioning("x" * 129), r"\(129 characters\) cannot name a device"),
        (Provisioning("shop 01"), "cannot name a device"),
        (Provisioning("a", groups=("b/c",)), "cannot name a thing group"),
        (Provisioning("a", description="x" * 256), "has 256 characters"),
    ],
)
def test_a_name_that_aws_refuses_gets_as_far_as_aws(account: Aws, wanted: Provisioning, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        check_account(account.cloud(), wanted)


def test_a_device_is_provisioned_that_could_not_connect(aws: Aws) -> None:
    with pytest.raises(NotFoundError, match="no IoT policy `VedetteDevicePolicy`") as caught:
        check_account(aws.cloud(), Provisioning("a"))
    assert "create-stack iot-policies" in str(caught.value.hint)


def test_the_archive_can_be_read_by_others_or_shows_its_key(account: Aws, tmp_path: Path) -> None:
    wanted = Provisioning("shop-01", private=True)
    made = provision(account.cloud(), wanted)
    assert "PRIVATE KEY" not in repr(made)
    out = tmp_path / "vedette-shop-01.tar.gz"
    write_bundle(bundle_files("us-east-1", wanted, made, WHERE), out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with tarfile.open(out) as archive:
        modes = {Path(member.name).name: member.mode for member in archive}
        config = yaml.safe_load(archive.extractfile("vedette-shop-01/config.yaml").read())  # type: ignore[union-attr]
    assert modes.pop("install.sh") == 0o700
    assert set(modes.values()) == {0o600}
    nucleus = config["services"]["aws.greengrass.Nucleus"]["configuration"]
    assert nucleus["iotDataEndpoint"] == WHERE.data
    assert nucleus["greengrassDataPlaneEndpoint"] == "iotdata"
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def install(folder: Path, image: Path, tools: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "ROOT_PREFIX": str(image), "PATH": f"{tools}:{os.environ['PATH']}"}
    return subprocess.run(
        [str(folder / "install.sh"), *arguments], env=environ, capture_output=True, text=True, timeout=50, check=False
    )


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Return a folder with a ``java`` that writes down how it is called, and installs a nucleus by name."""
    folder = tmp_path / "tools"
    folder.mkdir()
    java = folder / "java"
    java.write_text(
        '#!/bin/sh\necho "$@" >> "$(dirname "$0")/calls"\n'
        'for word; do case "$word" in -Droot=*) root=${word#-Droot=};; esac; done\n'
        'mkdir -p "$root/alts/current/distro/lib" && touch "$root/alts/current/distro/lib/Greengrass.jar"\n'
    )
    java.chmod(0o755)
    return folder


def test_an_installation_leaves_keys_behind_or_cannot_be_repeated(account: Aws, tmp_path: Path, tools: Path) -> None:
    nucleus = tmp_path / "greengrass-nucleus-2.18.2.zip"
    with zipfile.ZipFile(nucleus, "w") as made:
        made.writestr("lib/Greengrass.jar", "")
    wanted = Provisioning("shop-01", nucleus_file=nucleus)
    certificate = provision(account.cloud(), wanted)
    out = tmp_path / "vedette-shop-01.tar.gz"
    write_bundle(bundle_files("us-east-1", wanted, certificate, WHERE), out)
    with tarfile.open(out) as archive:
        archive.extractall(tmp_path, filter="tar")
    folder, image = tmp_path / "vedette-shop-01", tmp_path / "image"
    rights = image / "etc/sudoers.d"
    rights.mkdir(parents=True)
    done = install(folder, image, tools)
    assert done.returncode == 0, done.stderr
    root = image / "greengrass/v2"
    assert [path.name for path in rights.iterdir()] == ["vedette"]
    assert (rights / "vedette").read_text() == "ggc_user ALL=(root) NOPASSWD: /usr/bin/systemctl reboot\n"
    assert stat.S_IMODE((rights / "vedette").stat().st_mode) == 0o440
    assert (root / "private.key").read_text() == certificate.key
    assert stat.S_IMODE((root / "private.key").stat().st_mode) == 0o600
    # Components' users have to get through to their folders.
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (root.parent, root)] == [0o755, 0o755]
    assert stat.S_IMODE((root / "alts").stat().st_mode) == 0o755
    assert not list(folder.glob("*.key"))
    assert not out.exists()
    config = yaml.safe_load((root / "initial-config.yaml").read_text())
    assert config["system"]["thingName"] == "shop-01"
    assert config["system"]["privateKeyPath"] == "/greengrass/v2/private.key"
    again = install(folder, image, tools)
    assert again.returncode == 0, again.stderr
    assert (tools / "calls").read_text().count("--setup-system-service true") == 1
    assert "PRIVATE" not in (tmp_path / "vedette-shop-01.log").read_text()
    other = install(folder, image, tools, "--name", "shop-02")
    assert (other.returncode, "is for the device shop-01" in other.stderr) == (2, True)
    (root / "private.key").unlink()
    lost = install(folder, image, tools)
    assert lost.returncode == 1
    assert "provision the device again" in lost.stderr
    assert "step 'keys' failed" in lost.stderr
    left = (tmp_path / "vedette-shop-01.log").read_text()
    assert "provision the device again" in left
    assert "step 'keys' failed with exit code 1" in left


def test_the_first_deployment_finds_that_the_python_is_too_old(account: Aws, tmp_path: Path, tools: Path) -> None:
    made = provision(account.cloud(), Provisioning("shop-01"))
    folder, image = tmp_path / "vedette-shop-01", tmp_path / "image"
    folder.mkdir()
    nucleus = tmp_path / "greengrass-nucleus-2.18.2.zip"
    with zipfile.ZipFile(nucleus, "w") as archive:
        archive.writestr("lib/Greengrass.jar", "")
    for name, content in bundle_files("us-east-1", Provisioning("shop-01", nucleus_file=nucleus), made, WHERE).items():
        (folder / name).write_bytes(content)
    (folder / "install.sh").chmod(0o700)
    programs = image / "usr/bin"
    programs.mkdir(parents=True)
    # As on Ubuntu 20.04, and then with one that somebody put beside.
    for version, noted in (("3.8", True), ("3.12", False)):
        (programs / f"python{version}").touch(mode=0o755)
        done = install(folder, image, tools)
        assert done.returncode == 0, done.stderr
        assert ("no Python 3.10 to 3.13" in done.stderr) == noted


def test_a_claim_makes_no_devices_or_lasts_for_ever(account: Aws, tmp_path: Path, tools: Path) -> None:
    cloud = account.cloud()
    until = datetime(2026, 5, 31, 12, 0, tzinfo=timezone.utc)
    made = make_claim(cloud, TEMPLATE, Limits(until, ("SN-1",)))
    assert claims_of(cloud, TEMPLATE) == [made.arn] == active(account)
    kept = Bucket(cloud, default_bucket(cloud)).read(f"provisioning/{made.certificate_id}.json")
    assert kept is not None
    assert kept[0] == {"until": int(until.timestamp()), "serials": ["SN-1"]}
    wanted = Provisioning("claim")
    files = bundle_files("us-east-1", wanted, made, WHERE, claim=TEMPLATE, until=until)
    folder = tmp_path / "claim"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "install.sh").chmod(0o700)
    (folder / "nucleus/lib").mkdir(parents=True)
    with zipfile.ZipFile(folder / "greengrass-nucleus-1.zip", "w") as nucleus:
        nucleus.writestr("lib/Greengrass.jar", "")
    (folder / "aws.greengrass.FleetProvisioningByClaim.jar").touch()
    late = install(folder, tmp_path / "image", tools)
    assert late.returncode == 1
    assert "the claim expired at 2026-05-31 12:00 UTC" in late.stderr
    assert "vedette device claim" in late.stderr
    assert "step 'claim' failed" in late.stderr
    settings = (folder / "settings").read_text()
    (folder / "settings").write_text(settings.replace(str(int(until.timestamp())), "4102444800"))
    done = install(folder, tmp_path / "image", tools, "--name", "line-3-007")
    assert done.returncode == 0, done.stderr
    config = yaml.safe_load((tmp_path / "image/greengrass/v2/initial-config.yaml").read_text())
    by_claim = config["services"]["aws.greengrass.FleetProvisioningByClaim"]["configuration"]
    assert by_claim["templateParameters"]["ThingName"] == "line-3-007"
    assert by_claim["provisioningTemplate"] == TEMPLATE
    assert "--trusted-plugin" in (tools / "calls").read_text()
    end_certificate(cloud, made.arn)
    assert claims_of(cloud, TEMPLATE) == active(account) == []
    with pytest.raises(NotFoundError, match="no provisioning template `Other`"):
        make_claim(cloud, "Other", Limits())


def test_a_claim_without_a_hook_would_never_end(account: Aws, tmp_path: Path) -> None:
    cloud = account.cloud()
    account.stand_in.templates[TEMPLATE].pop("preProvisioningHook")
    with pytest.raises(InvalidRequestError, match="has no hook: nothing would end the claim"):
        make_claim(cloud, TEMPLATE, Limits(serials=("SN-1",)))
    assert make_claim(cloud, TEMPLATE, Limits()).arn in active(account)
    listed = tmp_path / "serials.txt"
    listed.write_text("SN-1  # the left one\n\nAB/12 3\nSN-1\n")
    assert read_serials(listed) == ("SN-1", "AB123"), "as install.sh reads a machine's"
    listed.write_text("# none yet\n")
    with pytest.raises(InvalidRequestError, match="holds no serial number"):
        read_serials(listed)


def test_a_rotation_ends_the_certificate_in_use_or_keeps_it(account: Aws, tmp_path: Path, tools: Path) -> None:
    cloud = account.cloud()
    first = provision(cloud, Provisioning("shop-01", panorama_id="device-4711"))
    nucleus = tmp_path / "greengrass-nucleus-2.18.2.zip"
    with zipfile.ZipFile(nucleus, "w") as made:
        made.writestr("lib/Greengrass.jar", "")
    image = tmp_path / "image"

    def installed(certificate: Certificate, folder: Path) -> str:
        folder.mkdir()
        for name, content in bundle_files(
            "us-east-1", Provisioning("shop-01", nucleus_file=nucleus), certificate, WHERE
        ).items():
            (folder / name).write_bytes(content)
        (folder / "install.sh").chmod(0o700)
        done = install(folder, image, tools)
        assert done.returncode == 0, done.stderr
        return (image / "greengrass/v2/private.key").read_text()

    assert installed(first, tmp_path / "one") == first.key
    (image / "greengrass/v2/work").mkdir()  # what applications keep
    second = rotate(cloud, Provisioning("shop-01"))
    assert sorted(active(account)) == sorted([first.arn, second.arn])
    assert installed(second, tmp_path / "two") == second.key
    assert (image / "greengrass/v2/work").is_dir()
    assert (tools / "calls").read_text().count("--setup-system-service true") == 1, "the nucleus stays"
    assert finish_rotation(cloud, "shop-01") == 1
    assert active(account) == [second.arn]
    assert finish_rotation(cloud, "shop-01") == 0
    assert describe_device(cloud, "device-4711").name == "shop-01"
    with pytest.raises(NotFoundError, match="no device `shop-02`"):
        rotate(cloud, Provisioning("shop-02"))


def test_network_settings_do_not_arrive_or_are_anything(account: Aws, tmp_path: Path, tools: Path) -> None:
    settings = tmp_path / "site.yaml"
    settings.write_text("network: {version: 2, ethernets: {eth0: {addresses: [192.0.2.7/24]}}}\n")
    made = provision(account.cloud(), Provisioning("shop-01"))
    nucleus = tmp_path / "aws-greengrass-lite-2.deb"
    nucleus.touch()
    folder = tmp_path / "vedette-shop-01"
    folder.mkdir()
    wanted = Provisioning("shop-01", nucleus="lite", netplan=settings, nucleus_file=nucleus)
    for name, content in bundle_files("us-east-1", wanted, made, WHERE).items():
        (folder / name).write_bytes(content)
    (folder / "install.sh").chmod(0o700)
    done = install(folder, tmp_path / "image", tools)
    assert done.returncode == 0, done.stderr
    found = tmp_path / "image/etc/netplan/60-vedette.yaml"
    assert yaml.safe_load(found.read_text())["network"]["ethernets"]["eth0"]["addresses"] == ["192.0.2.7/24"]
    assert stat.S_IMODE(found.stat().st_mode) == 0o600
    settings.write_text("ethernets: {}\n")
    with pytest.raises(InvalidRequestError, match="holds no network settings"):
        bundle_files("us-east-1", wanted, made, WHERE)


def test_a_fips_device_calls_other_endpoints(account: Aws, tmp_path: Path, tools: Path) -> None:
    cloud = account.cloud()
    where = endpoints(cloud, fips=True)
    assert (where.data, where.credentials) == (
        "data.iot-fips.us-east-1.amazonaws.com",
        "data.credentials.iot-fips.us-east-1.amazonaws.com",
    )
    made = provision(cloud, Provisioning("shop-01"))
    nucleus = tmp_path / "greengrass-nucleus-2.zip"
    with zipfile.ZipFile(nucleus, "w") as archive:
        archive.writestr("lib/Greengrass.jar", "")
    folder = tmp_path / "vedette-shop-01"
    folder.mkdir()
    wanted = Provisioning("shop-01", fips=True, nucleus_file=nucleus)
    for name, content in bundle_files("us-east-1", wanted, made, where).items():
        (folder / name).write_bytes(content)
    (folder / "install.sh").chmod(0o700)
    done = install(folder, tmp_path / "image", tools)
    assert done.returncode == 0, done.stderr
    unit = tmp_path / "image/etc/systemd/system/greengrass.service.d/fips.conf"
    assert "AWS_USE_FIPS_ENDPOINT=true" in unit.read_text()
    config = yaml.safe_load((tmp_path / "image/greengrass/v2/initial-config.yaml").read_text())
    assert config["services"]["aws.greengrass.Nucleus"]["configuration"]["fipsMode"] == "true"


def test_a_failed_installation_leaves_no_trace_of_why(account: Aws, tmp_path: Path, tools: Path) -> None:
    made = provision(account.cloud(), Provisioning("shop-01"))
    folder = tmp_path / "vedette-shop-01"
    folder.mkdir()
    nucleus = tmp_path / "greengrass-nucleus-2.zip"
    nucleus.write_bytes(b"not a zip")
    for name, content in bundle_files("us-east-1", Provisioning("shop-01", nucleus_file=nucleus), made, WHERE).items():
        (folder / name).write_bytes(content)
    (folder / "install.sh").chmod(0o700)
    done = install(folder, tmp_path / "image", tools)
    assert done.returncode == 1
    log = (tmp_path / "vedette-shop-01.log").read_text()
    assert "install shop-01 on Linux" in log
    assert "step 'nucleus' failed with exit code 1" in log
    assert "not a zip file" in log, "what the step said"


class Waiting:
    """A clock that goes on when somebody waits; things happen at moments."""

    def __init__(self, **events: Any) -> None:
        self.now, self.events = 0.0, {float(at[1:]): do for at, do in events.items()}
        self.told: list[tuple[str, str]] = []

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        for at in [at for at in self.events if at <= self.now]:
            self.events.pop(at)()
        return False

    def tell(self, step: str, words: str) -> None:
        self.told.append((step, words))


def test_a_device_that_is_not_there_is_called_online(account: Aws, suite: str, make_application: Make) -> None:
    cloud = account.cloud()
    provision(cloud, Provisioning("shop-01", groups=("shop",)))
    fleet = account.stand_in.fleet
    (group,) = find_targets(cloud, ["thing-group/shop"])
    waiting = Waiting(t20=lambda: fleet.add_devices(["shop-01"], [group.arn]))
    found = wait_until_online(cloud, "shop-01", limit_s=120, clock=waiting.clock, wait=waiting.wait, tell=waiting.tell)
    assert (found.status, waiting.now) == ("ONLINE", 20.0)
    assert [step for step, _ in waiting.told] == ["first report"]
    deploy(account, order(make_application("one"), to=[group]))
    fleet.devices["shop-01"].fails = "disk full"
    fleet.add_devices(["shop-02"], [group.arn], fails="disk full")
    provision(cloud, Provisioning("shop-02"))
    with pytest.raises(NotArrivedError, match=r"step `deployment`.*disk full"):
        wait_until_online(cloud, "shop-02", limit_s=120, clock=waiting.clock, wait=waiting.wait)
    provision(cloud, Provisioning("shop-03"))
    with pytest.raises(NotArrivedError, match="not online after 30 s, step `first report`"):
        wait_until_online(cloud, "shop-03", limit_s=30, clock=waiting.clock, wait=waiting.wait)


def test_a_device_with_old_software_is_not_marked(
    aws: Aws, suite: str, make_application: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    group = aws.group("shop", 2)
    deploy(aws, order(make_application("one"), to=[group]))
    aws.stand_in.fleet.work()

    def listed() -> tuple[int, list[dict[str, Any]]]:
        code = list_all(Caller(as_json=True), group="shop", prefix="", status=None, updates=True, detailed=True)
        return code, json.loads(capsys.readouterr().out)["devices"]

    code, devices = listed()
    assert (code, [each["update_needed"] for each in devices]) == (0, [False, False])
    publish_suite(aws.cloud(), tmp_path / "next", "0.1.1")
    code, devices = listed()
    assert code == 10
    assert {(each["status"], each["current_software"], each["latest_software"]) for each in devices} == {
        ("UPDATE_NEEDED", "vedette 0.1.0", "nucleus 2.18.2, vedette 0.1.1")
    }


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"known": False, "connected": None, "healthy": False}, "AWAITING_PROVISIONING"),
        ({"known": True, "connected": False, "healthy": True}, "OFFLINE"),
        ({"known": True, "connected": True, "healthy": True, "job": "REBOOT"}, "REBOOTING"),
        ({"known": True, "connected": True, "healthy": True, "deployment": "IN_PROGRESS"}, "PENDING"),
        ({"known": True, "connected": True, "healthy": False}, "ERROR"),
        ({"known": True, "connected": True, "healthy": True, "deployment": "FAILED"}, "ERROR"),
        ({"known": True, "connected": True, "healthy": True, "deployment": "SUCCEEDED"}, "ONLINE"),
        ({"known": True, "connected": None, "healthy": True}, "NOT_AVAILABLE"),
    ],
)
def test_a_status_is_another_than_the_table_says(facts: dict[str, Any], status: str) -> None:
    assert status_of(**facts) == status


def test_devices_are_lost_between_pages(aws: Aws) -> None:
    group = aws.group("shop", 230)
    aws.stand_in.fleet.add_devices(["other"], fails="disk full")
    assert len(list_devices(aws.cloud(), group)) == 230
    every = list_devices(aws.cloud())
    assert [d.name for d in every] == sorted(d.name for d in every)
    assert [d.status for d in list_devices(aws.cloud(), prefix="other")] == ["ERROR"]


def test_a_reboot_is_asked_for_twice_or_not_shown(aws: Aws) -> None:
    target = aws.thing("shop-01", online=False)
    job = reboot(aws.cloud(), [target], "t1")
    assert reboot(aws.cloud(), [target], "t1") == job
    assert json.loads(aws.stand_in.fleet.jobs[job].document) == {"operation": "REBOOT"}
    assert [item["status"] for item in describe_device(aws.cloud(), "shop-01").jobs] == ["QUEUED"]
    aws.stand_in.fleet.devices["shop-01"].online = True
    aws.stand_in.fleet.work()
    assert [item["status"] for item in describe_device(aws.cloud(), "shop-01").jobs] == ["SUCCEEDED"]


def test_a_decommissioned_device_can_still_connect(account: Aws) -> None:
    cloud = account.cloud()
    provision(cloud, Provisioning("shop-01", groups=("shop",)))
    account.stand_in.fleet.add_devices(["shop-01"])
    done = decommission(cloud, "shop-01")
    assert [words.split()[-1] for words in done] == ["deleted", "deleted", "deleted"]
    assert account.client("iot").list_certificates()["certificates"] == []
    with pytest.raises(NotFoundError, match="there is no device `shop-01`"):
        describe_device(cloud, "shop-01")
    assert decommission(cloud, "shop-01") == []


def test_an_update_touches_applications_or_skips_a_major_version(
    aws: Aws, suite: str, make_application: Make, tmp_path: Path
) -> None:
    group = aws.group("shop", 2)
    deploy(aws, order(make_application("one"), to=[group]))
    publish_suite(aws.cloud(), tmp_path / "next", "0.1.1")
    (plan,) = plan_updates(aws.cloud(), [group])
    assert {change.what: change.after for change in plan.changes} == {
        "aws.greengrass.Nucleus": "2.18.2",
        **dict.fromkeys(("vedette.Runtime", "vedette.AppRuntime", "vedette.CameraIngest", "vedette.Display"), "0.1.1"),
    }
    before = components(aws, group)["vedette.app.one"]
    assert [made.revision for made in carry_out_updates(aws.cloud(), [plan])] == [2]
    after = components(aws, group)
    assert after["vedette.app.one"] == before
    assert after["vedette.Runtime"]["componentVersion"] == "0.1.1"
    assert not plan_updates(aws.cloud(), [group])[0].changed
    with pytest.raises(InvalidRequestError, match="is another major version"):
        publish_suite(aws.cloud(), tmp_path / "major", "1.0.0")
        plan_updates(aws.cloud(), [group])
    # An older version may be asked for, and one that does not exist may not.
    (back,) = plan_updates(aws.cloud(), [group], suite="0.1.0", nucleus="none")
    assert back.changed
    with pytest.raises(NotFoundError, match=r"0\.1\.7 is not published"):
        plan_updates(aws.cloud(), [group], suite="0.1.7", nucleus="none")


@pytest.mark.parametrize("text", ["", "plain", "with blanks, and (more)", "Köln = 50°", "x" * 255])
def test_a_description_does_not_come_back(text: str) -> None:
    written = written_description(text)
    assert " " not in written
    assert read_description(written) == text
