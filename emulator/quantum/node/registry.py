"""Which qubit is where, and what joint state it is in.

Owns the qubits of a run: name, holder, the register (jointly held state) and when each was last touched. Does
not own operations in time, slots, links or outcomes' randomness (plane.py), what is inside a state
(states/engine.py), nor which formalism one is held in (formalism.py).

Rules: noise is lazy, so whatever touches a qubit first applies its holder's decay since it was last
touched, and only its own (decays commute with what happens to other qubits). Nothing changes when a
method raises: the states that follow are worked out first, and then put in place. Where a state is one
trajectory, each map and each vanishing takes the next number of the (first) qubit's own noise, however
it comes out. A qubit that has gone is remembered, for a while, with how it went.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import InputError, InternalError, OperationError, QubitError
from ...states import gates
from ...states.engine import Axis, State, unit_axis
from ...states.pauli import Superoperator
from ...states.states import bell_vector
from ..formalism import Formalism
from .qubits import FLYING, LOST, Parting, Qubit, Register, parting_words

#: <Phi+| rho x I/2 |Phi+> of a half whose partner was traced out: 1/4, whatever rho is.
_LOST_FIDELITY = 0.25
#: Qubits whose end is remembered; the oldest are forgotten first.
MAX_REMEMBERED = 65536
_Z: Axis = (0.0, 0.0, 1.0)


class Memory(Protocol):
    """A holder's memory: what it does to stored qubits (see memories.py)."""

    def between(self, from_ns: int, to_ns: int, /) -> Superoperator | None: ...

    def stored_between(self, from_ns: int, to_ns: int, /) -> Superoperator | None: ...

    def aged(
        self, vectors: NDArray[np.float64], since_ns: NDArray[np.int64], to_ns: int, /
    ) -> NDArray[np.float64]: ...


class Watcher(Protocol):
    """Hears which qubits lie in memories (`memories.CutOffs`); changes nothing while it hears."""

    def stored(self, qubit: str, node: str, number: int, since_ns: int, /) -> None: ...

    def left(self, qubit: str, /) -> None: ...


class Registry:
    """All qubits of a run.

    `memory(holder)` is the memory of a node, or None where stored qubits keep; it is asked for the decay of
    each stretch of storage, never about flying qubits. `formalism` is what states are held in (None: `auto`).
    `numbers(qubit, n)` is the n-th number in [0, 1) of a qubit's own noise; only a stochastic formalism needs
    it, and asks. `watcher` hears when a qubit comes to lie in a memory, is reset there, and leaves it.
    Methods that take qubits raise QubitError for one that does not exist, and OperationError for what the
    formalism refuses.
    """

    def __init__(
        self,
        memory: Callable[[str], Memory | None],
        formalism: Formalism | None = None,
        numbers: Callable[[str, int], float] | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        self._memory, self._watcher = memory, watcher
        self.formalism = Formalism() if formalism is None else formalism
        self._numbers = numbers if self.formalism.stochastic else None
        if self.formalism.stochastic and numbers is None:
            raise InternalError(f"{self.formalism} needs numbers")
        #: Called with a qubit that an operation of its node is about to change or use up, and the time.
        self.before_use: Callable[[str, int], None] | None = None
        self._qubits: dict[str, Qubit] = {}
        self._held: dict[str, dict[str, Qubit]] = {}
        #: Qubits that are no more: how they left each node that has held them.
        self._gone: OrderedDict[str, dict[str, Parting]] = OrderedDict()
        self._created = 0

    # --- coming and going -------------------------------------------------------------------------

    def allocate(self, qubit: str, holder: str, now_ns: int) -> None:
        """A fresh qubit in |0>."""
        self._add(Register(self.formalism.single(_Z, 0), [qubit]), [holder], [now_ns])

    def create_pair(
        self,
        first: str,
        first_holder: str,
        second: str,
        second_holder: str,
        density: NDArray[Any],
        emitted_ns: int,
        second_emitted_ns: int | None = None,
    ) -> None:
        """Two fresh qubits in the joint state `density`, shape (4, 4), which decays from `emitted_ns`.

        `second_emitted_ns`: since when the second half decays, if not since then too. Raises InputError
        for what is no density matrix of two qubits.
        """
        u = 0.0 if self._numbers is None else self._numbers(first, 0)
        register = Register(self.formalism.pair(density, u), [first, second])
        other_ns = emitted_ns if second_emitted_ns is None else second_emitted_ns
        self._add(register, [first_holder, second_holder], [emitted_ns, other_ns])
        self._qubits[first].mate, self._qubits[second].mate = second, first

    def reset(self, qubit: str, now_ns: int, silently: bool = False) -> None:
        """Back to |0>; whatever it was entangled with is left in its reduced state.

        `silently`: the memory does not know, so that it does not count the qubit's age anew.
        """
        record = self._record(qubit)
        self._check_time(record, now_ns)
        if not silently:
            self._used((qubit,), now_ns)
        self._split(record, self.formalism.single(_Z, 0), self._without(record), now_ns)
        if self._watcher is not None and not silently:
            self._watcher.stored(qubit, record.holder, record.number, now_ns)

    def discard(self, qubits: Sequence[str], why: str, now_ns: int) -> None:
        """Trace the qubits out. `why` is remembered with the time: "discarded", "lost in alice-r1"."""
        records = self._records(qubits)
        for record in records:
            self._check_time(record, now_ns)
        self._used(qubits, now_ns)
        for record in records:
            record.register.state = self._without(record)
            self._forget(record, why, now_ns)
            if record.mate in self._qubits:
                self._qubits[record.mate].mate = LOST

    def lift(self, qubit: str, now_ns: int, why: str) -> None:
        """The qubit leaves its memory and flies: held by no node, no decay. `why`: "sent to bob"."""
        record = self._record(qubit)
        self._used((qubit,), now_ns)
        self._catch_up(record, now_ns)
        record.parted = {**record.parted, record.holder: (why, now_ns)}
        self._move(record, FLYING, now_ns)

    def land(self, qubit: str, holder: str, now_ns: int) -> None:
        """A flying qubit comes to lie in `holder`'s memory."""
        record = self._record(qubit)
        self._catch_up(record, now_ns)
        self._move(record, holder, now_ns)

    def store(self, qubit: str, now_ns: int) -> None:
        """The qubit lies in a storage qubit of its node from now on."""
        record = self._record(qubit)
        self._used((qubit,), now_ns)
        self._catch_up(record, now_ns)
        record.stored = True

    def stored_since_ns(self, node: str, now_ns: int) -> int:
        """Since when the oldest decay is owed of all qubits stored in a node; now, without any."""
        held = self._held.get(node, {}).values()
        return min((each.touched_ns for each in held if each.stored), default=now_ns)

    # --- doing ------------------------------------------------------------------------------------

    def apply_gate(self, name: str, angle: float, qubits: Sequence[str], now_ns: int) -> None:
        """A gate of gates.py; `angle` in radians counts for rx, ry, rz.

        Raises OperationError for an unknown gate, a wrong number of qubits or one named twice, and
        RegisterTooLarge.
        """
        self._used(qubits, now_ns)
        self._act(gates.gate(name, angle), qubits, now_ns, gate=True)

    def apply_map(self, superoperator: Superoperator, qubits: Sequence[str], now_ns: int) -> None:
        """Noise: a map (see noise.py) on the qubits, in the order of its factors.

        Raises OperationError for a wrong number of qubits or one named twice, and RegisterTooLarge.
        """
        self._act(superoperator, qubits, now_ns, gate=False)

    def measure(self, qubit: str, axis: Axis, u: float, now_ns: int, keep: bool = False) -> int:
        """Outcome 0 or 1 along `axis`, decided by `u`; without `keep` the qubit is gone afterwards.

        Raises OperationError for an axis of length zero.
        """
        record = self._record(qubit)
        unit = unit_axis(axis)
        if self.before_use is not None:
            self._used((qubit,), now_ns)
        register = record.register
        state = self._decayed(register.state, record, now_ns)
        outcome, rest = state.measure(register.names.index(qubit), unit, u)
        rest = self.formalism.settled(rest)
        if keep:
            self._split(record, self.formalism.single(unit, outcome), rest, now_ns)
        else:
            register.state = rest
            self._forget(record, "measured", now_ns)
        return outcome

    def bell_measure(
        self, first: str, second: str, u1: float, u2: float, now_ns: int
    ) -> tuple[int, int]:
        """Bell measurement (z, x) of two qubits, which are consumed; `u1` decides z, `u2` x.

        If each was half of a Phi+, the far halves are left in X^x Z^z (on the one behind `second`)
        Phi+. Raises OperationError for twice the same qubit, and RegisterTooLarge.
        """
        records = left, right = self._records((first, second))
        if self.before_use is not None:
            self._used((first, second), now_ns)
        states = self._all_decayed(records, now_ns)
        register, other = left.register, right.register
        index, other_index = register.names.index(first), other.names.index(second)
        if register is other:
            z, x, rest = states[register].bell_measure(index, other_index, u1, u2)
        else:
            self.formalism.require_room(len(register.names) + len(other.names))
            z, x, rest = states[register].bell_measure_across(
                index, states[other], other_index, u1, u2
            )
        self._put(list(states), self.formalism.settled(rest))
        for record in records:
            self._forget(record, "measured", now_ns)
        for here, there in ((left.mate, right.mate), (right.mate, left.mate)):
            if here in self._qubits and there:
                self._qubits[here].mate = there
        return z, x

    # --- knowing ----------------------------------------------------------------------------------

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
            raise QubitError(qubit=qubit, node=node, why=parting_words(parted.get(node)))

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

    def size(self, qubit: str) -> int:
        """How many qubits the qubit's joint state has, itself included."""
        return len(self._record(qubit).register.names)

    def partner(self, qubit: str) -> str | None:
        """The other qubit of a joint state of exactly two, else None."""
        names = self._record(qubit).register.names
        if len(names) != 2:
            return None
        return names[1] if names[0] == qubit else names[0]

    def is_left_over(self, qubit: str) -> bool:
        """Whether it was entangled with qubits of which none alone is its partner now: no fidelity of that.

        The other half was measured, or is in a larger state by now. No error may tell its holder so: that
        would be faster than light.
        """
        record = self._record(qubit)
        is_alone = self.partner(qubit) is None and record.mate not in self._qubits
        return is_alone and record.shared and record.mate != LOST

    def _partner_or_mate(self, qubit: str) -> str | None:
        partner, mate = self.partner(qubit), self._record(qubit).mate
        return mate if partner is None and mate in self._qubits else partner

    def _is_lost(self, qubits: Sequence[str]) -> bool:
        """Whether this is one half, and the other one was traced out."""
        if len(qubits) != 1:
            return False
        return self._record(qubits[0]).mate == LOST and self.partner(qubits[0]) is None

    def fidelity(
        self, qubits: Sequence[str], target: ArrayLike | None, now_ns: int, bell: int = 0
    ) -> float:
        """<target|rho|target> of the named qubits' state at `now_ns`, frames applied; changes nothing.

        `target`: state vector of length 2**len(qubits) in the order of `qubits`, normalised first; None
        is a Bell state by its index (0: Phi+) of two qubits, or of one and its partner: the other one in its
        joint state or, if that has not just one, what heralds and joins say it is entangled with. Where that
        was traced out (lost, discarded, too old, its node dead) nothing is known of it: 1/4. Raises
        OperationError where that makes no sense: for a qubit that was never entangled, and for one that
        `is_left_over`.
        """
        if target is None:
            if self._is_lost(qubits):
                return _LOST_FIDELITY
            qubits, target = self._with_partner(qubits), bell_vector(bell)
        try:
            return self._framed(self._look(qubits, now_ns), qubits).fidelity(target)
        except InputError as error:
            raise OperationError(qubits=list(qubits), why=str(error)) from error

    def frame_of(self, qubit: str) -> tuple[int, int]:
        """(z, x): its holder owes it X^x Z^z."""
        return self._record(qubit).frame

    def joint_state(self, qubit: str, now_ns: int) -> tuple[list[str], State]:
        """Names and state at `now_ns` of all that the qubit is entangled with, itself included; no frames."""
        names = list(self._record(qubit).register.names)
        return names, self._look(names, now_ns)

    def look(self, qubits: Sequence[str], now_ns: int) -> State:
        """The qubits' state at `now_ns`, in that order, no frames; changes nothing."""
        return self._look(qubits, now_ns)

    def state(self, qubits: Sequence[str], now_ns: int) -> Any:
        """The qubits' joint state at `now_ns` as a QuTiP density matrix, in that order; changes nothing."""
        return self._look(qubits, now_ns).to_qobj()

    # --- inside -----------------------------------------------------------------------------------

    def _used(self, qubits: Sequence[str], now_ns: int) -> None:
        if self.before_use is not None:
            for qubit in qubits:
                self.before_use(qubit, now_ns)

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
                qubit=qubit, node="", why=parting_words(parted[-1] if parted else None)
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
        record.holder, record.stored = holder, False
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

    def _number(self, record: Qubit) -> float:
        """The next number of the qubit's own noise; 0 where no formalism asks for it."""
        if self._numbers is None:
            return 0.0
        record.drawn += 1
        return self._numbers(record.name, record.drawn - 1)

    def _without(self, record: Qubit) -> State:
        """The register's state with the qubit traced out."""
        register = record.register
        rest = register.state.remove(register.names.index(record.name), self._number(record))
        return self.formalism.settled(rest)

    def _split(self, record: Qubit, own: State, rest: State, now_ns: int) -> None:
        """Give the qubit a register of its own; its old one has the state `rest`."""
        old = record.register
        old.names.remove(record.name)
        old.state = rest
        record.register = Register(own, [record.name])
        record.touched_ns = now_ns

    def _act(
        self, superoperator: Superoperator, qubits: Sequence[str], now_ns: int, gate: bool
    ) -> None:
        """A gate or noise: decay up to now, one state that holds all the qubits, then the map."""
        records = self._records(qubits)
        if superoperator.shape[0] != 4 ** len(records):
            raise OperationError(
                qubits=list(qubits), why=f"the map is not one on {len(records)} qubits"
            )
        states = self._all_decayed(records, now_ns)
        registers = list(states)
        names, state = self._merged(registers, states)
        indices = [names.index(name) for name in qubits]
        if gate:
            state = state.apply_map(superoperator, indices, 0.0)
        else:
            u = self._number(records[0])
            state = self.formalism.noise(state, superoperator, indices, u, "noise")
        self._put(registers, state)
        for record in records:
            record.touched_ns = now_ns

    def _merged(
        self, registers: list[Register], states: dict[Register, State]
    ) -> tuple[list[str], State]:
        """The registers' states as one, and its qubits' names in order; puts nothing in place."""
        names, state = registers[0].names, states[registers[0]]
        if len(registers) > 1:
            self.formalism.require_room(sum(len(register.names) for register in registers))
            for register in registers[1:]:
                names, state = names + register.names, state.merge(states[register])
        return names, state

    def _put(self, registers: list[Register], state: State) -> None:
        """From now on the first of the registers holds the others' qubits, and has this state."""
        register = registers[0]
        register.state = state
        for other in registers[1:]:
            register.names.extend(other.names)
            for name in other.names:
                self._qubits[name].register = register
        if len(registers) > 1:
            for name in register.names:
                self._qubits[name].shared = True

    def _pending(self, record: Qubit, now_ns: int) -> Superoperator | None:
        """The decay that the qubit has not yet had at `now_ns`."""
        if now_ns <= record.touched_ns:
            self._check_time(record, now_ns)
            return None
        if record.holder == FLYING:
            return None
        memory = self._memory(record.holder)
        if memory is None:
            return None
        between = memory.stored_between if record.stored else memory.between
        return between(record.touched_ns, now_ns)

    def _decayed(self, state: State, record: Qubit, now_ns: int) -> State:
        """`state`, of the qubit's register, with the decay that the qubit has not yet had."""
        pending = None if record.touched_ns == now_ns else self._pending(record, now_ns)
        if pending is None:
            return state
        indices, u = (record.register.names.index(record.name),), self._number(record)
        return self.formalism.noise(state, pending, indices, u, f"memory of {record.holder}")

    def _all_decayed(self, records: Sequence[Qubit], now_ns: int) -> dict[Register, State]:
        """The qubits' registers, in the order of the qubits, and their states with the qubits' decay."""
        states: dict[Register, State] = {}
        for record in records:
            register = record.register
            state = states.get(register)
            state = register.state if state is None else state
            states[register] = self._decayed(state, record, now_ns)
        return states

    def _catch_up(self, record: Qubit, now_ns: int) -> None:
        """Apply the decay since the last touch, for good."""
        record.register.state = self._decayed(record.register.state, record, now_ns)
        record.touched_ns = now_ns

    def _look(self, qubits: Sequence[str], now_ns: int) -> State:
        """The named qubits' state with their decay up to `now_ns`, nothing being touched."""
        records = self._records(qubits)
        if not records:
            raise OperationError(qubits=[], why="no qubit is named")
        by_register: dict[int, list[Qubit]] = {}
        for record in records:
            by_register.setdefault(id(record.register), []).append(record)
        state: State | None = None
        order: list[str] = []
        for members in by_register.values():
            names = members[0].register.names
            part = members[0].register.state.reduced([names.index(m.name) for m in members])
            for index, record in enumerate(members):
                pending = self._pending(record, now_ns)
                if pending is not None:
                    what = f"memory of {record.holder}"
                    part = self.formalism.noise(part, pending, (index,), 0.0, what, looking=True)
            state = part if state is None else state.merge(part)
            order.extend(record.name for record in members)
        assert state is not None
        return state.reduced([order.index(name) for name in qubits])

    def _framed(self, state: State, qubits: Sequence[str]) -> State:
        """`state`, of these qubits in this order, with the Paulis that their frames still owe."""
        return with_frames(state, [self._record(qubit).frame for qubit in qubits])

    def _with_partner(self, qubits: Sequence[str]) -> Sequence[str]:
        if len(qubits) == 2:
            return qubits
        partner = self._partner_or_mate(qubits[0]) if len(qubits) == 1 else None
        if partner is None:
            raise OperationError(
                qubits=list(qubits), why="without a target, name two qubits or one half of a pair"
            )
        return [qubits[0], partner]


def with_frames(state: State, frames: Sequence[tuple[int, int]]) -> State:
    """The state after the Paulis X^x Z^z of its qubits' frames (z, x)."""
    for index, (z, x) in enumerate(frames):
        for name in ("z",) * z + ("x",) * x:
            state = state.apply_map(gates.gate(name), (index,), 0.0)
    return state
