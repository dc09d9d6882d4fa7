"""The desk: what is asked of a run while it goes on, and the answers.

Owns faults that are added and healed by hand, the views of a run, and who still awaits an answer. Does not
own sockets (desk_door.py) or what a fault does. No I/O: an answer is a call, and what nodes must be asked
is in the world's outbox.

Rules. Looking disturbs nothing: a node is asked what it waits for only while it is parked, and its answer
has no part in any instant. What changes the run is done between two instants, is due at least 1 ns after
the last one, and is journalled, so that a replay does the same. A request that is refused changes nothing.
Every request is answered once; when the run is over, by that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from ..errors import InputError, QnetemError
from ..kernel.conductor import FAULT
from ..topology.faults.live import read_live_faults
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

if TYPE_CHECKING:
    from .world import World

Reply = Callable[[LiveAnswer], None]
OVER = "the run is over"
#: Reading takes real time of the run's.
LONGEST_ENTRY = 4096
#: In one instant: when all its faults have begun and healed.
_AFTER_ALL = (1 << 48, 0)


class Ticket:
    """A request that has not been answered yet."""

    __slots__ = ("number", "reply")

    def __init__(self, number: int, reply: Reply) -> None:
        self.number, self.reply = number, reply


class Desk:
    """One for each run. Shells call `ask`, and `hurry` for what has not been answered after a while."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._open: dict[Ticket, None] = {}
        #: Views that wait for an instant to begin with, and those that wait for nodes to answer.
        self._looks: dict[Ticket, None] = {}
        self._views: dict[Ticket, _View] = {}
        #: Changes that are on the agenda: their faults.
        self._done: dict[Ticket, list[str]] = {}

    def ask(self, request: LiveRequest, reply: Reply) -> Ticket:
        """Take a request; `reply` is called once, now or later."""
        ticket = Ticket(request.number, reply)
        self._open[ticket] = None
        if self._world.over:
            self._answer(ticket, Refused(ticket.number, OVER, over=True))
        elif isinstance(request, ListFaults):
            self._answer(ticket, FaultList(ticket.number, self._world.faults.records()))
        elif isinstance(request, Inspect):
            self._looks[ticket] = None
            self._world.order(lambda: self._look(ticket))
        else:
            self._world.order(lambda: self._carry_out(ticket, request))
        return ticket

    def hurry(self, ticket: Ticket) -> None:
        """No instant came for too long, or a node does not answer: what is known must do.

        A change that has yet to be carried out is waited for all the same.
        """
        if ticket in self._done:
            self._tell(ticket)
        elif ticket in self._looks:
            self._look(ticket)
        view = self._views.get(ticket)
        if view is not None:
            self._finish(ticket, view)

    def heard(self, status: NodeStatus, waits: list[Wait]) -> None:
        """A node has said what it waits for."""
        for ticket, view in list(self._views.items()):
            if view.heard(status, waits):
                self._finish(ticket, view)

    def close(self) -> None:
        """The run is over: whoever still waits is told so."""
        for ticket in list(self._open):
            self._answer(ticket, Refused(ticket.number, OVER, over=True))

    def _answer(self, ticket: Ticket, answer: LiveAnswer) -> None:
        if ticket in self._open:
            del self._open[ticket]
            self._views.pop(ticket, None)
            ticket.reply(answer)

    # --- faults ---

    def _carry_out(self, ticket: Ticket, request: AddFault | HealFaults) -> None:
        """Put a change on the agenda. The answer comes when it has happened, in the same instant."""
        try:
            due_ns = self._due_ns()
            if isinstance(request, AddFault):
                due = self._add(request, due_ns)
            else:
                due = self._heal(request, due_ns)
        except QnetemError as error:
            self._answer(ticket, Refused(ticket.number, _told(error)))
            return
        self._done[ticket] = list(due)
        last_ns = max(due.values())
        self._world.conductor.at(last_ns, _AFTER_ALL, lambda: self._tell(ticket), FAULT)

    def _due_ns(self) -> int:
        """When a change happens that is asked for now. Raises InputError if the run ends before."""
        world = self._world
        due_ns, until_ns = world.conductor.now_ns + 1, world.topology.time.until_ns
        due_ns = max(due_ns, world.wall_instant_ns())
        if until_ns is not None and due_ns > until_ns:
            raise InputError(f"the run ends at {format_ns(until_ns)}, before this could happen")
        return due_ns

    def _tell(self, ticket: Ticket) -> None:
        """What has become of the faults that were asked for: they have begun or healed, or are about to."""
        records = {record.id: record for record in self._world.faults.records()}
        ids = self._done.pop(ticket, [])
        self._answer(ticket, FaultList(ticket.number, [records[name] for name in ids]))

    def _add(self, request: AddFault, due_ns: int) -> dict[str, int]:
        world = self._world
        if len(request.entry) > LONGEST_ENTRY:
            raise InputError(
                f"an entry of {len(request.entry)} characters; at most {LONGEST_ENTRY}"
            )
        specs = read_live_faults(request.entry, world.topology, world.faults.next_name)
        for spec in specs:
            self._refuse_the_dead(spec)
        return {world.faults.add(spec, due_ns): due_ns for spec in specs}

    def _refuse_the_dead(self, spec: FaultSpec) -> None:
        """What needs a process that runs is refused while there is none; others wait for the next one."""
        status = self._world.nodes.statuses.get(spec.target)
        if status is None or spec.verb not in ("kill", "pause", "restart"):
            return
        if status.state == "starting":
            raise InputError(f"{spec.verb}: {status.name} is being restarted")
        if status.state == "killed" and spec.verb != "restart":
            raise InputError(f"{spec.verb}: {status.name} is dead; expected a node that runs")

    def _heal(self, request: HealFaults, due_ns: int) -> dict[str, int]:
        faults = self._world.faults
        active = faults.active()
        ids = active if request.ids == ["all"] else list(dict.fromkeys(request.ids))
        if not ids:
            raise InputError("no fault is active")
        for name in ids:
            if name not in active:
                known = ", ".join(active) or "none"
                raise InputError(f"no fault {name!r} is active; active: {known}")
        return {name: faults.end(name, due_ns) for name in ids}

    # --- views ---

    def _look(self, ticket: Ticket) -> None:
        if ticket not in self._looks:
            return
        del self._looks[ticket]
        world = self._world
        view = self._views[ticket] = _View(world)
        for name in view.asked:
            world.outbox.append((name, Ask()))
        if not view.asked:
            self._finish(ticket, view)

    def _finish(self, ticket: Ticket, view: _View) -> None:
        self._answer(ticket, msgspec.structs.replace(view.view, number=ticket.number))


class _View:
    """A run as it stands now; `asked`: the nodes that have yet to say what they wait for."""

    def __init__(self, world: World) -> None:
        self.asked: dict[str, int] = {}
        self._nodes = {}
        for status in world.nodes.statuses.values():
            node = self._nodes[status.name] = _node_view(world, status)
            if node.activity == "parked":
                self.asked[status.name] = status.incarnation
        self.view = RunView(
            number=0,
            name=world.topology.name,
            seed=world.topology.seed,
            t_ns=world.conductor.now_ns,
            instants=world.conductor.instants,
            wall_s=world.wall_s(),
            nodes=list(self._nodes.values()),
            faults=world.faults.records(),
        )

    def heard(self, status: NodeStatus, waits: list[Wait]) -> bool:
        """Whether this was the last answer that was awaited."""
        if self.asked.get(status.name) != status.incarnation:
            return False
        del self.asked[status.name]
        node = self._nodes[status.name]
        node.waits = [(wait.task, wait.what, wait.since_ns) for wait in waits]
        return not self.asked


def _node_view(world: World, status: NodeStatus) -> NodeView:
    return NodeView(
        name=status.name,
        kind=status.spec.kind,
        state=status.state,
        activity=_activity(status),
        incarnation=status.started,
        granted_ns=status.granted_ns,
        slots_used=world.quantum.slots_used(status.name),
        slots=status.spec.memory.slots,
        in_flight=world.classical.in_flight_to(status.name),
        waits=[],
    )


def _activity(status: NodeStatus) -> str:
    if status.state != "running":
        return status.state
    if status.paused:
        return "frozen" if status.frozen else "paused"
    return "at work" if status.awaited else "parked"


def _told(error: QnetemError) -> str:
    others = getattr(error, "others", [])
    return "\n".join([str(error), *(f"  {other}" for other in others)])
