"""A certificate that is not valid yet, or no more: mostly the device's clock is wrong, and the words say so."""

import ssl

import pytest

from vedette.aws_calls.transport import reason


@pytest.mark.parametrize(("code", "clock"), [(9, True), (10, True), (18, False), (62, False)])
def test_a_wrong_clock_reads_as_a_wrong_certificate(code: int, clock: bool) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "certificate is not yet valid"
    said = reason(error)
    assert said.startswith("its certificate is not trusted (certificate is not yet valid)")
    assert ("this device's clock says" in said and "is it set?" in said) is clock
