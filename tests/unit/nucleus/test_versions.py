"""Versions and requirements: npm's rules, as Greengrass uses them."""

import pytest

from vedette.nucleus.recipe import Version, VersionRequirement


@pytest.mark.parametrize(
    ("requirement", "allowed", "refused"),
    [
        ("^1.2.3", ["1.2.3", "1.9.0"], ["1.2.2", "2.0.0", "2.0.0-rc.1"]),
        ("^0.1.0", ["0.1.0", "0.1.9"], ["0.2.0", "0.0.9"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^1", ["1.0.0", "1.99.0"], ["2.0.0"]),
        ("~1.2.3", ["1.2.3", "1.2.99"], ["1.3.0"]),
        ("~1", ["1.0.0", "1.9.9"], ["2.0.0"]),
        ("1.2.3", ["1.2.3"], ["1.2.4"]),
        ("=1.2.3", ["1.2.3"], ["1.2.4"]),
        ("1.x", ["1.0.0", "1.7.2"], ["2.0.0"]),
        ("1.2.*", ["1.2.9"], ["1.3.0"]),
        ("*", ["0.0.1", "9.0.0"], ["1.0.0-beta"]),
        ("", ["0.0.1"], ["1.0.0-beta"]),
        (">=1.0.0 <2.0.0", ["1.0.0", "1.9.9"], ["2.0.0", "0.9.0"]),
        (">= 1.0.0 < 2.0.0", ["1.0.0", "1.9.9"], ["2.0.0"]),
        (">1.2", ["1.3.0"], ["1.2.9"]),
        ("<=1.2", ["1.2.9"], ["1.3.0"]),
        ("1.0.0 - 1.4", ["1.0.0", "1.4.9"], ["1.5.0"]),
        ("^1.0.0 || ^3.0.0", ["1.1.0", "3.1.0"], ["2.0.0"]),
        (">=1.0.0-beta.2", ["1.0.0-beta.10", "1.0.0", "1.1.0"], ["1.0.0-beta.1", "1.1.0-beta.3"]),
    ],
)
def test_a_range_takes_the_wrong_version(requirement: str, allowed: list[str], refused: list[str]) -> None:
    parsed = VersionRequirement.parse(requirement)
    assert [v for v in allowed if not parsed.allows(Version.parse(v))] == []
    assert [v for v in refused if parsed.allows(Version.parse(v))] == []


def test_order_of_versions() -> None:
    # The order that semver.org gives as its example.
    texts = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0"]
    assert [str(v) for v in sorted(map(Version.parse, reversed(texts)))] == texts


@pytest.mark.parametrize("text", ["1.0", "01.0.0", "v1.0.0", "1.0.0.0", "one", "", "1.0.0-", "1.0.0-" + "a" * 60])
def test_a_text_that_is_no_version_passes(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected major\.minor\.patch"):
        Version.parse(text)


@pytest.mark.parametrize("text", ["^", "one", ">=1.0.0 <", "1.2.3.4", "^^1.0.0", "1.0.0 - "])
def test_a_text_that_is_no_requirement_passes(text: str) -> None:
    with pytest.raises(ValueError, match="expected an npm-style range"):
        VersionRequirement.parse(text)
