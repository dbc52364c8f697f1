"""What every command that speaks to AWS shares: options, the connection, failures."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from vedette.cli.failure import EXIT_CREDENTIALS, EXIT_FAILED, Failure

Profile = Annotated[str | None, typer.Option(metavar="NAME", help="Profile of the AWS configuration.")]
Region = Annotated[str | None, typer.Option(metavar="REGION", help="AWS region; default: AWS_REGION or the profile's.")]


@contextmanager
def speaking_to_aws() -> Iterator[None]:
    """Turn what AWS refuses into a failure of the command.

    :raises Failure: in place of a ``CloudError``; exit code 3 where credentials or permissions are missing
    """
    from vedette.cloud.errors import AccessDeniedError, CloudError, CredentialsError

    try:
        yield
    except CloudError as error:
        lacking = isinstance(error, (AccessDeniedError, CredentialsError))
        raise Failure(str(error), hint=error.hint, exit_code=EXIT_CREDENTIALS if lacking else EXIT_FAILED) from error
