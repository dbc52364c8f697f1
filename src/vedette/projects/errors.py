"""The errors of changing projects."""


class ProjectError(Exception):
    """A project cannot be made or changed; the text says why, ``hint`` what to do. Nothing was changed."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
