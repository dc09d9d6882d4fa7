"""Probes of several nodes: the fidelity of a state whose qubits lie at different nodes.

Owns what each party has named so far, and when the fidelity is looked at. Does not own states or frames
(node/registry.py).

Theory of operation. No node knows when another one has its qubit, nor may it wait for the emulator to say
so: that would be faster than light. So each party names its qubit and continues, and the recorder, which sees
all nodes, looks once the last of them has. A party may have used its qubit by then (measured, sent,
discarded it; or its node has died): then the look is at the state as it was just before the first such use.
A party's frame counts as it was when it named its qubit, because that is when it knew its pair.

Rules. Naming changes no state and gives the node no result. What is noted depends on the order of instants
alone. Groups that no other party completes are kept up to a limit, the oldest being given up first.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from ..errors import OperationError
from ..kernel.ports import Surroundings
from ..record.journal import rounded
from ..states.engine import State
from ..wire import Probe
from .node.registry import Registry, with_frames

#: Groups that wait for parties; the oldest are given up first.
MOST_OPEN = 4096
#: (name, parties, label, which one of those without a label).
_Key = tuple[str, tuple[str, ...], str, int]


@dataclass
class _Group:
    """What has been named of one joint state: party -> (qubit, its frame then)."""

    probe: Probe
    named: dict[str, tuple[str, tuple[int, int]]] = field(default_factory=dict)
    #: The joint state just before a party used its qubit; no names if it was too large to look at.
    kept: tuple[list[str], State | None] | None = None


class JointProbes:
    """All of a run."""

    def __init__(self, registry: Registry, around: Surroundings) -> None:
        self._registry, self._around = registry, around
        self._open: OrderedDict[_Key, _Group] = OrderedDict()
        #: Qubit -> the groups in which it was named, while they are open.
        self._watched: dict[str, dict[_Key, None]] = {}
        #: (node, name, parties) -> how often it was named without a label.
        self._counts: dict[tuple[str, str, tuple[str, ...]], int] = {}

    def name(self, node: str, probe: Probe, now_ns: int) -> None:
        """A party names its qubit. The last one has the fidelity noted."""
        parties, (qubit,) = tuple(probe.parties), probe.qubits
        number, count = 0, (node, probe.name, parties)
        if not probe.label:
            number = self._counts[count] = self._counts.get(count, 0) + 1
        key = (probe.name, parties, probe.label, number)
        if key in self._open and node in self._open[key].named:  # the label was used before
            self._give_up(self._close(key), node)
        group = self._open.setdefault(key, _Group(probe))
        group.named[node] = (qubit, self._registry.frame_of(qubit))
        if len(group.named) == len(parties):
            self._close(key)
            self._note(node, group, now_ns)
            return
        self._watched.setdefault(qubit, {})[key] = None
        self._registry.before_use = self._before_use
        if len(self._open) > MOST_OPEN:
            oldest = next(iter(self._open))
            self._give_up(self._close(oldest), node)

    def _before_use(self, qubit: str, now_ns: int) -> None:
        """The registry is about to change a qubit that may have been named."""
        for key in self._watched.get(qubit, ()):
            group = self._open[key]
            if group.kept is None:
                group.kept = self._joint_state(qubit, now_ns)

    def _joint_state(self, qubit: str, now_ns: int) -> tuple[list[str], State | None]:
        try:
            return self._registry.joint_state(qubit, now_ns)
        except OperationError:  # RegisterTooLarge: the operation itself must not fail of it
            return [], None

    def _close(self, key: _Key) -> _Group:
        group = self._open.pop(key)
        for qubit, _ in group.named.values():
            keys = self._watched.get(qubit, {})
            keys.pop(key, None)
            if not keys:
                self._watched.pop(qubit, None)
        if not self._watched:
            self._registry.before_use = None
        return group

    def _note(self, node: str, group: _Group, now_ns: int) -> None:
        qubits = [group.named[party][0] for party in group.probe.parties]
        state = self._state(group, qubits, now_ns)
        if state is None:
            self._give_up(group, node)
            return
        frames = [group.named[party][1] for party in group.probe.parties]
        vector = [complex(re, im) for re, im in group.probe.target or ()]
        fidelity = rounded(with_frames(state, frames).fidelity(vector))
        for party in group.probe.parties:
            self._around.metrics.observe(f"{party}.{group.probe.name}.fidelity", fidelity)
        self._around.journal.event(node, "fidelity", group.probe.name, qubits, fidelity)

    def _state(self, group: _Group, qubits: list[str], now_ns: int) -> State | None:
        """The parties' joint state; None where no moment had all their qubits in it."""
        if group.kept is None:
            try:
                return self._registry.look(qubits, now_ns)
            except OperationError:  # RegisterTooLarge: no party may hear of what others hold
                return None
        names, state = group.kept
        if state is None or any(qubit not in names for qubit in qubits):
            return None
        return state.reduced([names.index(qubit) for qubit in qubits])

    def _give_up(self, group: _Group, node: str) -> None:
        """There is no fidelity of this one."""
        for party in group.named:
            self._around.metrics.count(f"{party}.{group.probe.name}.left_over")
        qubits = [qubit for qubit, _ in group.named.values()]
        self._around.journal.event(node, "fidelity", group.probe.name, qubits, None)


def check_parties(probe: Probe) -> None:
    """Raises OperationError for a probe of several nodes that cannot be looked at."""
    if len(probe.qubits) != 1 or len(set(probe.parties)) < max(2, len(probe.parties)):
        raise OperationError(why="a probe of several nodes takes one qubit of each, each node once")
    count = 2 ** len(probe.parties)
    if probe.target is None or len(probe.target) != count:
        raise OperationError(why=f"a target of {len(probe.parties)} parties has {count} amplitudes")
    if not any(re or im for re, im in probe.target):
        raise OperationError(why="a target state is not zero")
