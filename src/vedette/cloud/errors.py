"""What may go wrong with AWS. Texts name what was wrong and hold no credentials."""


class CloudError(Exception):
    """AWS refused or did not answer; ``hint`` says what to do about it."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class CredentialsError(CloudError):
    """There are no credentials, they are not valid (any more), or no region is set."""


class AccessDeniedError(CloudError):
    """The credentials may not do this; the text names the action."""


class NotFoundError(CloudError):
    """What was asked for is not there."""


class AlreadyThereError(CloudError):
    """Something of that name is there already, or is being changed by somebody else."""


class PreconditionError(CloudError):
    """A conditional write found another state than the one it was meant for."""


class InvalidRequestError(CloudError):
    """AWS does not take the request; the text is the service's own."""


class QuotaError(CloudError):
    """A quota of the account is used up; the text names its code."""


class UnreachableError(CloudError):
    """No answer, or only refusals to work (throttling, server errors), also after several attempts."""
