"""Errors of model conversion.

ConversionError
  UnknownModel        the file is no model of a framework that is known
  ToolchainFailed     the converter's environment cannot be made here
  ConversionFailed    the converter does not take the model; names layer or operator where that is known
  ProofFailed         the result does not compute what the original does
"""


class ConversionError(Exception):
    """A model cannot be converted. ``hint``: what to do about it, or None."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UnknownModel(ConversionError):
    """The file is no model of a framework that is known."""


class ToolchainFailed(ConversionError):
    """The converter's environment cannot be made here."""


class ConversionFailed(ConversionError):
    """The converter does not take the model."""


class ProofFailed(ConversionError):
    """The result does not compute what the original does."""
