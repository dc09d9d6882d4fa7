"""Live control: what clients ask of a running emulator, and the answers.

Owns faults that are added and healed by hand, the views of a run, and the requests that await an answer.
Does not own sockets (service/live_socket.py) or what a fault does. No I/O: an answer is a call, and questions
to nodes are in the run's outbox.

Rules. A view disturbs nothing: a node is asked what it waits for only while it is parked, and its answer
has no part in any instant. A change is made between two instants, is due at least 1 ns after the last one,
and is journalled, so that a replay does the same. A request that is refused changes nothing. Every request is
answered once; when the run is over, by that.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..errors import InputError, QnetemError
from ..faults.schedule import Faults
from ..kernel.conductor import FAULT
from ..topology.faults.plan import read_live_faults
from ..topology.model.faults import FaultSpec
from ..units import format_ns
from ..wire import Ask, Wait
from ..wire.control import (
    AddFault,
    FaultList,
    HealFaults,
    Inspect,
    ListFaults,
    LiveAnswer,
    LiveRequest,
    NodeView,
    Refused,
    RunView,
)
from .nodes import NodeStatus
from .problems import as_row
from .run import Run

Reply = Callable[[LiveAnswer], None]
OVER = "the run is over"
#: Characters of an entry: reading it takes real time of the run.
LONGEST_ENTRY = 4096
#: In one instant: when all its faults have begun and healed.
_AFTER_ALL = (1 << 48, 0)


class Ticket:
    """A request that has not been answered yet."""

    __slots__ = ("number", "reply")

    def __init__(self, number: int, reply: Reply) -> None:
        self.number, self.reply = number, reply


class LiveControl:
    """One for each run. Shells call `ask`, and `hurry` for what has not been answered after a while.

    `between(change)` has a change made between two instants.
    """

    def __init__(
        self, run: Run, faults: Faults, between: Callable[[Callable[[], None]], None]
    ) -> None:
        self._run, self._faults, self._between = run, faults, between
        self._open: dict[Ticket, None] = {}
        #: Views that wait for an instant to begin with, and those that wait for nodes to answer.
        self._unstarted: dict[Ticket, None] = {}
        self._views: dict[Ticket, _View] = {}
        #: Changes that are on the agenda: their faults.
        self._changes: dict[Ticket, list[str]] = {}

    def ask(self, request: LiveRequest, reply: Reply) -> Ticket:
        """Take a request; `reply` is called once, now or later."""
        ticket = Ticket(request.number, reply)
        self._open[ticket] = None
        if self._run.over:
            self._answer(ticket, Refused(ticket.number, OVER, over=True))
        elif isinstance(request, ListFaults):
            self._answer(ticket, FaultList(ticket.number, self._faults.records()))
        elif isinstance(request, Inspect):
            self._unstarted[ticket] = None
            self._between(lambda: self._start_view(ticket))
        else:
            self._between(lambda: self._change(ticket, request))
        return ticket

    def hurry(self, ticket: Ticket) -> None:
        """No instant came for too long, or a node does not answer: answer with what is known.

        A change that is on the agenda is made all the same.
        """
        if ticket in self._changes:
            self._answer_change(ticket)
        elif ticket in self._unstarted:
            self._start_view(ticket)
        view = self._views.get(ticket)
        if view is not None:
            self._finish_view(ticket, view)

    def take_waits(self, status: NodeStatus, waits: list[Wait]) -> None:
        """A node has answered what its tasks wait for."""
        for ticket, view in list(self._views.items()):
            if view.take_waits(status, waits):
                self._finish_view(ticket, view)

    def close(self) -> None:
        """The run is over: that answers all open requests."""
        for ticket in list(self._open):
            self._answer(ticket, Refused(ticket.number, OVER, over=True))

    def _answer(self, ticket: Ticket, answer: LiveAnswer) -> None:
        if ticket in self._open:
            del self._open[ticket]
            self._views.pop(ticket, None)
            ticket.reply(answer)

    # --- faults ---

    def _change(self, ticket: Ticket, request: AddFault | HealFaults) -> None:
        """Put a change on the agenda. The answer comes when it has happened, in the same instant."""
        try:
            due_ns = self._due_ns()
            if isinstance(request, AddFault):
                due = self._add(request, due_ns)
            else:
                due = self._heal(request, due_ns)
        except QnetemError as error:
            self._answer(ticket, Refused(ticket.number, _as_text(error)))
            return
        self._changes[ticket] = list(due)
        last_ns = max(due.values())
        self._run.conductor.at(last_ns, _AFTER_ALL, lambda: self._answer_change(ticket), FAULT)

    def _due_ns(self) -> int:
        """When a change happens that is asked for now. Raises InputError if the run ends before."""
        until_ns = self._run.topology.time.until_ns
        due_ns = max(self._run.now_ns + 1, self._run.wall_instant_ns())
        if until_ns is not None and due_ns > until_ns:
            raise InputError(f"the run ends at {format_ns(until_ns)}, before this could happen")
        return due_ns

    def _answer_change(self, ticket: Ticket) -> None:
        """Answer with the faults that were asked for: they have begun or healed, or are about to."""
        records = {record.id: record for record in self._faults.records()}
        ids = self._changes.pop(ticket, [])
        self._answer(ticket, FaultList(ticket.number, [records[name] for name in ids]))

    def _add(self, request: AddFault, due_ns: int) -> dict[str, int]:
        if len(request.entry) > LONGEST_ENTRY:
            raise InputError(
                f"an entry of {len(request.entry)} characters; at most {LONGEST_ENTRY}"
            )
        specs = read_live_faults(request.entry, self._run.topology, self._faults.next_name)
        for spec in specs:
            self._refuse_without_process(spec)
        return {self._faults.add(spec, due_ns): due_ns for spec in specs}

    def _refuse_without_process(self, spec: FaultSpec) -> None:
        """Faults that need a running process are refused while there is none; others wait for one."""
        status = self._run.nodes.statuses.get(spec.target)
        if status is None or spec.verb not in ("kill", "pause", "restart"):
            return
        if status.state == "starting":
            raise InputError(f"{spec.verb}: {status.name} is being restarted")
        if status.state == "killed" and spec.verb != "restart":
            raise InputError(f"{spec.verb}: {status.name} is dead; expected a node that runs")

    def _heal(self, request: HealFaults, due_ns: int) -> dict[str, int]:
        active = self._faults.active()
        ids = active if request.ids == ["all"] else list(dict.fromkeys(request.ids))
        if not ids:
            raise InputError("no fault is active")
        for name in ids:
            if name not in active:
                known = ", ".join(active) or "none"
                raise InputError(f"no fault {name!r} is active; active: {known}")
        return {name: self._faults.end(name, due_ns) for name in ids}

    # --- views ---

    def _start_view(self, ticket: Ticket) -> None:
        if ticket not in self._unstarted:
            return
        del self._unstarted[ticket]
        view = self._views[ticket] = _View(self._run, self._faults)
        for name in view.asked:
            self._run.outbox.append((name, Ask()))
        if not view.asked:
            self._finish_view(ticket, view)

    def _finish_view(self, ticket: Ticket, view: _View) -> None:
        self._answer(ticket, msgspec.structs.replace(view.view, number=ticket.number))


class _View:
    """A run as it is now; `asked`: the nodes that have yet to answer what they wait for."""

    def __init__(self, run: Run, faults: Faults) -> None:
        self.asked: dict[str, int] = {}
        self._nodes = {}
        in_flight = run.classical.in_flight_by_node()
        for status in run.nodes.statuses.values():
            node = self._nodes[status.name] = _node_view(run, status, in_flight[status.name])
            if node.activity == "parked":
                self.asked[status.name] = status.incarnation
        self.view = RunView(
            number=0,
            name=run.topology.name,
            seed=run.topology.seed,
            t_ns=run.now_ns,
            instants=run.conductor.instants,
            wall_s=run.wall_clock.wall_s,
            nodes=list(self._nodes.values()),
            faults=faults.records(),
        )

    def take_waits(self, status: NodeStatus, waits: list[Wait]) -> bool:
        """Whether this was the last awaited answer."""
        if self.asked.get(status.name) != status.incarnation:
            return False
        del self.asked[status.name]
        node = self._nodes[status.name]
        node.waits = [as_row(wait) for wait in waits]
        return not self.asked


def _node_view(run: Run, status: NodeStatus, in_flight: int) -> NodeView:
    return NodeView(
        name=status.name,
        kind=status.spec.kind,
        state=status.state,
        activity=_activity(status),
        incarnation=status.started,
        granted_ns=status.granted_ns,
        slots_used=run.quantum.slots_used(status.name),
        slots=status.spec.memory.slots,
        pools=run.quantum.pools(status.name),
        in_flight=in_flight,
        waits=[],
    )


def _activity(status: NodeStatus) -> str:
    if not status.runs:
        return status.state
    if status.paused:
        return "frozen" if status.frozen else "paused"
    return "at work" if status.awaited else "parked"


def _as_text(error: QnetemError) -> str:
    others = getattr(error, "others", [])
    return "\n".join([str(error), *(f"  {other}" for other in others)])
