"""What an application without an AWS role finds where its SDK for AWS looks for credentials.

An appliance offered credentials by a container provider, which failed where the application had no role: boto3 then
raises CredentialRetrievalError as soon as a client is made, and applications catch that to go on without AWS. With
nothing offered at all, boto3 raises NoCredentialsError at the first request instead, which they do not expect.
"""

from typing import Final

from vedette_app_runtime.sandbox.spec import SDK

NO_ROLE: Final = {
    # Its credential_process fails at once. A container provider that fails takes botocore three tries, 3 s a client.
    "AWS_CONFIG_FILE": f"{SDK}/no_role.ini",
    # For an application that brings a configuration file of its own. Nobody listens on TCP port 1 (tcpmux).
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/this-application-has-no-role",
    # The role of an EC2 device is not the application's.
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Environment variables; what the application's descriptor sets comes on top of them."""
