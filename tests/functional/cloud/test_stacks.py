"""The stacks of infra/ made for real in an emulator, and what their policies allow, asked of a policy simulator.

ministack makes these types and simulates policies; its botocore is another, so it lives in an environment of its own::

    VEDETTE_MINISTACK=/path/to/ministack pytest tests/functional/cloud/test_stacks.py

Two things it does not have are left out: role aliases, and the names of VPC endpoints in ``DnsEntries``.
"""

import http.client
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.ports import free_port

MINISTACK: Final = os.environ.get("VEDETTE_MINISTACK", "")
pytestmark = pytest.mark.skipif(not MINISTACK, reason="needs an emulator: VEDETTE_MINISTACK=/path/to/ministack")
ROOT: Final = Path(__file__).parents[3]
ACCOUNT: Final = "111122223333"
OTHER: Final = "444455556666"
REGION: Final = "eu-west-1"
DEVICE_ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/VedetteTokenExchangeRole"
APPLICATION_ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/vedette-app-counter"
GIVEN: Final[dict[str, dict[str, str]]] = {
    "application-role": {"ApplicationName": "counter", "DeviceRoleArn": DEVICE_ROLE},
    "artifacts": {},
    "cross-account-role": {
        "TrustedPrincipalArn": f"arn:aws:iam::{OTHER}:role/operators",
        "PolicyArns": f"arn:aws:iam::{ACCOUNT}:policy/VedetteViewer",
    },
    "device-role": {"ArtifactBucket": "my-artifacts", "ApplicationRoleArns": APPLICATION_ROLE},
    "iot-policies": {},
    "logs": {},
    "operators": {"ArtifactBucket": "my-artifacts", "DevicePrefix": "shop"},
    "private-site": {
        "IotDataEndpoint": "abc-ats.iot.eu-west-1.amazonaws.com",
        "IotCredentialsEndpoint": "abc.credentials.iot.eu-west-1.amazonaws.com",
        "ArtifactBucket": "my-artifacts",
        "ForOperators": "yes",
    },
}


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


class Account:
    """One account of the emulator."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def client(self, service: str, account: str = ACCOUNT) -> Any:
        # ministack takes a key of twelve digits for the account that calls.
        keys = {"aws_access_key_id": account, "aws_secret_access_key": "testing"}
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **keys)

    def script(self, name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        environ = {
            **os.environ,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_PAGER": "",
        }
        return subprocess.run(
            [str(self.scripts / name), *arguments],
            env=environ,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    scripts = ROOT / "scripts"

    def make(self, template: str, **more: str) -> dict[str, str]:
        """Make a stack, as scripts/create-stack does; return its outputs."""
        given = [f"{name}={value}" for name, value in {**GIVEN[template], **more}.items()]
        done = self.script("create-stack", template, *given)
        assert done.returncode == 0, done.stdout + done.stderr
        (stack,) = self.client("cloudformation").describe_stacks(StackName=f"vedette-{template}")["Stacks"]
        return {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", ())}

    def policy(self, name: str) -> str:
        iam = self.client("iam")
        found = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
        version = iam.get_policy(PolicyArn=found)["Policy"]["DefaultVersionId"]
        return json.dumps(iam.get_policy_version(PolicyArn=found, VersionId=version)["PolicyVersion"]["Document"])

    def allows(self, policies: Sequence[str], action: str, resource: str = "*", **context: str) -> bool:
        """Ask the simulator; where a condition looks at the context, which it does not take, what it asks itself."""
        if context:
            named = {key.replace("__", ":").lower(): value for key, value in context.items()}
            question = json.dumps(
                {"policies": list(policies), "action": action, "resource": resource, "context": named}
            )
            python = Path(MINISTACK).with_name("python")
            return (
                subprocess.check_output([python, "-c", EVALUATING, question], text=True, timeout=60).strip() == "Allow"
            )
        answer = self.client("iam").simulate_custom_policy(
            PolicyInputList=list(policies), ActionNames=[action], ResourceArns=[resource]
        )
        return str(answer["EvaluationResults"][0]["EvalDecision"]) == "allowed"


EVALUATING: Final = """
import json, sys
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document
asked = json.loads(sys.argv[1])
context = asked["context"]
found = EvalContext(
    principal_arn=context.get("aws:principalarn", "arn:aws:iam::111122223333:user/u"),
    principal_type="User",
    principal_account="111122223333",
    action=asked["action"],
    resource_arn=asked["resource"],
    region="eu-west-1",
    source_ip="192.0.2.1",
    secure_transport=context.get("aws:securetransport", "true") == "true",
    service_context=context,
)
print(evaluate(found, [parse_policy_document(policy) for policy in asked["policies"]]).decision)
"""


def prepared(folder: Path) -> None:
    """Write the scripts and templates without what the emulator has not."""
    (folder / "scripts").mkdir()
    (folder / "infra").mkdir()
    for name in ("create-stack", "delete-stack"):
        copy = folder / "scripts" / name
        copy.write_bytes((ROOT / "scripts" / name).read_bytes())
        copy.chmod(0o755)
    for path in (ROOT / "infra").glob("*.yaml"):
        text = path.read_text()
        if path.stem == "device-role":
            text, aliases = re.subn(
                r"\n  RoleAlias:\n    Type: AWS::IoT::RoleAlias.*?(?=\nOutputs)", "\n", text, flags=re.DOTALL
            )
            text, outputs = re.subn(r"\n  RoleAlias:\n    Description.*", "\n", text, flags=re.DOTALL)
            assert (aliases, outputs) == (1, 1)
        text = re.sub(r"!Select \[(\d), !Split \[':', !Select \[0, !GetAtt Iot\w+\.DnsEntries\]\]\]", r"part-\1", text)
        (folder / "infra" / path.name).write_text(text)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    folder = tmp_path_factory.mktemp("stacks")
    prepared(folder)
    port = free_port()
    environ = {
        **os.environ,
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "LOG_LEVEL": "WARNING",
    }
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen([MINISTACK], env=environ, stdout=log, stderr=log, cwd=folder)
    try:
        until = time.monotonic() + 60
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", "/_ministack/health")
                connection.getresponse().read()
                break
            except OSError:
                assert time.monotonic() < until
                assert process.poll() is None, (folder / "ministack.log").read_text()
                time.sleep(0.2)
            finally:
                connection.close()
        made = Account(port)
        made.scripts = folder / "scripts"
        yield made
    finally:
        process.terminate()
        process.wait(30)


def everything(account: Account) -> dict[str, list[str]]:
    """Return what stacks leave in an account when they are not deleted whole."""
    iam, iot, logs = account.client("iam"), account.client("iot"), account.client("logs")
    return {
        "roles": sorted(item["RoleName"] for item in iam.list_roles()["Roles"]),
        "policies": sorted(item["PolicyName"] for item in iam.list_policies(Scope="Local")["Policies"]),
        "IoT policies": sorted(item["policyName"] for item in iot.list_policies()["policies"]),
        "templates": sorted(item["templateName"] for item in iot.list_provisioning_templates()["templates"]),
        "log groups": sorted(item["logGroupName"] for item in logs.describe_log_groups()["logGroups"]),
        "functions": sorted(f["FunctionName"] for f in account.client("lambda").list_functions()["Functions"]),
        "endpoints": sorted(
            item["VpcEndpointId"] for item in account.client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
        ),
        "zones": sorted(item["Name"] for item in account.client("route53").list_hosted_zones()["HostedZones"]),
    }


@pytest.mark.parametrize("template", GIVEN)
def test_a_stack_changes_when_nothing_did_or_leaves_something_behind(account: Account, template: str) -> None:
    before = everything(account)
    account.make(template)
    assert everything(account) != before or template == "artifacts"
    given = [f"{name}={value}" for name, value in GIVEN[template].items()]
    again = account.script("create-stack", template, *given)
    assert again.returncode == 0, again.stderr
    assert "No changes to deploy" in again.stdout + again.stderr
    gone = account.script("delete-stack", template, "--yes")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert everything(account) == before


@pytest.fixture(scope="module")
def operators(account: Account) -> Iterator[dict[str, list[str]]]:
    account.make("operators")
    viewer, deployer, administrator = (account.policy(f"Vedette{n}") for n in ("Viewer", "Deployer", "Administrator"))
    yield {
        "viewer": [viewer],
        "deployer": [viewer, deployer],
        "administrator": [viewer, deployer, administrator],
    }
    account.script("delete-stack", "operators", "--yes")


SECRET: Final = arn("secretsmanager", "secret:vedette/camera/lobby-AbCdEf")
FOREIGN_SECRET: Final = arn("secretsmanager", "secret:payroll-AbCdEf")
MAY: Final[list[tuple[str, str, set[str]]]] = [
    ("greengrass:ListDeployments", "*", {"viewer", "deployer", "administrator"}),
    ("greengrass:GetDeployment", arn("greengrass", "deployments:1"), {"viewer", "deployer", "administrator"}),
    ("iot:GetThingShadow", arn("iot", "thing/shop-01"), {"viewer", "deployer", "administrator"}),
    ("secretsmanager:DescribeSecret", SECRET, {"viewer", "deployer", "administrator"}),
    ("greengrass:CreateDeployment", "*", {"deployer", "administrator"}),
    ("greengrass:CreateComponentVersion", arn("greengrass", "components:vedette.app.x"), {"deployer", "administrator"}),
    ("greengrass:CreateComponentVersion", arn("greengrass", "components:com.other"), set()),
    ("iot:CreateJob", arn("iot", "thing/shop-01"), {"deployer", "administrator"}),
    ("iot:CreateJob", arn("iot", "thing/office-01"), set()),
    ("iot:UpdateThingShadow", arn("iot", "thing/shop-01"), {"deployer", "administrator"}),
    ("s3:PutObject", "arn:aws:s3:::my-artifacts/artifacts/1/a.zip", {"deployer", "administrator"}),
    ("s3:PutObject", "arn:aws:s3:::other/a.zip", set()),
    ("secretsmanager:GetSecretValue", SECRET, {"administrator"}),
    ("secretsmanager:GetSecretValue", FOREIGN_SECRET, set()),
    ("secretsmanager:CreateSecret", SECRET, {"administrator"}),
    ("iot:CreateThing", arn("iot", "thing/shop-01"), {"administrator"}),
    ("iot:CreateThing", arn("iot", "thing/office-01"), set()),
    ("iot:UpdateCertificate", arn("iot", "cert/0123"), {"administrator"}),
    ("tag:GetResources", "*", {"administrator"}),
    ("tag:TagResources", "*", {"administrator"}),
    ("greengrass:TagResource", arn("greengrass", "coreDevices:shop-01"), {"administrator"}),
    ("greengrass:TagResource", arn("greengrass", "coreDevices:office-01"), set()),
    ("iam:PassRole", DEVICE_ROLE, set()),
    ("iam:CreateUser", "*", set()),
    ("iam:UpdateAssumeRolePolicy", DEVICE_ROLE, set()),
    ("iam:PutRolePolicy", DEVICE_ROLE, set()),
    ("sts:AssumeRole", DEVICE_ROLE, set()),
]


@pytest.mark.parametrize(("action", "resource", "who"), MAY)
def test_a_person_may_do_more_or_less_than_their_policies_say(
    account: Account, operators: dict[str, list[str]], action: str, resource: str, who: set[str]
) -> None:
    found = {name for name, policies in operators.items() if account.allows(policies, action, resource)}
    assert found == who


def test_a_device_may_do_more_or_less_than_its_role_says(account: Account) -> None:
    account.make("device-role")
    iam = account.client("iam")
    role = json.dumps(iam.get_role_policy(RoleName="VedetteTokenExchangeRole", PolicyName="device")["PolicyDocument"])
    group = arn("logs", "log-group:/aws/greengrass/UserComponent/eu-west-1/vedette.Display")
    used = [
        ("s3:GetObject", "arn:aws:s3:::my-artifacts/artifacts/1/a.zip", {}),
        ("s3:GetObject", "arn:aws:s3:::my-artifacts/vedette.Display/0.1.0/display.zip", {}),
        ("secretsmanager:GetSecretValue", SECRET, {}),
        *((f"logs:{name}", group, {}) for name in ("CreateLogGroup", "CreateLogStream", "PutLogEvents")),
        *(
            ("cloudwatch:PutMetricData", "*", {"cloudwatch__namespace": name})
            for name in ("Vedette", "PanoramaDeviceMetrics")
        ),
        ("sts:AssumeRole", APPLICATION_ROLE, {}),
    ]
    beyond = [
        ("s3:GetObject", "arn:aws:s3:::my-artifacts/targets/thing/shop-01.json", {}),
        ("s3:GetObject", "arn:aws:s3:::my-artifacts/provisioning/0123.json", {}),
        ("s3:GetObject", "arn:aws:s3:::other/artifacts/1/a.zip", {}),
        ("s3:PutObject", "arn:aws:s3:::my-artifacts/artifacts/1/a.zip", {}),
        ("s3:ListBucket", "arn:aws:s3:::my-artifacts", {}),
        ("secretsmanager:GetSecretValue", FOREIGN_SECRET, {}),
        ("secretsmanager:PutSecretValue", SECRET, {}),
        ("secretsmanager:ListSecrets", "*", {}),
        ("logs:PutLogEvents", arn("logs", "log-group:/aws/lambda/other"), {}),
        ("logs:GetLogEvents", group, {}),
        ("cloudwatch:PutMetricData", "*", {"cloudwatch__namespace": "AWS/EC2"}),
        ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/Administrator", {}),
        ("greengrass:CreateDeployment", "*", {}),
        ("iot:CreateThing", arn("iot", "thing/shop-02"), {}),
        ("iam:CreateUser", "*", {}),
        ("kms:Decrypt", arn("kms", "key/1"), {}),
    ]
    assert [what for what in used if not account.allows([role], what[0], what[1], **what[2])] == []
    assert [what for what in beyond if account.allows([role], what[0], what[1], **what[2])] == []
    # What every granted action is for is in the table of infra/README.md.
    granted = {
        action
        for statement in json.loads(role)["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    readme = (ROOT / "infra/README.md").read_text()
    assert [action for action in granted if action.partition(":")[2] not in readme] == []
    trust = iam.get_role(RoleName="VedetteTokenExchangeRole")["Role"]["AssumeRolePolicyDocument"]
    assert_trusts_own_alias_alone(account, trust)
    account.script("delete-stack", "device-role", "--yes")


def assert_trusts_own_alias_alone(account: Account, trust: dict[str, Any]) -> None:
    """Check a trust policy by its conditions: the simulator takes no principals."""
    (statement,) = trust["Statement"]
    assert statement["Principal"] == {"Service": "credentials.iot.amazonaws.com"}
    kept = {key: value for key, value in statement.items() if key != "Principal"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**kept, "Resource": "*"}]})
    own = arn("iot", "rolealias/VedetteTokenExchangeRoleAlias")
    for account_id, alias, wanted in (
        (ACCOUNT, own, True),
        (OTHER, own.replace(ACCOUNT, OTHER), False),
        (OTHER, own, False),
        (ACCOUNT, own.replace("VedetteTokenExchangeRoleAlias", "Another"), False),
    ):
        context = {"aws__SourceAccount": account_id, "aws__SourceArn": alias}
        assert account.allows([policy], "sts:AssumeRole", DEVICE_ROLE, **context) is wanted


def test_an_application_role_can_be_taken_on_by_others(account: Account) -> None:
    account.make("application-role")
    iam = account.client("iam")
    (name,) = (item["RoleName"] for item in iam.list_roles()["Roles"] if "counter" in item["RoleName"])
    found = iam.get_role(RoleName=name)["Role"]
    assert found["Arn"] == APPLICATION_ROLE
    (statement,) = found["AssumeRolePolicyDocument"]["Statement"]
    assert DEVICE_ROLE in json.dumps(statement["Principal"]) + json.dumps(statement.get("Condition"))
    template = (ROOT / "infra/application-role.yaml").read_text()
    (namespace,) = re.findall(r"MetricsNamespace:\n    Type: String\n    Default: (\S+)", template)
    policies = [
        json.dumps(iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"])
        for each in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    assert account.allows(policies, "cloudwatch:PutMetricData", "*", cloudwatch__namespace=namespace)
    assert not account.allows(policies, "cloudwatch:PutMetricData", "*", cloudwatch__namespace="AWS/EC2")
    assert not account.allows(policies, "s3:GetObject", "arn:aws:s3:::my-artifacts/a")
    account.script("delete-stack", "application-role", "--yes")


def test_an_operator_of_another_account_comes_in_otherwise(account: Account, operators: dict[str, list[str]]) -> None:
    assert operators
    outputs = account.make("cross-account-role", ExternalId="word-4711", RequireMfa="yes")
    iam = account.client("iam")
    role = iam.get_role(RoleName="VedetteOtherAccount")["Role"]
    assert role["Arn"] == outputs["RoleArn"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    principal = f"arn:aws:iam::{OTHER}:role/operators"
    assert statement["Principal"] == {"AWS": principal}
    kept = {key: value for key, value in statement.items() if key != "Principal"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**kept, "Resource": "*"}]})
    good = {"aws__PrincipalArn": principal, "sts__ExternalId": "word-4711", "aws__MultiFactorAuthPresent": "true"}
    assert account.allows([policy], "sts:AssumeRole", DEVICE_ROLE, **good)
    for key, value in (
        ("aws__PrincipalArn", f"arn:aws:iam::{OTHER}:role/other"),
        ("sts__ExternalId", "x"),
        ("aws__MultiFactorAuthPresent", "false"),
    ):
        assert not account.allows([policy], "sts:AssumeRole", DEVICE_ROLE, **{**good, key: value})
    assert [
        item["PolicyName"]
        for item in iam.list_attached_role_policies(RoleName="VedetteOtherAccount")["AttachedPolicies"]
    ] == ["VedetteViewer"]
    account.script("delete-stack", "cross-account-role", "--yes")
    # Without the two options, as a pipeline comes in: from B, with the session in A.
    outputs = account.make("cross-account-role")
    session = account.client("sts", OTHER).assume_role(RoleArn=outputs["RoleArn"], RoleSessionName="pipeline")
    keys = session["Credentials"]
    inside = boto3.client(
        "sts",
        endpoint_url=account.url,
        region_name=REGION,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    who = inside.get_caller_identity()
    assert (who["Account"], "assumed-role/VedetteOtherAccount/pipeline" in who["Arn"]) == (ACCOUNT, True)
    account.script("delete-stack", "cross-account-role", "--yes")


def test_the_bucket_takes_plain_or_old_connections_or_is_not_encrypted(account: Account) -> None:
    outputs = account.make("artifacts", BucketName="encrypted-one")
    s3, name = account.client("s3"), outputs["BucketName"]
    (rule,) = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert all(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    denying = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"]
    # The simulator takes no principals: the same denials, beside a statement that allows all.
    everything = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*"}
    plain = [{key: value for key, value in each.items() if key != "Principal"} for each in denying]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everything, *plain]})
    key = f"arn:aws:s3:::{name}/artifacts/1/a.zip"
    for secure, version, wanted in (
        ("true", "1.3", True),
        ("true", "1.2", True),
        ("true", "1.1", False),
        ("false", "1.2", False),
    ):
        context = {"aws__SecureTransport": secure, "s3__TlsVersion": version}
        assert account.allows([policy], "s3:GetObject", key, **context) is wanted, context
    s3.put_object(Bucket=name, Key="artifacts/1/a.zip", Body=b"x")
    account.script("delete-stack", "artifacts", "--yes")
    assert s3.head_object(Bucket=name, Key="artifacts/1/a.zip")["ContentLength"] == 1, "devices are repaired from it"


def test_logs_are_kept_without_the_key(account: Account) -> None:
    key = account.client("kms").create_key(Description="the fleet's own")["KeyMetadata"]["Arn"]
    account.make("logs", KmsKeyId=key, RetentionInDays="30", Components="vedette.Display,vedette.app.counter")
    groups = account.client("logs").describe_log_groups()["logGroups"]
    found = {item["logGroupName"]: (item.get("kmsKeyId"), item.get("retentionInDays")) for item in groups}
    own = "/aws/greengrass/UserComponent/eu-west-1"
    assert found == dict.fromkeys(
        (
            "/aws/greengrass/GreengrassSystemComponent/eu-west-1/System",
            f"{own}/vedette.Display",
            f"{own}/vedette.app.counter",
        ),
        (key, 30),
    )
    account.script("delete-stack", "logs", "--yes")


def test_a_private_site_in_an_own_vpc_lacks_an_endpoint(account: Account) -> None:
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/24")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/26")["Subnet"]["SubnetId"]
    account.make("private-site", VpcId=vpc, SubnetIds=subnet)
    try:
        made = ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["VpcEndpoints"]
        services = {item["ServiceName"].partition(f"{REGION}.")[2] for item in made}
        assert services == {
            "greengrass", "iot.api", "iot.credentials", "iot.data", "logs", "monitoring", "s3", "secretsmanager", "sts",
        }  # fmt: skip
        assert {item["VpcId"] for item in made} == {vpc}
        zones = account.client("route53").list_hosted_zones()["HostedZones"]
        assert {item["Name"].rstrip(".") for item in zones} == {
            GIVEN["private-site"]["IotDataEndpoint"],
            GIVEN["private-site"]["IotCredentialsEndpoint"],
        }
    finally:
        account.script("delete-stack", "private-site", "--yes")


def test_a_bucket_that_holds_something_cannot_be_got_rid_of(account: Account) -> None:
    """It stays when its stack goes, and is emptied by hand: docs/guide/devices.md says how (TRB-18)."""
    outputs = account.make("artifacts", BucketName="another-one")
    s3 = account.client("s3")
    s3.put_object(Bucket=outputs["BucketName"], Key="a", Body=b"x")
    account.script("delete-stack", "artifacts", "--yes")
    with pytest.raises(ClientError):
        s3.delete_bucket(Bucket="another-one")
    versions = s3.list_object_versions(Bucket="another-one")
    for item in (*versions.get("Versions", ()), *versions.get("DeleteMarkers", ())):
        s3.delete_object(Bucket="another-one", Key=item["Key"], VersionId=item["VersionId"])
    s3.delete_bucket(Bucket="another-one")
