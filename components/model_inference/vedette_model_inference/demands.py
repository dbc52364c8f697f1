"""Who wants which model: leases that end by silence."""

from collections.abc import Callable
from dataclasses import dataclass

from vedette.messages import TTL_S, ModelDemand

_MAX_LEASES = 1024


@dataclass(frozen=True)
class _Lease:
    demand: ModelDemand
    until: float


class DemandTable:
    """Leases by model and user (``instance/node``). ``clock``: monotonic seconds."""

    def __init__(self, clock: Callable[[], float], ttl_s: float = TTL_S) -> None:
        self._clock = clock
        self._ttl_s = ttl_s
        self._leases: dict[str, dict[str, _Lease]] = {}

    def hear(self, demand: ModelDemand) -> bool:
        """Begin, renew or (``wanted=False``) end a lease; False when there are too many to begin another."""
        user = f"{demand.instance}/{demand.node}"
        leases = self._leases.get(demand.model_id, {})
        if not demand.wanted:
            leases.pop(user, None)
            if not leases:
                self._leases.pop(demand.model_id, None)
            return True
        if user not in leases and sum(map(len, self._leases.values())) >= _MAX_LEASES:
            return False
        self._leases.setdefault(demand.model_id, {})[user] = _Lease(demand, self._clock() + self._ttl_s)
        return True

    def expire(self) -> None:
        """Forget who was silent too long."""
        now = self._clock()
        for model_id in list(self._leases):
            alive = {user: lease for user, lease in self._leases[model_id].items() if lease.until > now}
            if alive:
                self._leases[model_id] = alive
            else:
                del self._leases[model_id]

    def models(self) -> list[str]:
        """Return the models that somebody wants."""
        return list(self._leases)

    def users(self, model_id: str) -> list[str]:
        """Return who wants a model, sorted."""
        return sorted(self._leases.get(model_id, {}))

    def demands(self, model_id: str) -> list[ModelDemand]:
        """Return the demands for a model, the one that lasted longest first."""
        return [lease.demand for lease in self._leases.get(model_id, {}).values()]
