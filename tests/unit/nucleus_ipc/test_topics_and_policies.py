"""Topic filters and policies."""

import logging
from typing import Any

import pytest

from vedette.nucleus.configuration import ConfigurationStore
from vedette.nucleus.ipc.authorization import PUBSUB, Authorizer, resource_pattern
from vedette.nucleus.ipc.broker import Broker
from vedette.nucleus.ipc.errors import UnauthorizedError
from vedette.nucleus.ipc.tokens import TokenRegistry
from vedette.nucleus.ipc.topics import SubscriptionTrie, has_wildcard


@pytest.mark.parametrize(
    ("topic_filter", "matching", "other"),
    [
        ("a/b", ["a/b", "a/b/"], ["a", "a/b/c", "a/c", "/a/b"]),
        ("a/+", ["a/b", "a/c"], ["a", "a/b/c", "b/a"]),
        ("a/#", ["a/b", "a/b/c"], ["a", "b"]),
        ("#", ["a", "a/b"], []),
        ("+/+", ["a/b", "/b"], ["a", "a/b/c"]),
        ("a/+/c", ["a/b/c"], ["a/c", "a/b/d"]),
        ("a/b+", ["a/b+"], ["a/bc"]),
    ],
)
def test_filter_matches_wrong_topic(topic_filter: str, matching: list[str], other: list[str]) -> None:
    trie: SubscriptionTrie[str] = SubscriptionTrie()
    trie.add(topic_filter, "x")
    assert [topic for topic in [*matching, *other] if trie.match(topic) == ["x"]] == matching


def test_removed_subscriber_leaves_levels_behind() -> None:
    trie: SubscriptionTrie[str] = SubscriptionTrie()
    trie.add("a/b", "x")
    trie.add("a", "y")
    trie.add("a/#", "x")
    assert len(trie) == 3
    trie.remove("a/b", "x")
    trie.remove("a/#", "x")
    trie.remove("a/none", "x")
    assert (trie.match("a/b"), trie.match("a"), len(trie)) == ([], ["y"], 1)
    trie.remove("a", "y")
    assert not trie._root.children


def test_overlapping_filters_give_two_messages() -> None:
    trie: SubscriptionTrie[str] = SubscriptionTrie()
    for topic_filter in ("a/b", "a/+", "a/#", "#"):
        trie.add(topic_filter, "x")
    assert trie.match("a/b") == ["x"]


@pytest.mark.parametrize(
    ("topic_filter", "expected"), [("a/b", False), ("a/+", True), ("a/#", True), ("a/#/b", False), ("a+/b", False)]
)
def test_wildcard_is_not_seen(topic_filter: str, expected: bool) -> None:
    assert has_wildcard(topic_filter) is expected


def test_failing_subscriber_stops_the_others(caplog: pytest.LogCaptureFixture) -> None:
    broker = Broker()
    heard: list[bytes] = []

    def fail(_topic: str, _payload: bytes, _source: str) -> None:
        raise ValueError("broken")

    broker.subscribe("t", fail)
    broker.subscribe("t", lambda _topic, payload, _source: heard.append(payload))
    assert broker.publish("t", b"1", "x") == 2
    assert heard == [b"1"]
    assert "a subscriber of t inside the nucleus failed" in caplog.text


@pytest.mark.parametrize(
    ("resource", "matching", "other"),
    [
        ("a/b", ["a/b"], ["a/bc", "xa/b"]),
        ("a/*", ["a/", "a/b", "a/b/c", "a/\n"], ["a", "b/a/"]),
        ("a/*/b", ["a//b", "a/x/y/b"], ["a/b"]),
        ("*", ["", "x"], []),
        ("a/#", ["a/#"], ["a/b"]),
        ("a/+", ["a/+"], ["a/b"]),
        ("a${*}b", ["a*b"], ["axb"]),
        ("a${?}${$}", ["a?$"], ["ax$"]),
        ("$aws/things/x/shadow", ["$aws/things/x/shadow"], ["aws/things/x/shadow"]),
        ("a.b[c]", ["a.b[c]"], ["axb[c]"]),
    ],
)
def test_resource_matches_wrong_name(resource: str, matching: list[str], other: list[str]) -> None:
    pattern = resource_pattern(resource)
    assert [name for name in [*matching, *other] if pattern.fullmatch(name)] == matching


@pytest.mark.parametrize(
    ("resource", "reason"), [("", "empty"), ("a?", "contains '\\?'"), ("${c}", "escape"), ("${", "escape")]
)
def test_resource_that_the_java_nucleus_refuses_is_used(resource: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        resource_pattern(resource)


def authorizer(policies: Any) -> Authorizer:
    store = ConfigurationStore()
    store.set_defaults("own", {"accessControl": policies})
    return Authorizer(store, "thing-1")


GOOD = {"operations": ["aws.greengrass#PublishToTopic"], "resources": ["{iot:thingName}/t"]}


def test_good_policy_is_refused() -> None:
    authorizer({PUBSUB: {"p": GOOD}}).check("own", PUBSUB, "PublishToTopic", "thing-1/t")


@pytest.mark.parametrize(
    ("component", "service", "operation", "resource"),
    [
        ("other", PUBSUB, "PublishToTopic", "thing-1/t"),
        ("own", "aws.greengrass.ShadowManager", "PublishToTopic", "thing-1/t"),
        ("own", PUBSUB, "SubscribeToTopic", "thing-1/t"),
        ("own", PUBSUB, "PublishToTopic", "thing-2/t"),
        ("own", PUBSUB, "PublishToTopic", ""),
    ],
)
def test_policy_opens_something_else(component: str, service: str, operation: str, resource: str) -> None:
    with pytest.raises(UnauthorizedError):
        authorizer({PUBSUB: {"p": GOOD}}).check(component, service, operation, resource)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("text", "it is not an object"),
        ({"resources": ["*"]}, "operations is missing"),
        ({"operations": [], "resources": ["*"]}, "operations is missing"),
        ({"operations": ["*"]}, "resources is missing"),
        ({"operations": "*", "resources": ["*"]}, "operations is missing"),
        ({"operations": ["aws.greengrass#Publish"], "resources": ["*"]}, "has no operation 'aws.greengrass#Publish'"),
        ({"operations": ["*"], "resources": ["a?"]}, "contains '?'"),
    ],
)
def test_broken_policy_is_used_or_breaks_the_others(policy: Any, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    checking = authorizer({PUBSUB: {"broken": policy, "good": GOOD}})
    for _ in range(2):
        checking.check("own", PUBSUB, "PublishToTopic", "thing-1/t")
    with pytest.raises(UnauthorizedError):
        checking.check("own", PUBSUB, "PublishToTopic", "x")
    assert len(caplog.records) == 1
    assert caplog.records[0].getMessage().startswith("policy broken of own is left out: ")
    assert reason in caplog.records[0].getMessage()


@pytest.mark.parametrize("policies", [None, "text", [], {PUBSUB: "text"}, {PUBSUB: []}, {}])
def test_access_control_of_wrong_form_opens_everything(policies: Any) -> None:
    with pytest.raises(UnauthorizedError):
        authorizer(policies).check("own", PUBSUB, "PublishToTopic", "t")


def test_token_of_a_former_start_stays_valid() -> None:
    revoked: list[str] = []
    tokens = TokenRegistry(revoked.append)
    first, other = tokens.issue("own"), tokens.issue("other")
    assert (len(first), first.isupper() or first.isdigit(), tokens.component(first)) == (16, True, "own")
    second = tokens.issue("own")
    assert (tokens.component(first), tokens.component(second), revoked) == (None, "own", ["own"])
    tokens.revoke("own")
    tokens.revoke("own")
    assert (tokens.component(second), tokens.component(other), revoked) == (None, "other", ["own", "own"])
    assert other not in repr(tokens)
