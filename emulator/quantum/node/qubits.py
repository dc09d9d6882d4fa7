"""Which qubit lies where: names, holders, and how qubits left a node.

Owns the records of all qubits, of living ones and, for a while, of those that are no more. Does not own joint
states, which the registry puts into the records' registers (registry.py).

Rule: what a node is told of a qubit that it no longer holds is how the qubit left this node, and nothing of
what became of it since: that would be faster than light.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

from ...errors import InternalError, OperationError, QubitError
from ...states.engine import State
from ...units import format_ns

#: (what, when_ns): how a qubit left a node.
Parting = tuple[str, int]
#: Qubits whose end is remembered; the oldest are forgotten first.
MAX_REMEMBERED = 65536
FLYING = ""
#: The mate of a half whose pair is no more: the other half was traced out. No qubit has this name.
LOST = "(lost)"


class Watcher(Protocol):
    """Hears which qubits lie in memories (`memories.CutOffs`); changes nothing while it hears."""

    def stored(self, qubit: str, node: str, number: int, since_ns: int, /) -> None: ...

    def left(self, qubit: str, /) -> None: ...


class Register:
    """A joint state and the names of its qubits, in the state's order."""

    __slots__ = ("names", "state")

    def __init__(self, state: State, names: list[str]) -> None:
        self.state = state
        self.names = names


class Qubit:
    """One qubit: who holds it, which joint state it is in, since when it owes its memory's decay."""

    __slots__ = (
        "born_ns",
        "drawn",
        "frame",
        "holder",
        "mate",
        "name",
        "number",
        "parted",
        "register",
        "shared",
        "touched_ns",
    )

    def __init__(
        self, name: str, number: int, holder: str, register: Register, born_ns: int
    ) -> None:
        self.name = name
        self.number = number
        self.holder = holder
        self.register = register
        self.born_ns = born_ns
        self.touched_ns = born_ns
        #: The other half of the pair that it is said to be half of, by heralds and joins; "" for none,
        #: LOST once it was traced out.
        self.mate = ""
        #: (z, x): its holder owes it X^x Z^z; only fidelities know.
        self.frame = (0, 0)
        #: How many numbers of its own noise are used up; the first one is its birth's.
        self.drawn = 1
        #: How it left the nodes that have sent it away.
        self.parted: dict[str, Parting] = {}
        #: Whether it has ever been in one register with another qubit.
        self.shared = False


class QubitTable:
    """The records of a run's qubits. `watcher` hears which of them lie in memories."""

    def __init__(self, watcher: Watcher | None = None) -> None:
        self._watcher = watcher
        self._qubits: dict[str, Qubit] = {}
        self._held: dict[str, dict[str, Qubit]] = {}
        #: Qubits that are no more: how they left each node that has held them.
        self._gone: OrderedDict[str, dict[str, Parting]] = OrderedDict()
        self._created = 0

    def holder_of(self, qubit: str) -> str | None:
        """The node that holds the qubit, "" while it flies, None when there is no such qubit."""
        record = self._qubits.get(qubit)
        return None if record is None else record.holder

    def require(self, node: str, qubits: Sequence[str]) -> None:
        """Raises QubitError unless `node` holds all of them.

        It says how the qubit left this node, and nothing of what became of it since: that would be faster
        than light.
        """
        for qubit in qubits:
            record = self._qubits.get(qubit)
            if record is not None and record.holder == node:
                continue
            parted = self._gone.get(qubit, {}) if record is None else record.parted
            raise QubitError(qubit=qubit, node=node, why=_parting_words(parted.get(node)))

    def held_by(self, node: str) -> list[str]:
        """Names of the qubits that `node` holds, in the order in which they were created."""
        held = self._held.get(node, {})
        return [record.name for record in sorted(held.values(), key=lambda record: record.number)]

    def born_ns(self, qubit: str) -> int:
        """When the qubit came into being: allocated, or emitted."""
        return self._record(qubit).born_ns

    def note_frame(self, node: str, qubit: str, z: int, x: int) -> None:
        """X^x Z^z is still to be applied to the qubit, says `node`; ignored unless that holds it."""
        record = self._qubits.get(qubit)
        if record is not None and record.holder == node:
            record.frame = (z & 1, x & 1)

    def __len__(self) -> int:
        return len(self._qubits)

    def __repr__(self) -> str:
        held = {node or "(flying)": len(qubits) for node, qubits in self._held.items() if qubits}
        return f"<Registry {len(self._qubits)} qubits {held}>"

    # --- for the registry -------------------------------------------------------------------------

    def _add(self, register: Register, holders: list[str], births_ns: list[int]) -> None:
        for name in register.names:
            if name in self._qubits:
                raise InternalError(f"there is a qubit {name} already")
        for name, holder, born_ns in zip(register.names, holders, births_ns, strict=True):
            self._created += 1
            record = Qubit(name, self._created, holder, register, born_ns)
            record.shared = len(register.names) > 1
            self._qubits[name] = record
            self._held.setdefault(holder, {})[name] = record
            if self._watcher is not None and holder != FLYING:
                self._watcher.stored(name, holder, record.number, born_ns)

    def _record(self, qubit: str) -> Qubit:
        record = self._qubits.get(qubit)
        if record is None:
            parted = list(self._gone.get(qubit, {}).values())
            raise QubitError(
                qubit=qubit, node="", why=_parting_words(parted[-1] if parted else None)
            )
        return record

    def _records(self, qubits: Sequence[str]) -> list[Qubit]:
        records = [self._record(qubit) for qubit in qubits]
        if len(records) > 1 and len(dict.fromkeys(qubits)) < len(records):
            raise OperationError(qubits=list(qubits), why="a qubit is named twice")
        return records

    def _forget(self, record: Qubit, why: str, now_ns: int) -> None:
        """The qubit is no more; the register's state must already be without it."""
        record.register.names.remove(record.name)
        del self._qubits[record.name]
        del self._held[record.holder][record.name]
        self._gone[record.name] = {**record.parted, record.holder: (why, now_ns)}
        if self._watcher is not None:
            self._watcher.left(record.name)
        if len(self._gone) > MAX_REMEMBERED:
            self._gone.popitem(last=False)

    def _move(self, record: Qubit, holder: str, now_ns: int) -> None:
        del self._held[record.holder][record.name]
        record.holder = holder
        self._held.setdefault(holder, {})[record.name] = record
        if self._watcher is None:
            return
        if holder == FLYING:
            self._watcher.left(record.name)
        else:
            self._watcher.stored(record.name, holder, record.number, now_ns)

    def _check_time(self, record: Qubit, now_ns: int) -> None:
        if now_ns < record.touched_ns:
            raise InternalError(
                f"qubit {record.name} was touched at {record.touched_ns} ns, after {now_ns} ns"
            )


def _parting_words(parting: Parting | None) -> str:
    """How a qubit left a node, for people."""
    if parting is None:
        return "it never was here, or is long gone"
    what, when_ns = parting
    return f"{what} at {format_ns(when_ns)}"
