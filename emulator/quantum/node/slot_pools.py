"""A node's slots in pools: one for the program, one for each service that has slots of its own.

Owns which pool an owner takes from, and the count of each. Does not own who waits for a slot
(node_devices.py).

Rule: nothing is borrowed. An owner takes from its own pool, or from the program's if it has none, and never
from another's, whatever is free there.
"""

from __future__ import annotations

from ...devices.memory import Slots
from ...topology.model.topology import NodeSpec


class SlotPools:
    """The pools of one node, by name; "" is the program's."""

    __slots__ = ("pools",)

    def __init__(self, spec: NodeSpec) -> None:
        self.pools = {"": Slots(spec.own_slots)}
        for name, service in sorted(spec.services.items()):
            if service.slots is not None:
                self.pools[name] = Slots(service.slots)

    @property
    def count(self) -> int:
        """Slots in all pools together."""
        return sum(pool.count for pool in self.pools.values())

    @property
    def used(self) -> int:
        """Taken slots in all pools together."""
        return sum(pool.used for pool in self.pools.values())

    @property
    def free(self) -> int:
        """Free slots in all pools together."""
        return self.count - self.used

    def pool_of(self, owner: str) -> str:
        """The pool that an owner takes from."""
        return owner if owner in self.pools else ""

    def count_of(self, pool: str) -> int:
        """Slots of a pool."""
        return self.pools[pool].count

    def free_of(self, pool: str) -> int:
        """Free slots of a pool."""
        slots = self.pools[pool]
        return slots.count - slots.used

    def take(self, pool: str) -> bool:
        """Take a slot of a pool; False (and nothing taken) if none is free."""
        slots = self.pools[pool]
        if slots.used >= slots.count:
            return False
        slots.used += 1
        return True

    def release(self, pool: str) -> None:
        """Give a slot of a pool back. Raises InternalError if none is taken."""
        self.pools[pool].release()

    def empty(self) -> None:
        """Nothing is taken any more."""
        self.pools = {name: Slots(pool.count) for name, pool in self.pools.items()}

    def of_services(self) -> dict[str, tuple[int, int]]:
        """Service -> slots in use, and slots, of its own pool."""
        return {name: (pool.used, pool.count) for name, pool in self.pools.items() if name}

    def __repr__(self) -> str:
        named = {name or "program": pool for name, pool in self.pools.items()}
        if len(named) == 1:
            return repr(named["program"])
        return "<SlotPools " + ", ".join(f"{n} {p.used}/{p.count}" for n, p in named.items()) + ">"
