"""Makes devices known to an account, and the archive that a machine becomes a core device with.

The archive holds a private key: it is made with mode 0600, its name is told and its content never. AWS does not keep
the key; a lost archive is replaced by provisioning again.
"""

import io
import os
import re
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from vedette.cloud.access import Cloud
from vedette.cloud.devices import DESCRIPTION, PANORAMA_ID, PROVISIONED, written_description
from vedette.cloud.errors import AlreadyThereError, CloudError, InvalidRequestError, NotFoundError

POLICY: Final = "VedetteDevicePolicy"
ROLE_ALIAS: Final = "VedetteTokenExchangeRoleAlias"
TEMPLATE: Final = "VedetteProvisioning"
"""Names of infra/iot-policies.yaml and infra/device-role.yaml."""
NUCLEUS_VERSION: Final = "2.18.2"
_NAME: Final = re.compile(r"[A-Za-z0-9:_-]{1,128}")
_ROOT_CA: Final = ("Amazon Root CA 1", "Amazon Root CA 3")
Nucleus = Literal["java", "lite"]


@dataclass(frozen=True)
class Provisioning:
    """What a device shall be."""

    name: str
    groups: tuple[str, ...] = ()
    description: str = ""
    nucleus: Nucleus = "java"
    policy: str = POLICY
    role_alias: str = ROLE_ALIAS
    private: bool = False
    """A site without internet: the Greengrass data plane is reached by the IoT endpoint."""
    fips: bool = False
    """Endpoints and nucleus in FIPS mode."""
    again: bool = False
    """Make a new certificate although the thing has one; the old ones are deactivated."""
    panorama_id: str = ""
    """The id that the device had in Panorama (``device-...``): commands take it for the name."""
    netplan: Path | None = None
    """Network settings (netplan's YAML) that the machine gets when it is installed."""
    nucleus_file: Path | None = None
    """greengrass-nucleus-*.zip or aws-greengrass-lite-*.deb to put into the archive."""


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key; neither is in any ``repr``."""

    arn: str
    certificate_id: str
    pem: str = field(repr=False)
    key: str = field(repr=False)


@dataclass(frozen=True)
class Endpoints:
    """The account's endpoints of AWS IoT."""

    data: str
    credentials: str


def check_account(cloud: Cloud, wanted: Provisioning) -> None:
    """Check that the account has what devices need.

    :raises NotFoundError: naming the stack that makes it
    :raises InvalidRequestError: for a name that a thing cannot have
    """
    for kind, name in (("device", wanted.name), *(("thing group", group) for group in wanted.groups)):
        if not _NAME.fullmatch(name):
            raise InvalidRequestError(
                f"`{name[:140]}` ({len(name)} characters) cannot name a {kind}: expected at most 128 letters, digits, "
                "`:`, `_` and `-`"
            )
    written_description(wanted.description)
    try:
        cloud.call("iot", "get_policy", policyName=wanted.policy)
    except NotFoundError:
        raise NotFoundError(
            f"the account has no IoT policy `{wanted.policy}`",
            hint="scripts/create-stack iot-policies, or --policy NAME",
        ) from None
    try:
        cloud.call("iot", "describe_role_alias", roleAlias=wanted.role_alias)
    except NotFoundError:
        raise NotFoundError(
            f"the account has no role alias `{wanted.role_alias}`",
            hint="scripts/create-stack device-role, or --role-alias NAME",
        ) from None


def endpoints(cloud: Cloud, *, fips: bool = False) -> Endpoints:
    """Return the account's endpoints.

    :param fips: those validated by FIPS 140, which are the same for all accounts of a region
    :raises CloudError: if AWS does not answer
    """
    if fips:
        # https://docs.aws.amazon.com/greengrass/v2/developerguide/FIPS.html
        tail = f"iot-fips.{cloud.region}.amazonaws.com"
        return Endpoints(f"data.{tail}", f"data.credentials.{tail}")
    data = cloud.call("iot", "describe_endpoint", endpointType="iot:Data-ATS")["endpointAddress"]
    credentials = cloud.call("iot", "describe_endpoint", endpointType="iot:CredentialProvider")["endpointAddress"]
    return Endpoints(str(data), str(credentials))


def provision(cloud: Cloud, wanted: Provisioning) -> Certificate:
    """Make thing, groups and certificate; return the certificate. The certificate works only once all is in place.

    :raises AlreadyThereError: if the thing has a certificate already and ``again`` is not set
    :raises CloudError: if AWS refuses
    """
    attributes = {
        DESCRIPTION: written_description(wanted.description),
        PANORAMA_ID: wanted.panorama_id,
        PROVISIONED: datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    payload = {"attributes": {key: value for key, value in attributes.items() if value}, "merge": True}
    try:
        cloud.call("iot", "create_thing", thingName=wanted.name)
    except AlreadyThereError:
        pass  # of other attributes; they are set below
    before = cloud.call("iot", "list_thing_principals", thingName=wanted.name).get("principals", [])
    if before and not wanted.again:
        raise AlreadyThereError(
            f"device `{wanted.name}` has a certificate already",
            hint=f"if its archive is lost: vedette device provision {wanted.name} --again, which ends the old one",
        )
    cloud.call("iot", "update_thing", thingName=wanted.name, attributePayload=payload)
    for group in wanted.groups:
        _join(cloud, wanted.name, group)
    made = new_certificate(cloud, wanted.policy)
    cloud.call("iot", "attach_thing_principal", thingName=wanted.name, principal=made.arn)
    cloud.call("iot", "update_certificate", certificateId=made.certificate_id, newStatus="ACTIVE")
    for arn in before:
        end_certificate(cloud, arn, wanted.name)
    return made


def rotate(cloud: Cloud, wanted: Provisioning) -> Certificate:
    """Make another certificate for a device; those that it has stay good until :func:`finish_rotation`.

    :raises NotFoundError: if there is no thing of that name
    """
    try:
        cloud.call("iot", "describe_thing", thingName=wanted.name)
    except NotFoundError:
        raise NotFoundError(f"there is no device `{wanted.name}`", hint="vedette device list") from None
    made = new_certificate(cloud, wanted.policy)
    cloud.call("iot", "attach_thing_principal", thingName=wanted.name, principal=made.arn)
    cloud.call("iot", "update_certificate", certificateId=made.certificate_id, newStatus="ACTIVE")
    return made


def finish_rotation(cloud: Cloud, name: str) -> int:
    """End all certificates of a device but the newest; return how many.

    :raises NotFoundError: if there is no thing of that name
    """
    try:
        arns = cloud.call("iot", "list_thing_principals", thingName=name).get("principals", [])
    except NotFoundError:
        raise NotFoundError(f"there is no device `{name}`", hint="vedette device list") from None
    made = {}
    for arn in arns:
        found = cloud.call("iot", "describe_certificate", certificateId=arn.rpartition("/")[2])
        made[arn] = found["certificateDescription"]["creationDate"]
    old = sorted(made, key=lambda arn: made[arn])[:-1]
    for arn in old:
        end_certificate(cloud, arn, name)
    return len(old)


def new_certificate(cloud: Cloud, policy: str) -> Certificate:
    """Make a certificate with a policy, not yet active.

    :raises CloudError: if AWS refuses
    """
    answer = cloud.call("iot", "create_keys_and_certificate", setAsActive=False)
    made = Certificate(
        answer["certificateArn"],
        answer["certificateId"],
        answer["certificatePem"],
        answer["keyPair"]["PrivateKey"],
    )
    cloud.call("iot", "attach_policy", policyName=policy, target=made.arn)
    return made


def end_certificate(cloud: Cloud, arn: str, thing: str | None = None) -> None:
    """Deactivate and delete a certificate.

    :raises CloudError: if AWS refuses
    """
    certificate = arn.rpartition("/")[2]
    cloud.call("iot", "update_certificate", certificateId=certificate, newStatus="INACTIVE")
    for policy in cloud.pages("iot", "list_attached_policies", "policies", target=arn):
        cloud.call("iot", "detach_policy", policyName=policy["policyName"], target=arn)
    if thing is not None:
        cloud.call("iot", "detach_thing_principal", thingName=thing, principal=arn)
    cloud.call("iot", "delete_certificate", certificateId=certificate, forceDelete=True)


def _join(cloud: Cloud, name: str, group: str) -> None:
    try:
        cloud.call("iot", "describe_thing_group", thingGroupName=group)
    except NotFoundError:
        cloud.call("iot", "create_thing_group", thingGroupName=group)
    cloud.call("iot", "add_thing_to_thing_group", thingName=name, thingGroupName=group)


def bundle_files(
    region: str,
    wanted: Provisioning,
    certificate: Certificate,
    where: Endpoints,
    *,
    claim: str | None = None,
    until: datetime | None = None,
) -> dict[str, bytes]:
    """Return the archive's files by name.

    :param claim: name of the provisioning template, for an archive with a claim in place of a device's certificate
    :param until: when the claim expires
    :raises CloudError: if the root certificate cannot be found
    :raises OSError: if the nucleus's file cannot be read
    """
    files = {
        "config.yaml": yaml.safe_dump(
            nucleus_configuration(region, wanted, where, claim=claim), sort_keys=False
        ).encode(),
        "rootCA.pem": root_certificates().encode(),
        "certificate.pem": certificate.pem.encode(),
        "private.key": certificate.key.encode(),
        "settings": _settings(wanted, claim, until).encode(),
        "install.sh": resources.files("vedette.cloud").joinpath("install_device.sh").read_bytes(),
        "wipe.sh": resources.files("vedette.cloud").joinpath("wipe_device.sh").read_bytes(),
        "bwrap-vedette": resources.files("vedette.cloud").joinpath("bwrap-vedette").read_bytes(),
    }
    if wanted.netplan is not None:
        files["netplan.yaml"] = _network_settings(wanted.netplan)
    if wanted.nucleus_file is not None:
        files[wanted.nucleus_file.name] = wanted.nucleus_file.read_bytes()
    return files


def nucleus_configuration(
    region: str, wanted: Provisioning, where: Endpoints, *, claim: str | None = None
) -> dict[str, Any]:
    """Return the nucleus's initial configuration; ``@ROOT@`` and ``@NAME@`` are filled in by the installer."""
    lite = wanted.nucleus == "lite"
    user = "gg_component:gg_component" if lite else "ggc_user:ggc_group"
    configuration: dict[str, Any] = {
        "awsRegion": region,
        "iotRoleAlias": wanted.role_alias,
        "iotDataEndpoint": where.data,
        "iotCredEndpoint": where.credentials,
        "runWithDefault": {"posixUser": user},
    }
    if wanted.private:
        configuration |= {"greengrassDataPlaneEndpoint": "iotdata", "greengrassDataPlanePort": 443}
        if not lite:
            configuration["s3EndpointType"] = "REGIONAL"
    if wanted.fips:
        configuration |= {"greengrassDataPlaneEndpoint": "iotdata", "fipsMode": "true"}
    if not lite:
        # Permissions of components may name the device's own thing.
        configuration["interpolateComponentConfiguration"] = True
    root = {"rootPath" if lite else "rootpath": "@ROOT@"}
    own = {
        "certificateFilePath": "@ROOT@/certificate.pem",
        "privateKeyPath": "@ROOT@/private.key",
        "rootCaPath": "@ROOT@/rootCA.pem",
    }
    nucleus = "aws.greengrass.NucleusLite" if lite else "aws.greengrass.Nucleus"
    services: dict[str, Any] = {nucleus: {"componentType": "NUCLEUS", "configuration": configuration}}
    if not lite:
        services[nucleus]["version"] = NUCLEUS_VERSION
    if claim is None:
        return {"system": {**own, **root, "thingName": wanted.name}, "services": services}
    services["aws.greengrass.FleetProvisioningByClaim" if not lite else "aws.greengrass.fleet_provisioning"] = {
        "configuration": {
            "awsRegion": region,
            "iotDataEndpoint": where.data,
            "iotCredentialEndpoint": where.credentials,
            "iotRoleAlias": wanted.role_alias,
            "provisioningTemplate": claim,
            "claimCertificatePath": "@ROOT@/claim/certificate.pem",
            "claimCertificatePrivateKeyPath": "@ROOT@/claim/private.key",
            "rootCaPath": "@ROOT@/rootCA.pem",
            "rootPath": "@ROOT@",
            "templateParameters": {"ThingName": "@NAME@", "SerialNumber": "@SERIAL@"},
        }
    }
    return {"system": {**root, "rootCaPath": "@ROOT@/rootCA.pem"}, "services": services}


def _network_settings(path: Path) -> bytes:
    data = path.read_bytes()
    try:
        said = yaml.safe_load(data)
    except yaml.YAMLError:
        said = None
    if not isinstance(said, dict) or list(said) != ["network"] or not isinstance(said["network"], dict):
        raise InvalidRequestError(
            f"{path} holds no network settings",
            hint="netplan's form: network: {version: 2, ethernets: {eth0: {addresses: [192.0.2.7/24]}}}",
        )
    return data


def _settings(wanted: Provisioning, claim: str | None, until: datetime | None) -> str:
    values = {
        "NUCLEUS": wanted.nucleus,
        "NUCLEUS_VERSION": NUCLEUS_VERSION,
        "THING": wanted.name if claim is None else "",
        "CLAIM": claim or "",
        "CLAIM_EXPIRES": str(int(until.timestamp())) if until is not None else "",
        "CLAIM_EXPIRES_AT": until.strftime("%Y-%m-%d %H:%M UTC") if until is not None else "",
        "FIPS": "yes" if wanted.fips else "",
    }
    return "".join(f"{key}='{value}'\n" for key, value in values.items())


def root_certificates() -> str:
    """Return Amazon's root certificates, out of the collection that botocore brings.

    :raises CloudError: if they are not in it
    """
    import botocore

    text = (Path(botocore.__file__).parent / "cacert.pem").read_text(encoding="utf-8")
    found = []
    for name in _ROOT_CA:
        match = re.search(
            rf'# Label: "{re.escape(name)}"\n.*?(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n)',
            text,
            re.DOTALL,
        )
        if match is not None:
            found.append(match[1])
    if not found:
        raise CloudError("botocore brings no certificate of Amazon Root CA 1", hint="pip install --upgrade botocore")
    return "".join(found)


def write_bundle(files: Mapping[str, bytes], path: Path) -> None:
    """Write the archive so that nobody but its owner can read it, at any moment.

    :raises OSError: if it cannot be written
    """
    handle, fresh = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600 from the start
    try:
        with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            for name in sorted(files):
                info = tarfile.TarInfo(f"{_stem(path)}/{name}")
                info.size = len(files[name])
                info.mode = 0o700 if name == "install.sh" else 0o600
                archive.addfile(info, io.BytesIO(files[name]))
        Path(fresh).replace(path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".tar").removesuffix(".tgz")


def bundle_name(name: str) -> str:
    """Return the archive's name for a device: what a file's name cannot hold becomes ``-``."""
    return f"vedette-{re.sub(r'[^A-Za-z0-9_-]', '-', name)}.tar.gz"
