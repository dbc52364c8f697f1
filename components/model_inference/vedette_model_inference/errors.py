"""Errors of this component.

ModelInferenceError
  ConfigurationError   the component's configuration is wrong
  LoadError            a model cannot be served; the reason is for people
    LoadStopped        the component is being stopped
"""


class ModelInferenceError(Exception):
    """Base of this component's errors."""


class ConfigurationError(ModelInferenceError):
    """The component's configuration is wrong; the message names the key."""


class LoadError(ModelInferenceError):
    """A model cannot be served. Its text becomes the status's detail: what is wrong, what was expected, what to do.

    ``retry_after_s``: try again after this time even if the file stays as it is; None waits for another file.
    """

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class LoadStopped(LoadError):
    """Stopping was asked for in the middle of a load."""


def first_line(error: BaseException, limit: int = 300) -> str:
    """Return the first line of an error's text, cut to ``limit`` characters: what fits a status."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"
