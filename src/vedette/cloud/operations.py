"""Every operation of AWS that this package calls: what policies must allow and private sites must reach.

``Cloud.call`` takes no other, so this table is complete; a test finds entries that nothing calls.
"""

from collections.abc import Mapping
from typing import Final

OPERATIONS: Final[Mapping[str, frozenset[str]]] = {
    "sts": frozenset({"get_caller_identity", "get_session_token"}),
    "s3": frozenset(
        {
            "head_bucket",
            "create_bucket",
            "put_public_access_block",
            "head_object",
            "put_object",
            "delete_object",
            "get_bucket_policy",
            "get_object",
            "list_objects_v2",
            "list_multipart_uploads",
            "create_multipart_upload",
            "list_parts",
            "upload_part",
            "complete_multipart_upload",
            "abort_multipart_upload",
        }
    ),
    "greengrassv2": frozenset(
        {
            "create_component_version",
            "create_deployment",
            "delete_component",
            "delete_core_device",
            "describe_component",
            "get_component",
            "get_core_device",
            "get_deployment",
            "list_component_versions",
            "list_core_devices",
            "list_components",
            "list_deployments",
            "list_effective_deployments",
            "list_installed_components",
            "tag_resource",
        }
    ),
    "iam": frozenset(
        {
            "get_policy",
            "get_policy_version",
            "get_role",
            "get_role_policy",
            "list_attached_role_policies",
            "list_role_policies",
            "simulate_principal_policy",
        }
    ),
    "iot": frozenset(
        {
            "add_thing_to_thing_group",
            "attach_policy",
            "attach_thing_principal",
            "cancel_job",
            "create_job",
            "create_keys_and_certificate",
            "create_thing",
            "create_thing_group",
            "delete_certificate",
            "delete_thing",
            "describe_certificate",
            "describe_endpoint",
            "describe_job",
            "describe_job_execution",
            "describe_provisioning_template",
            "describe_role_alias",
            "describe_thing",
            "describe_thing_group",
            "detach_policy",
            "detach_thing_principal",
            "get_policy",
            "list_attached_policies",
            "list_job_executions_for_job",
            "list_job_executions_for_thing",
            "list_thing_groups",
            "list_thing_groups_for_thing",
            "list_targets_for_policy",
            "list_thing_principals",
            "list_things",
            "search_index",
            "update_certificate",
            "update_thing",
        }
    ),
    "logs": frozenset({"describe_log_groups", "filter_log_events"}),
    "iot-data": frozenset({"get_thing_shadow", "update_thing_shadow"}),
    "secretsmanager": frozenset(
        {
            "create_secret",
            "delete_secret",
            "describe_secret",
            "get_secret_value",
            "list_secrets",
            "put_secret_value",
            "update_secret",
        }
    ),
}
"""boto3's name of a service -> operations, in boto3's spelling."""

OPTIONAL: Final = frozenset({"iam"})
"""Services whose answer only makes a check better: private sites reach IAM in us-east-1 alone."""

IAM_PREFIXES: Final[Mapping[str, str]] = {"greengrassv2": "greengrass", "iot-data": "iot"}
"""boto3's name of a service -> its prefix in IAM actions, where they differ."""

NOT_REPEATABLE: Final = frozenset({("iot", "create_keys_and_certificate")})
"""Operations whose repetition makes a second thing: they are repeated only when AWS surely did not carry them out."""


_S3_ACTIONS: Final[Mapping[str, str]] = {
    "head_bucket": "s3:ListBucket",
    "put_public_access_block": "s3:PutBucketPublicAccessBlock",
    "head_object": "s3:GetObject",
    "list_objects_v2": "s3:ListBucket",
    "list_multipart_uploads": "s3:ListBucketMultipartUploads",
    "create_multipart_upload": "s3:PutObject",
    "list_parts": "s3:ListMultipartUploadParts",
    "upload_part": "s3:PutObject",
    "complete_multipart_upload": "s3:PutObject",
    "abort_multipart_upload": "s3:AbortMultipartUpload",
}
"""Operations of S3 whose IAM action has another name."""


def iam_action(service: str, operation: str) -> str:
    """Return the IAM action of an operation: ``greengrass:CreateDeployment``."""
    if service == "s3" and operation in _S3_ACTIONS:
        return _S3_ACTIONS[operation]
    name = "".join(part.capitalize() for part in operation.split("_"))
    return f"{IAM_PREFIXES.get(service, service)}:{name}"
