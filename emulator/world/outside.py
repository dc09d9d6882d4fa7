"""What comes from outside the run: when it is due to its node, in real time and when it is fed again.

Owns the order of inputs among all that happens, and whether a node may open to the outside. Does not own
sockets (agents/process/outside.py) nor what a node does with an input.

Rules. An input is due at max(last instant + 1 ns, the wall clock's instant), behind the faults of its
instant, in the order of (node, opening, number): as a live fault it is put on the agenda between two
instants, so a replay that puts it there from the start has the same run. It is journalled when it is
granted, by its size and a keyed hash; the bytes are in the record of its node. What is for an incarnation
that takes nothing any more is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import InternalError
from ..kernel.conductor import FAULT
from ..wire import Poke, RecordedInput
from .grants import OutgoingGrants
from .nodes import NodeStatus
from .run import Run

LIVE, REPLAY = "live", "replay"
#: In one instant: behind all faults, and behind the answers of live control.
_AFTER_FAULTS = 1 << 49


class OutsideInputs:
    """One for each run. `between(change)` has a change made between two instants.

    `recorded`: those of the run that this one repeats; None: it repeats none. `mode`: what nodes may do.
    """

    def __init__(
        self,
        run: Run,
        grants: OutgoingGrants,
        between: Callable[[Callable[[], None]], None],
        recorded: Sequence[RecordedInput] | None,
    ) -> None:
        self._run, self._grants, self._between, self._recorded = run, grants, between, recorded
        real = run.topology.time.mode == "real"
        self.mode = REPLAY if recorded is not None else LIVE if real else ""

    def schedule(self) -> None:
        """Put what was recorded on the agenda; before the run begins."""
        for each in self._recorded or ():
            self._plan(each)

    def take(self, status: NodeStatus, poke: Poke) -> None:
        """Something has come from outside to a node."""
        if self.mode != LIVE:
            raise InternalError(f"{status.name} has let something in, and may not ({self.mode!r})")
        name, incarnation = status.name, status.incarnation

        def plan() -> None:
            due_ns = max(self._run.now_ns + 1, self._run.wall_instant_ns())
            self._plan(RecordedInput(due_ns, name, incarnation, poke.input))

        self._between(plan)

    def is_open(self) -> bool:
        """Whether a running node is open to the outside: then a run may wait for what comes from there."""
        return any(status.openings and status.runs for status in self._run.nodes.statuses.values())

    def _plan(self, due: RecordedInput) -> None:
        order = (_AFTER_FAULTS, due.node, due.incarnation, due.input.opening, due.input.number)
        self._run.conductor.at(due.t_ns, order, lambda: self._grant(due), FAULT)

    def _grant(self, due: RecordedInput) -> None:
        status = self._run.nodes[due.node]
        if status.runs and status.incarnation == due.incarnation:
            self._grants.add_input(due.node, due.input)
