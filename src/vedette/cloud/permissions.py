"""Which policy of infra/operators.yaml allows what: named where AWS refuses."""

from typing import Final

VIEWER: Final = frozenset(
    {
        "greengrass:DescribeComponent",
        "greengrass:GetComponent",
        "greengrass:GetCoreDevice",
        "greengrass:GetDeployment",
        "greengrass:ListComponentVersions",
        "greengrass:ListComponents",
        "greengrass:ListCoreDevices",
        "greengrass:ListDeployments",
        "greengrass:ListEffectiveDeployments",
        "greengrass:ListInstalledComponents",
        "iot:DescribeEndpoint",
        "iot:DescribeJob",
        "iot:DescribeJobExecution",
        "iot:DescribeThing",
        "iot:DescribeThingGroup",
        "iot:GetThingShadow",
        "iot:ListAttachedPolicies",
        "iot:ListJobExecutionsForJob",
        "iot:ListJobExecutionsForThing",
        "iot:ListThingGroups",
        "iot:ListThings",
        "iot:ListThingGroupsForThing",
        "iot:ListThingPrincipals",
        "iot:SearchIndex",
        "logs:DescribeLogGroups",
        "logs:FilterLogEvents",
        "s3:ListBucket",
        "secretsmanager:DescribeSecret",
        "secretsmanager:ListSecrets",
        "sts:GetCallerIdentity",
    }
)
"""What vedette calls and the viewer's policy allows."""
DEPLOYER: Final = frozenset(
    {
        "greengrass:CreateComponentVersion",
        "greengrass:CreateDeployment",
        "greengrass:DeleteComponent",
        "greengrass:TagResource",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "iam:SimulatePrincipalPolicy",
        "iot:CancelJob",
        "iot:CreateJob",
        "iot:DescribeRoleAlias",
        "iot:UpdateThingShadow",
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetBucketPolicy",
        "s3:GetObject",
        "s3:ListBucketMultipartUploads",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
    }
)
"""What the deployer's policy allows besides."""


def granted_by(action: str) -> str:
    """Return which policy allows an IAM action: Viewer, Deployer or Administrator, with the stack's prefix."""
    name = "Viewer" if action in VIEWER else "Deployer" if action in DEPLOYER else "Administrator"
    return f"Vedette{name}"
