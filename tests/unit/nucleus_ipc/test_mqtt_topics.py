"""MQTT wildcards: in the policies of IoT Core topics, and in topic filters of the loop-back."""

import pytest

from vedette.nucleus.ipc.authorization import resource_pattern
from vedette.nucleus.ipc.iot_core import topic_problem
from vedette.nucleus.ipc.topics import filter_pattern


@pytest.mark.parametrize(
    ("resource", "topic", "allowed"),
    [
        ("a/+/c", "a/b/c", True),
        ("a/+/c", "a/b/x/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/#", "ab", False),
        ("a/#/c", "a/b/c", False),
        ("a+/b", "ax/b", False),
        ("a+/b", "a+/b", True),
        ("*/x", "a/b/x", True),
        ("a/${*}", "a/*", True),
        ("a/#", "a/#", True),
    ],
)
def test_policy_allows_the_wrong_iot_core_topic(resource: str, topic: str, allowed: bool) -> None:
    assert bool(resource_pattern(resource, mqtt=True).fullmatch(topic)) is allowed


def test_local_policy_reads_topic_wildcards() -> None:
    assert not resource_pattern("a/#").fullmatch("a/b")
    assert not resource_pattern("a/+").fullmatch("a/b")


@pytest.mark.parametrize(
    ("topic_filter", "topic", "matches"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/", True),
        ("a/+", "a/b/c", False),
        ("a/#", "a", True),
        ("#", "a/b", True),
        ("#", "$aws/things", False),
        ("+/b", "$aws/b", False),
        ("$aws/#", "$aws/things/x", True),
        ("a.b", "axb", False),
        ("a/b+", "a/bx", False),
    ],
)
def test_filter_takes_the_wrong_topic(topic_filter: str, topic: str, matches: bool) -> None:
    assert bool(filter_pattern(topic_filter).fullmatch(topic)) is matches


def test_reserved_topic_is_counted_like_others() -> None:
    assert topic_problem("$aws/things/t/shadow/name/n/update/accepted", publish=False) is None
    assert topic_problem("$aws/rules/rule" + "/x" * 8, publish=True) is None
    assert topic_problem("$aws/rules/rule" + "/x" * 9, publish=True) == (
        "The request topic must have no more than 7 forward slashes (/)"
    )
    assert topic_problem("", publish=False) == "Topic must not be empty"
