"""A node's quantum side: its slots, its operations under way, and how good its devices are.

Owns which operations have a slot and which wait for one, until when each qubit is busy, whose each qubit and
operation is, and the list of operations that have not ended. Does not own the qubits (registry.py), the pools
of slots (slot_pools.py) or what operations do (quantum/operations/).

Rule: in each pool, slots used == qubits held + requests that are open (an operation that has got its slot and
has not ended). An operation gets slot and place (places.py) at once, or waits for both; of those that wait
the oldest that can have both gets them, and none waits while it could. What services measure is drawn from
generators of their own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from ...errors import OperationError
from ...kernel.ports import Entry
from ...states.noise import depolarising
from ...topology.model.topology import NodeSpec
from ...wire import Operation
from .attempt_log import AttemptLog
from .places import Places
from .slot_pools import SlotPools

#: The kinds of places that an operation may need.
COMMUNICATION, ANY_PLACE = "communication", "any"


class Pending:
    """One operation that has been issued and has not ended."""

    __slots__ = (
        "end_ns",
        "entry",
        "incarnation",
        "number",
        "opener",
        "operation",
        "owner",
        "place",
        "pool",
        "refusal",
        "devices",
        "withdrawn",
    )

    def __init__(self, devices: NodeDevices, operation: Operation) -> None:
        self.devices = devices
        self.operation = operation
        self.number = operation.number
        self.incarnation = devices.incarnation
        #: Whose it is: a service, or "" for the program; and the pool of which it has, or awaits, a slot.
        owners = devices.operation_owners
        self.owner = owners.get(operation.number, "") if owners else ""
        self.pool: str | None = None
        #: What kind of place it needs: "" for none, communication, or any.
        self.place = ""
        self.end_ns = 0
        self.entry: Entry | None = None
        #: What opens it once it has a slot; set exactly while it waits for one.
        self.opener: Callable[[], None] | None = None
        self.refusal: OperationError | None = None
        self.withdrawn = False

    @property
    def has_slot(self) -> bool:
        """Whether a slot is taken for the qubit that this will bring."""
        return self.pool is not None and self.opener is None

    def cancel(self) -> None:
        """Take its end off the agenda."""
        if self.entry is not None:
            self.entry.cancel()


class NodeDevices:
    """The quantum side of one node. It lives as long as the run; incarnations come and go."""

    __slots__ = (
        "alive",
        "allocated",
        "attempts",
        "bell_success",
        "busy",
        "flip",
        "incarnation",
        "initial_map",
        "initialisation_ns",
        "measure_ns",
        "memory_reset_ns",
        "name",
        "operation_owners",
        "owners",
        "pending",
        "places",
        "promised",
        "rng",
        "rngs",
        "services",
        "single_map",
        "single_ns",
        "slots",
        "storing_map",
        "two_map",
        "two_ns",
        "unmet",
        "waiting",
    )

    def __init__(
        self,
        spec: NodeSpec,
        rng: np.random.Generator,
        of_service: Callable[[str], np.random.Generator] | None = None,
        attempts: AttemptLog | None = None,
    ) -> None:
        self.name = spec.name
        self.rng = rng
        #: What services measure is drawn from these.
        self.services = list(spec.services)
        self.rngs = {} if of_service is None else {name: of_service(name) for name in self.services}
        self.single_ns, self.two_ns = spec.gates.single_ns, spec.gates.two_ns
        self.measure_ns, self.flip = spec.measurement.duration_ns, spec.measurement.error
        self.bell_success = spec.bell_measurement.success
        self.initialisation_ns = spec.memory.initialisation_ns
        initial = spec.memory.initialisation_error
        self.initial_map = depolarising(initial) if initial > 0 else None
        single, two = spec.gates.single_error, spec.gates.two_error
        self.single_map = depolarising(single) if single > 0 else None
        self.two_map = depolarising(two, 2) if two > 0 else None
        #: Storing a qubit takes two two-qubit gates, whose error the other qubit is not kept to share.
        self.storing_map = depolarising(1 - (1 - two) ** 2) if two > 0 else None
        self.slots = SlotPools(spec)
        communication = spec.memory.communication
        self.places = None if communication is None else Places(communication, spec.memory.slots)
        #: Kept where attempts disturb what is stored.
        self.attempts = attempts
        #: Qubit -> its service, and number of an operation -> its service; those of the program are missing.
        self.owners: dict[str, str] = {}
        self.operation_owners: dict[int, str] = {}
        #: Number of a hand-over -> the pool of which it has a slot for the receiver.
        self.promised: dict[int, str] = {}
        self.incarnation, self.alive = 1, True
        #: When all that lay in its memory was last reset by a fault: nothing there is older.
        self.memory_reset_ns = 0
        #: Qubits allocated so far, by all incarnations.
        self.allocated = 0
        self.pending: dict[int, Pending] = {}
        self.waiting: deque[Pending] = deque()
        #: Qubit -> end of the last operation issued on it, where that lay in the future.
        self.busy: dict[str, int] = {}
        #: Halves held that are for one of another link: qubit -> the word that says which, and its own link.
        self.unmet: dict[str, tuple[str, str]] = {}

    def owner_of(self, number: int) -> str:
        """Whose an operation under way is."""
        return self.operation_owners.get(number, "") if self.operation_owners else ""

    def rng_of(self, operation: Operation) -> np.random.Generator:
        """The generator that the operation's owner draws from."""
        owners = self.operation_owners
        owner = owners.get(operation.number, "") if owners else ""
        return self.rngs[owner] if owner else self.rng

    def claim(
        self,
        pending: Pending,
        opener: Callable[[], None],
        owner: str | None = None,
        place: str = "",
    ) -> None:
        """Call `opener` as soon as there is a slot for `pending`: now, or after those waiting.

        Of the pool of `owner`, which is the operation's own if it is not given. `place`: the kind of place
        that the qubit will need as well.
        """
        taker = pending.owner if owner is None else owner
        pending.pool = taker if taker in self.slots.pools else ""
        pending.place = place
        if self.slots.take(pending.pool) if self.places is None else self._take(pending):
            opener()
        else:
            pending.opener = opener
            self.waiting.append(pending)

    def _take(self, pending: Pending) -> bool:
        """Slot and place for an operation; False (and nothing taken) if it cannot have both."""
        places, pool = self.places, pending.pool
        assert pool is not None
        if not self.slots.take(pool):
            return False
        if places is None or not pending.place:
            return True
        if places.take(pending.number, pending.place == ANY_PLACE):
            return True
        self.slots.release(pool)
        return False

    def take_for(self, qubit: str, owner: str) -> bool:
        """Slot and place for a qubit that comes by itself; False if it finds none."""
        pool = self.slots.pool_of(owner)
        if not self.slots.take(pool):
            return False
        if self.places is not None and not self.places.take(qubit, anywhere=False):
            self.slots.release(pool)
            return False
        return True

    def release(self, pool: str | None) -> None:
        """A slot of the pool is free again."""
        assert pool is not None
        self.slots.release(pool)
        self.serve_waiting()

    def serve_waiting(self) -> None:
        """Open those that wait and can have what they need by now, the oldest first."""
        if not self.waiting:
            return
        for pending in list(self.waiting):
            if pending.opener is not None and self._take(pending):
                self.waiting.remove(pending)
                opener, pending.opener = pending.opener, None
                opener()

    def give_back(self, pending: Pending) -> None:
        """The operation brings no qubit: its slot and its place are free."""
        if self.places is not None:
            self.places.leave(pending.number)
        self.release(pending.pool)

    def bring(self, number: int, qubit: str) -> None:
        """The operation has brought this qubit, which lies in its place."""
        if self.places is not None:
            self.places.rename(number, qubit)

    def take_back(self, number: int, qubit: str) -> None:
        """The qubit is gone, and the operation will bring another."""
        if self.places is not None:
            self.places.rename(qubit, number)

    def hold(self, qubit: str, owner: str) -> None:
        """The qubit in a slot of the owner's pool is this owner's from now on."""
        if owner:
            self.owners[qubit] = owner
        elif self.owners:
            self.owners.pop(qubit, None)

    def pool_with(self, qubit: str) -> str:
        """The pool in whose slot the qubit lies."""
        return self.slots.pool_of(self.owners.get(qubit, "")) if self.owners else ""

    def is_unmet(self, word: str, link: str, qubit: str) -> bool:
        """A half has come that is for one of another link with the same word: whether none is held."""
        found = True
        for other, there in self.unmet.values():
            if other == word and there != link:
                found = False
        self.unmet[qubit] = word, link
        return found

    def vacate(self, qubit: str) -> None:
        """The qubit has left its slot."""
        if self.unmet:
            self.unmet.pop(qubit, None)
        owner = self.owners.pop(qubit, "") if self.owners else ""
        if self.busy:
            self.busy.pop(qubit, None)
        if self.places is not None:
            self.places.leave(qubit)
        pools = self.slots.pools
        pools[owner if owner in pools else ""].release()
        if self.waiting:
            self.serve_waiting()

    def occupy(self, qubits: Sequence[str], now_ns: int, duration_ns: int) -> int:
        """Queue an operation behind all issued on its qubits: its end, in ns."""
        busy = self.busy
        start_ns = now_ns
        if busy:
            for qubit in qubits:
                start_ns = max(start_ns, busy.get(qubit, 0))
        end_ns = start_ns + duration_ns
        if end_ns > now_ns:
            for qubit in qubits:
                busy[qubit] = end_ns
        return end_ns

    def reset(self) -> None:
        """Forget everything under way: the incarnation is dead."""
        self.alive = False
        for pending in self.pending.values():
            pending.cancel()
        self.pending.clear()
        self.waiting.clear()
        self.busy.clear()
        self.unmet.clear()
        self.owners.clear()
        self.operation_owners.clear()
        self.promised.clear()
        self.slots.empty()
        if self.places is not None:
            self.places.empty()
        if self.attempts is not None:
            self.attempts.clear()

    def __repr__(self) -> str:
        state = f"incarnation {self.incarnation}" if self.alive else "dead"
        return (
            f"<NodeDevices {self.name}: {state}, {self.slots}, "
            f"{len(self.pending)} operations under way>"
        )
