"""Who is served next."""

from hypothesis import given, settings
from hypothesis import strategies as st

from vedette.rings.calls.fair_queue import FairQueue


def drain(queue: FairQueue[str, int]) -> list[tuple[str, int]]:
    taken = []
    while (turn := queue.pop()) is not None:
        taken.append(turn)
    return taken


def test_one_that_asks_a_lot_does_not_keep_others_waiting() -> None:
    queue: FairQueue[str, int] = FairQueue()
    for item in range(4):
        queue.push("greedy", item)
    queue.push("modest", 0)
    assert drain(queue) == [("greedy", 0), ("modest", 0), ("greedy", 1), ("greedy", 2), ("greedy", 3)]


def test_who_was_just_served_comes_last() -> None:
    queue: FairQueue[str, int] = FairQueue()
    queue.push("a", 0)
    queue.push("a", 1)
    queue.push("b", 0)
    assert queue.pop() == ("a", 0)
    queue.push("c", 0)
    assert drain(queue) == [("b", 0), ("a", 1), ("c", 0)]


def test_what_a_client_that_left_had_waiting_is_gone() -> None:
    queue: FairQueue[str, int] = FairQueue()
    for client in "abab":
        queue.push(client, 0)
    assert queue.drop("a") == 2
    assert queue.drop("nobody") == 0
    assert queue.waiting == 2
    assert drain(queue) == [("b", 0), ("b", 0)]


@settings(deadline=None)
@given(st.lists(st.sampled_from("abc") | st.none(), max_size=40))
def test_nothing_is_lost_doubled_or_put_out_of_order(steps: list[str | None]) -> None:
    """A letter pushes for that client, None pops."""
    queue: FairQueue[str, int] = FairQueue()
    pushed: dict[str, list[int]] = {client: [] for client in "abc"}
    taken: dict[str, list[int]] = {client: [] for client in "abc"}
    for number, step in enumerate(steps):
        if step is None:
            turn = queue.pop()
            if turn is not None:
                taken[turn[0]].append(turn[1])
        else:
            queue.push(step, number)
            pushed[step].append(number)
        assert queue.waiting == sum(map(len, pushed.values())) - sum(map(len, taken.values()))
    for client, number in drain(queue):
        taken[client].append(number)
    assert taken == pushed
