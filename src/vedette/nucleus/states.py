"""The states of a component and the moves between them, as AWS's nucleus has them."""

from collections.abc import Mapping
from enum import Enum
from typing import Final


class ComponentState(str, Enum):
    """State of a component."""

    NEW = "NEW"
    INSTALLED = "INSTALLED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    FINISHED = "FINISHED"
    ERRORED = "ERRORED"
    BROKEN = "BROKEN"


class Move(str, Enum):
    """What happens to a component."""

    INSTALLED = "installed"
    START = "start"
    READY = "ready"
    COMPLETE = "complete"
    FAIL = "fail"
    RETRY = "retry"
    REINSTALL = "reinstall"
    GIVE_UP = "give up"
    STOP = "stop"
    STOPPED = "stopped"


_S, _M = ComponentState, Move
MOVES: Final[Mapping[tuple[ComponentState, Move], ComponentState]] = {
    (_S.NEW, _M.INSTALLED): _S.INSTALLED,
    (_S.NEW, _M.FAIL): _S.ERRORED,
    (_S.NEW, _M.STOP): _S.STOPPING,
    (_S.INSTALLED, _M.START): _S.STARTING,
    (_S.INSTALLED, _M.STOP): _S.STOPPING,
    (_S.STARTING, _M.READY): _S.RUNNING,
    (_S.STARTING, _M.COMPLETE): _S.FINISHED,
    (_S.STARTING, _M.FAIL): _S.ERRORED,
    (_S.STARTING, _M.STOP): _S.STOPPING,
    (_S.RUNNING, _M.COMPLETE): _S.FINISHED,
    (_S.RUNNING, _M.FAIL): _S.ERRORED,
    (_S.RUNNING, _M.STOP): _S.STOPPING,
    (_S.ERRORED, _M.RETRY): _S.INSTALLED,
    (_S.ERRORED, _M.REINSTALL): _S.NEW,
    (_S.ERRORED, _M.GIVE_UP): _S.BROKEN,
    (_S.ERRORED, _M.STOP): _S.STOPPING,
    (_S.STOPPING, _M.STOPPED): _S.FINISHED,
    (_S.FINISHED, _M.RETRY): _S.INSTALLED,
    (_S.FINISHED, _M.REINSTALL): _S.NEW,
    (_S.BROKEN, _M.REINSTALL): _S.NEW,
}
"""Every allowed move; only a new installation leads out of BROKEN."""

READY: Final = frozenset({ComponentState.RUNNING, ComponentState.FINISHED})
"""States in which a HARD dependent may start, and which a deployment waits for."""


def after(state: ComponentState, move: Move) -> ComponentState:
    """Return the state that ``move`` leads to.

    :raises ValueError: if the move is not allowed in that state
    """
    try:
        return MOVES[state, move]
    except KeyError:
        raise ValueError(f"a component that is {state.value} cannot {move.value}") from None
