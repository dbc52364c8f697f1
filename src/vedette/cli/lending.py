"""Whose AWS credentials a local nucleus gives out: those of a profile of this user, when asked for."""

from collections.abc import Mapping

from vedette.cli.aws import speaking_to_aws
from vedette.nucleus.errors import NucleusError
from vedette.nucleus.token_exchange import Lend

__all__ = ["lender"]


def lender(profile: str | None, region: str | None = None) -> tuple[Lend, str]:
    """Return what lends the credentials of ``profile``, or of AWS's default chain where it is None, and their region.

    :raises Failure: for a profile that is not there, or an installation without boto3
    """
    with speaking_to_aws():
        # boto3 is loaded only where credentials are lent.
        from vedette.cloud.access import Cloud
        from vedette.cloud.errors import CloudError
        from vedette.cloud.lending import lend

        cloud = Cloud(profile=profile, region=region, attempts=2)

    def give() -> Mapping[str, str]:
        try:
            return lend(cloud)
        except CloudError as error:
            raise NucleusError(str(error)) from error

    return give, cloud.region
