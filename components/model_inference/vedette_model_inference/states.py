"""The states of a model and the moves between them."""

from vedette.messages import ModelState

MOVES: dict[ModelState, frozenset[ModelState]] = {
    ModelState.LOADING: frozenset({ModelState.READY, ModelState.FAILED}),
    ModelState.READY: frozenset({ModelState.FAILED}),
    ModelState.FAILED: frozenset({ModelState.LOADING}),
}


def check_move(before: ModelState, after: ModelState) -> None:
    """Raise RuntimeError when there is no such move: a fault of this component, not of a model."""
    if after not in MOVES[before]:
        allowed = ", ".join(sorted(state.value for state in MOVES[before]))
        raise RuntimeError(f"a model cannot go from {before.value} to {after.value}, only to {allowed}")
