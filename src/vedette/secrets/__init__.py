"""Secrets of AWS Secrets Manager, whichever nucleus runs the component."""

from vedette.secrets.reader import SecretReader

__all__ = ["SecretReader"]
