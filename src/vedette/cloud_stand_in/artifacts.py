"""Reads artifacts from what stands in for S3."""

from vedette.cloud_stand_in.component_store import Fetch


def read_from_s3(endpoint: str, region: str) -> Fetch:
    """Return a reader of objects at ``endpoint``, with the credentials that stand-ins take."""
    import boto3
    from botocore.exceptions import ClientError

    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106 - stand-ins take any
    )

    def fetch(bucket: str, key: str) -> bytes | None:
        try:
            data: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError:
            return None
        return data

    return fetch
