"""Virtual time: the conductor says what is due at which instant, the barrier lets time stand.

Owns the current instant, the agenda of due things, the nodes' timers, and the answers from outside without
which no instant is entered and no phase continues. Does not know what a message, a qubit or a fault is: it
calls back. No I/O.

Theory of operation. An instant is `(t_ns, m)`. Inside an instant everything happens in four phases:

    FAULT       what breaks and what heals
    HOP         a message reaches a switch on its way
    COMPLETION  an operation of the physical world ends
    GRANT       what is due is handed to the nodes; all nodes concerned run side by side

An entry is ordered by (t_ns, m, phase, order, serial): `order` is the caller's deterministic tie-break
(names and numbers), `serial` counts entries made, which is deterministic too because entries are made
only while entries or reports are being applied, and reports are applied in the order of node names,
after all have come. Nothing depends on the order in which they came.

"Now" for something produced in the phase before GRANT is this instant; for anything produced while
reports are applied it is the next microstep: `at(t_ns)` with t_ns == now goes to `(now, m+1)`.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Literal

from ..errors import InternalError
from ..units import LAST_NS

FAULT, HOP, COMPLETION, GRANT = range(4)


class Entry(list[Any]):
    """Something due, as it lies on the agenda: (t_ns, m, phase, order, serial, action).

    `cancel()` makes it not happen. A list, because entries are compared at every turn of the agenda; no two
    have one serial.
    """

    __slots__ = ()

    def cancel(self) -> None:
        """Take it off the agenda; harmless when it has already happened."""
        self[5] = None


class Conductor:
    """Virtual time of one run. `now_ns` and `m` are the current instant, (0, 0) before the first."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.m = 0
        self.instants = 0
        #: The phase of this instant that is under way, or over.
        self.phase = FAULT
        self._agenda: list[Entry] = []
        self._serial = 0
        self._timers: dict[str, int] = {}
        self._timer_heap: list[tuple[int, str]] = []
        #: Nodes with something due at this instant.
        self._due: dict[str, None] = {}

    # --- the agenda ---

    def at(
        self,
        t_ns: int,
        order: tuple[Any, ...],
        action: Callable[[], None],
        phase: int = COMPLETION,
    ) -> Entry:
        """Have `action` called at `t_ns`: at (t_ns, 0) if that is later than now, else at (now, m+1).

        What is due after the last instant that there is (LAST_NS) never comes.
        """
        now = self.now_ns
        if t_ns < now:
            raise InternalError(f"something is due at {t_ns} ns, before now ({now} ns)")
        self._serial += 1
        m = 0 if t_ns > now else self.m + 1
        entry = Entry((t_ns, m, phase, order, self._serial, action))
        if t_ns <= LAST_NS:
            heappush(self._agenda, entry)
        return entry

    def at_start(self, order: tuple[Any, ...], action: Callable[[], None], phase: int) -> Entry:
        """Have `action` called in the very first instant (0, 0). Only before the run begins."""
        if self.instants:
            raise InternalError("the run has already begun")
        self._serial += 1
        entry = Entry((0, 0, phase, order, self._serial, action))
        heappush(self._agenda, entry)
        return entry

    def is_past(self, t_ns: int, phase: int) -> bool:
        """Whether what was due at (t_ns, 0) in this phase has happened."""
        if t_ns != self.now_ns:
            return t_ns < self.now_ns
        return self.m > 0 or phase <= self.phase

    def instead(
        self, t_ns: int, order: tuple[Any, ...], action: Callable[[], None], phase: int
    ) -> Entry:
        """Have `action` called at (t_ns, 0), in place of an entry made earlier: even in this very instant.

        Raises InternalError when that phase of the instant has passed.
        """
        if t_ns > self.now_ns:
            return self.at(t_ns, order, action, phase)
        if self.is_past(t_ns, phase):
            raise InternalError(f"something is due in a phase of {t_ns} ns that has passed")
        self._serial += 1
        entry = Entry((t_ns, 0, phase, order, self._serial, action))
        heappush(self._agenda, entry)
        return entry

    def set_timer(self, node: str, t_ns: int | None) -> None:
        """The node's earliest timer is now at `t_ns`; None: it has none, or after the last instant."""
        if t_ns is None or t_ns > LAST_NS:
            self._timers.pop(node, None)
            return
        if t_ns <= self.now_ns:
            raise InternalError(f"{node} asks for a timer at {t_ns} ns, now is {self.now_ns} ns")
        if self._timers.get(node) != t_ns:
            self._timers[node] = t_ns
            heappush(self._timer_heap, (t_ns, node))

    def wake(self, node: str) -> None:
        """The node has something due at this instant."""
        self._due[node] = None

    # --- instants ---

    def entries(self) -> int:
        """How many things are due on the agenda; timers of nodes are none."""
        return sum(entry[5] is not None for entry in self._agenda)

    def next_instant(self) -> tuple[int, int] | None:
        """The earliest instant at which something is due, or None."""
        agenda, heap, timers = self._agenda, self._timer_heap, self._timers
        # Cancelled entries and replaced timers stay in their heaps until they come to the top: they are
        # dropped here, so that neither makes an instant of its own.
        while agenda and agenda[0][5] is None:
            heappop(agenda)
        while heap and timers.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        if agenda:
            first = agenda[0]
            if not heap or (first[0], first[1]) <= (heap[0][0], 0):
                return first[0], first[1]
        return (heap[0][0], 0) if heap else None

    def enter(self, t_ns: int, m: int) -> None:
        """Make `(t_ns, m)` the current instant, and wake the nodes whose timer is due at it."""
        if self.instants and (t_ns, m) <= (self.now_ns, self.m):
            raise InternalError(f"time would go back from {self.now_ns, self.m} to {t_ns, m}")
        self.now_ns, self.m, self.phase = t_ns, m, FAULT
        self.instants += 1
        heap, timers = self._timer_heap, self._timers
        while heap and heap[0][0] <= t_ns:
            when, node = heappop(heap)
            if timers.get(node) == when:
                del timers[node]
                self._due[node] = None

    def run_phases(self) -> bool:
        """Do the next entry of this instant; False when only the nodes are left to run."""
        agenda = self._agenda
        now, m = self.now_ns, self.m
        # One entry a call: the action may have made time stand (a kill) or ended the run, and the world looks
        # before it has the next one done.
        while agenda and agenda[0][0] == now and agenda[0][1] == m:
            entry = heappop(agenda)
            self.phase, action = entry[2], entry[5]
            if action is not None:
                entry[5] = (
                    None  # an object that keeps its entry is often kept by the action: no cycle
                )
                action()
                return True
        self.phase = GRANT
        return False

    def take_due(self) -> list[str]:
        """The nodes to grant at this instant, in the order of their names, whatever woke them first."""
        due = sorted(self._due)
        self._due.clear()
        return due

    def forget_node(self, node: str) -> None:
        """The node is gone: no timer, nothing due."""
        self._timers.pop(node, None)
        self._due.pop(node, None)


#: hello: a process has subscribed; have: a receiver holds all payloads; exit: a process is reaped;
#: waits: a parked node has answered what its tasks wait for.
Answer = Literal["hello", "have", "exit", "waits"]


class Barrier:
    """What must happen outside before virtual time may pass: it stands while `awaited` is not empty.

    Holds the awaited answers and the one action to do after the last. Does not know what an answer means.
    """

    def __init__(self) -> None:
        self.awaited: dict[tuple[Answer, str], None] = {}
        self._then: Callable[[], None] | None = None

    def awaits(self, kind: Answer, node: str) -> bool:
        """Whether this node's answer is awaited."""
        return (kind, node) in self.awaited

    def add(self, kind: Answer, node: str) -> None:
        """Let time stand until this node has answered."""
        self.awaited[kind, node] = None

    def afterwards(self, then: Callable[[], None]) -> None:
        """Do `then` once nothing is awaited: at once, if nothing is. `then` may await anew."""
        if self.awaited:
            self._then = then
        else:
            then()

    def passed(self, kind: Answer, node: str) -> bool:
        """Take an answer; whether it was the last, so that time may pass unless `then` awaits anew.

        An answer that is not awaited is ignored.
        """
        if (kind, node) not in self.awaited:
            return False
        del self.awaited[kind, node]
        if self.awaited:
            return False
        then, self._then = self._then, None
        if then is not None:
            then()
        return True

    def silent(self) -> list[str]:
        """The nodes whose program must answer now (not their processes' starts and exits)."""
        return [node for kind, node in self.awaited if kind in ("have", "waits")]

    def missing(self) -> list[tuple[Answer, str]]:
        """The processes whose start (hello) or exit is awaited now."""
        return [awaited for awaited in self.awaited if awaited[0] in ("hello", "exit")]
