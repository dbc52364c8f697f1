"""TLS: the operator's certificate, or one of the device's own that signs itself.

A certificate that signs itself keeps passers-by from reading along; the browser warns once, since nobody vouches for
who the device is. It is made with OpenSSL's command, which every device that speaks to AWS has by way of its package
of root certificates.
"""

import os
import ssl
import subprocess
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Final

DAYS: Final = 825
"""What browsers accept at most of a certificate that was added by hand."""
_RENEW_S: Final = 30 * 86400
_TIMEOUT_S: Final = 20.0


class CertificateError(Exception):
    """There is no certificate to serve with; says why and what to do."""


def load_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the server's side of TLS 1.2 and later.

    :raises CertificateError: when the files are no certificate and its key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or getattr(error, "reason", None) or "they do not belong together"
        raise CertificateError(
            f"certificate {certificate} and private key {key} cannot be used: {reason};"
            " expected PEM files, readable by the component's user"
        ) from error
    return context


def own_certificate(folder: Path, names: Iterable[str]) -> tuple[Path, Path]:
    """Return the device's own (certificate, key) in ``folder``; made when there is none, or when it soon ends.

    :raises CertificateError: when it cannot be made.
    """
    certificate, key = folder / "certificate.pem", folder / "certificate-key.pem"
    if certificate.is_file() and key.is_file() and _lasts(certificate):
        return certificate, key
    listed = sorted({*names, "localhost"})
    entries = ",".join(f"IP:{name}" if _is_address(name) else f"DNS:{name}" for name in listed)
    subject = (listed[0] if listed[0] != "localhost" else listed[-1])[:64]
    made, made_key = folder / ".certificate.new", folder / ".certificate-key.new"
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", str(DAYS), "-subj", f"/CN={subject}", "-addext", f"subjectAltName={entries}",
        "-addext", "extendedKeyUsage=serverAuth", "-keyout", str(made_key), "-out", str(made),
    ]  # fmt: skip
    try:
        # Before OpenSSL writes it: the key must at no moment be readable by others.
        made_key.unlink(missing_ok=True)
        os.close(os.open(made_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise CertificateError(f"openssl could not make a certificate: {last[:200]}")
        made_key.replace(key)
        made.replace(certificate)
    except FileNotFoundError as error:
        raise CertificateError(
            "there is no `openssl` to make a certificate with: install it (apt install openssl), name a certificate in"
            " `certificate` and `privateKey`, or serve without TLS (`tls: off`)"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CertificateError(f"the certificate cannot be made in {folder}: {type(error).__name__}") from error
    return certificate, key


def _lasts(certificate: Path) -> bool:
    command = ["openssl", "x509", "-checkend", str(_RENEW_S), "-noout", "-in", str(certificate)]
    try:
        return subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return True  # without the command it cannot be made anew either


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
