"""Logins: the vectors of the RFCs, and challenges as cameras write them."""

import re

import pytest

from vedette.rtsp.authentication import Challenge, authorize, parse_challenges, strongest

RFC_2617 = (
    'Digest realm="testrealm@host.com", qop="auth,auth-int", '
    'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
NONCE_7616 = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def answer(challenge: str, password: str, client_nonce: str) -> str:
    chosen = strongest(parse_challenges([challenge]))
    assert chosen is not None
    return authorize(
        chosen, method="GET", uri="/dir/index.html", user="Mufasa", password=password, client_nonce=client_nonce
    )


def response_of(header: str) -> str:
    found = re.search(r'response="([0-9a-f]+)"', header)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("challenge", "password", "client_nonce", "expected"),
    [
        (RFC_2617, "Circle Of Life", "0a4f113b", "6629fae49393a05397450978507c4ef1"),
        (RFC_7616.format(algorithm="MD5"), "Circle of Life", NONCE_7616, "8ca523f5e9506fed4657c9700eebdbec"),
        (
            RFC_7616.format(algorithm="SHA-256"), "Circle of Life", NONCE_7616,
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
        (
            # RFC 2069 without qop, with the response of its erratum 749.
            'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"',
            "CircleOfLife", "unused", "1949323746fe6a43ef61f9606e7febea",
        ),
    ],
)  # fmt: skip
def test_digest_vectors_of_the_rfcs(challenge: str, password: str, client_nonce: str, expected: str) -> None:
    assert response_of(answer(challenge, password, client_nonce)) == expected


def test_digest_answer_repeats_what_the_server_wants_back() -> None:
    header = answer(RFC_2617, "Circle Of Life", "0a4f113b")
    assert 'opaque="5ccc069c403ebaf9f0171e9517f40e41"' in header
    assert "qop=auth, nc=00000001" in header
    assert "algorithm" not in header


def test_session_variant_differs_from_the_plain_one() -> None:
    plain = answer(RFC_7616.format(algorithm="MD5"), "x", "c")
    session = answer(RFC_7616.format(algorithm="MD5-sess"), "x", "c")
    assert response_of(plain) != response_of(session)
    assert "algorithm=MD5-sess" in session


def test_basic_vector_of_the_rfc() -> None:
    header = authorize(
        Challenge("basic"), method="DESCRIBE", uri="", user="Aladdin", password="open sesame", client_nonce=""
    )
    assert header == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (['Basic realm="x"'], ["basic"]),
        (['Digest realm="x", nonce="n"', 'Basic realm="x"'], ["digest (MD5)", "basic"]),
        (['Digest realm="x",nonce="n",stale=FALSE, Basic realm="y"'], ["digest (MD5)", "basic"]),
        (['Basic realm="y", Digest algorithm=SHA-256, realm="a \\"b\\"", nonce="n"'], ["basic", "digest (SHA-256)"]),
        (["Negotiate", 'Bearer realm="x"'], ["negotiate", "bearer"]),
        (["", "   ,"], []),
    ],
)
def test_challenges_of_every_shape(values: list[str], names: list[str]) -> None:
    assert [challenge.name for challenge in parse_challenges(values)] == names


def test_parameters_keep_commas_and_quotes() -> None:
    (challenge,) = parse_challenges(['Digest realm="Axis, \\"dock\\"", nonce=abc, qop="auth"'])
    assert challenge.parameters == {"realm": 'Axis, "dock"', "nonce": "abc", "qop": "auth"}


def test_strongest_way_wins_and_unknown_ones_are_left_alone() -> None:
    offered = parse_challenges(['Basic realm="x"', 'Digest realm="x", nonce="n", algorithm=SHA-256'])
    chosen = strongest([*offered, *parse_challenges(['Digest realm="x", nonce="n"', "Negotiate"])])
    assert chosen is not None
    assert chosen.name == "digest (SHA-256)"
    assert strongest(parse_challenges(["Negotiate", 'Digest realm="x"', 'Digest nonce="n", algorithm=X'])) is None
