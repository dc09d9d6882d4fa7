"""The world: reports in, grants out.

Owns the order of things: when a node may run, what is applied when, how the run begins, breaks and
ends. Joins conductor (time), classical plane, quantum plane, faults and journal, and holds none of
their knowledge. No I/O: shells call `receive`, `disconnected`, `exited`, `interrupt`, and after each
call carry out what is in `outbox`: `(node, frame)` for a node, `("", frame)` for the launcher.

Theory of operation. The world is always in one of these:

    barrier    something outside must happen first: a Hello, a Have, an exit, a Waits
    running    nodes have been granted; reports are awaited
    advancing  nobody is awaited: apply reports, enter the next instant, run its phases, grant
    over       the outcome is out; nothing counts any more

Rule: nothing that depends on the real order in which frames come may have an effect. Reports are kept
until all are in, and applied in the order of node names. Processes die in any real order, too: the run ends
when all that were granted in the instant have reported or died, and the first of the dead by name is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hmac import compare_digest
from pathlib import Path

import msgspec

from ..classical.plane import ClassicalPlane
from ..errors import InternalError, QnetemError, RunError
from ..faults.schedule import Faults
from ..kernel.conductor import FAULT, Answer, Barrier, Conductor
from ..kernel.ports import Surroundings
from ..kernel.streams import Streams
from ..kernel.wall_clock import WallClock
from ..quantum.plane import QuantumPlane
from ..record.journal import Journal, rounded
from ..record.metrics import Metrics
from ..topology.model.topology import Topology
from ..wire import (
    PROTOCOL_VERSION,
    Ask,
    Failed,
    Finished,
    Have,
    Hello,
    Note,
    Release,
    Report,
    Resend,
    Stop,
    ToEmulator,
    Wait,
    Waits,
)
from ..wire.control import Outcome, Problem, Progress, token
from . import problems
from .end_state import leftovers
from .live import Desk
from .node_faults import NodeFaults
from .nodes import Nodes, NodeStatus
from .outgoing_grants import OutgoingGrants

#: Rounds in one moment that are an endless exchange in no time. One in which a node asks something of the
#: physical world counts 1/50: many free operations in a row are a program at work.
MICROSTEP_CAP = 20_000
_WORKING = 50
#: Real seconds that a lost node waits for others that may be lost with it: for the reports of its instant;
#: and before time begins, where processes that are still starting say nothing about it.
SETTLE_S, SETTLE_AT_START_S = 5.0, 0.5


class World:
    """One run. `wall` gives real seconds and is only ever reported, never decided on."""

    def __init__(
        self,
        topology: Topology,
        *,
        journal_path: Path | None = None,
        secret: str = "",
        wall: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.topology = topology
        self.outbox: list[tuple[str, msgspec.Struct]] = []
        self.over = False
        self.outcome: Outcome | None = None
        self.conductor = Conductor()
        self.journal = Journal(self.conductor, journal_path)
        self.metrics = Metrics()
        self.streams = Streams(topology.seed)
        self.nodes = Nodes(topology)
        self.classical = ClassicalPlane(
            topology,
            self.conductor,
            self.journal,
            self.metrics,
            self.nodes.receiver,
            self.nodes.listens,
            self._publish,
        )
        around = Surroundings(self.conductor, self.journal, self.metrics, self.streams)
        self.quantum = QuantumPlane(topology, around)
        self._secret, self._pace = secret, WallClock(wall, topology.time.speed)
        #: Set in real time mode when the next instant is not due yet: seconds until `resume()`.
        self.resume_in_s: float | None = None
        #: Set when a node is lost and others are awaited: seconds until `settle()`.
        self.settle_in_s: float | None = None
        self._lost: dict[str, RunError] = {}
        self._dues = OutgoingGrants(self.nodes, self.conductor, self.classical, self.quantum)
        self._reports: dict[str, Report | Failed] = {}
        #: Programs that cannot be built. It counts as what they do with their first grant: several of
        #: them fail in the order of their names, not in the order in which they say so.
        self._unbuilt: dict[str, Failed] = {}
        self._granted: list[str] = []
        self._missing_reports = 0
        self._barrier = Barrier()
        self._harm = NodeFaults(
            self.nodes,
            self.conductor,
            self.journal,
            self.classical,
            self.quantum,
            self._barrier,
            self.outbox,
            self._never_grant,
        )
        self.faults = Faults(self._harm, self.conductor, self.journal, self.streams)
        self.desk = Desk(self)
        #: What somebody outside asks for, to be done between two instants.
        self._orders: list[Callable[[], None]] = []
        self._rounds_in_no_time = 0.0
        self._in_instant = False
        #: The end has come; and whether the services are yet to be told, in the next grants.
        self._last = self._dismissing = False
        self._problem: Problem | None = None
        self._waits: dict[str, list[Wait]] = {}

    # --- the life of a run ---

    def start(self) -> None:
        """Await every node's Hello; then time begins."""
        self.faults.schedule(self.topology.faults)
        self.conductor.at_start((-1,), self._wake_all, FAULT)
        for name in self.nodes.statuses:
            self._barrier.add("hello", name)

    def authenticate(self, hello: Hello) -> str | None:
        """Why this Hello is refused, or None."""
        status = self.nodes.statuses.get(hello.node)
        if status is None:
            return f"no node is called {hello.node!r}"
        if hello.version != PROTOCOL_VERSION:
            return f"{hello.node} speaks protocol {hello.version}, not {PROTOCOL_VERSION}"
        known = token(self._secret, hello.node, hello.incarnation) if self._secret else hello.token
        if not compare_digest(hello.token.encode(), known.encode()):
            return f"wrong token for {hello.node}"
        if self.over:
            return None  # a process that was still starting: it is told to stop
        if status.state != "starting" or hello.incarnation != status.incarnation:
            return f"{hello.node}.{hello.incarnation} is not expected ({status.state})"
        return None

    def receive(self, node: str, incarnation: int, message: ToEmulator) -> None:
        """A node says something. A `QnetemError` it causes ends the run with a named problem."""
        status = self.nodes.statuses[node]
        if self.over or status.incarnation != incarnation or status.state == "lost":
            return
        try:
            if isinstance(message, (Report, Failed)):
                self._on_report(status, message)
            elif isinstance(message, Hello):
                self._on_hello(status, message)
            elif isinstance(message, Resend):
                self._on_resend(node, message)
            elif isinstance(message, Have):
                self._passed("have", node)
            elif isinstance(message, Waits):
                self._waits[node] = message.waits
                self.desk.heard(status, message.waits)
                self._passed("waits", node)
        except QnetemError as error:
            self.fail(error)

    def disconnected(self, node: str, incarnation: int) -> None:
        """A node's socket is closed, and its process has not ended. Unplanned, that ends the run at once."""
        status = self.nodes[node]
        if self.over or status.incarnation != incarnation or not status.alive:
            return
        if self._barrier.awaits("exit", node):
            return
        self._lose(status, problems.cut_off(status, self.conductor.now_ns))

    def exited(self, node: str, incarnation: int, exit_status: int) -> None:
        """A node's process has ended, and is reaped."""
        status = self.nodes[node]
        if self.over or status.incarnation != incarnation:
            return
        if self._barrier.awaits("exit", node):
            try:
                self._passed("exit", node)
            except QnetemError as error:
                self.fail(error)
        elif status.state in ("starting", "running", "finished", "failed"):
            self._lose(status, problems.gone(status, exit_status, self.conductor.now_ns))

    def interrupt(self, reason: str, exit_code: int) -> None:
        """Somebody outside stops the run now."""
        if not self.over:
            self._end(problems.interrupted(reason, exit_code, self.conductor.now_ns))

    def fail(self, error: QnetemError) -> None:
        """End the run with this error."""
        if not self.over:
            self._end(problems.problem_of(error, self.conductor.now_ns))

    def settle(self) -> None:
        """`settle_in_s` have passed since a node was lost: end the run with it."""
        if self._lost and not self.over:
            self.fail(self._lost[min(self._lost)])

    def stalled(self, node: str, stacks: str) -> None:
        """A node has been silent for too long in real time."""
        if not self.over:
            self._end(problems.silent(node, stacks, self.conductor.now_ns))

    def order(self, action: Callable[[], None]) -> None:
        """Have something done between two instants: a fault added or healed by somebody outside."""
        if not self.over:
            self._orders.append(action)
            if self.resume_in_s is not None:
                self.resume()

    def wall_instant_ns(self) -> int:
        """Real time mode: the virtual time that the wall clock has come to; else now."""
        if self.topology.time.mode != "real":
            return self.conductor.now_ns
        return self._pace.wall_ns

    def wall_s(self) -> float:
        """Real seconds since the first instant; 0 before it."""
        return self._pace.wall_s

    def silent(self) -> list[str]:
        """The nodes whose word is awaited at this moment."""
        awaited = [node for node in self._granted if self.nodes[node].awaited]
        return awaited + self._barrier.silent()

    def missing(self) -> list[tuple[Answer, str]]:
        """The processes whose birth (hello) or death (exit) is awaited at this moment."""
        return self._barrier.missing()

    def progress(self) -> Progress:
        """How far the run is."""
        states = {status.name: status.state for status in self.nodes.statuses.values()}
        counters = {name: float(count) for name, count in self.metrics.counts.items()}
        return Progress(self.conductor.now_ns, self.conductor.instants, states, counters)

    # --- answers that a barrier awaits ---

    def _passed(self, kind: Answer, node: str) -> None:
        if self._barrier.passed(kind, node):
            self._advance()

    def _on_hello(self, status: NodeStatus, hello: Hello) -> None:
        status.pid = hello.pid
        status.state = "running"
        clock = self._harm.clock(status.name)
        welcome = self.nodes.welcome(status, self.topology.seed, self.conductor.now_ns, clock)
        self.outbox.append((status.name, welcome))
        self._passed("hello", status.name)

    def _on_resend(self, node: str, request: Resend) -> None:
        """A receiver lacks payloads: their sender publishes them again."""
        source = self.nodes.statuses.get(request.src)
        if source is None or not source.alive or source.incarnation != request.inc:
            raise InternalError(f"{node} lacks a payload of {request.src}, which is gone")
        self.metrics.count("messages.resent", len(request.seqs))
        self.outbox.append((request.src, Resend(request.src, request.inc, request.seqs, node)))

    def _publish(self, src: str, inc: int, seq: int, to: str) -> None:
        """Have a sender publish a payload to somebody it did not mean it for."""
        if self.nodes.statuses[src].alive:
            self.outbox.append((src, Resend(src, inc, [seq], to)))

    # --- instants ---

    def _wake_all(self) -> None:
        self._pace.begin()
        for name in self.nodes.statuses:
            self.conductor.wake(name)

    def _on_report(self, status: NodeStatus, report: Report | Failed) -> None:
        if not status.awaited:
            if isinstance(report, Failed):
                if report.kind == "program":
                    self._unbuilt[status.name] = report
                else:
                    self._fail_program(status, report)
                return
            raise InternalError(f"{status.name} reports without having been granted")
        status.awaited = False
        self._reports[status.name] = report
        self._pace.reported(status.name, status.incarnation)
        self._one_less()

    def _one_less(self) -> None:
        """One of those who were granted has reported, or has died."""
        self._missing_reports -= 1
        if not self._missing_reports:
            self._apply_reports()
            self.settle()
            self._advance()

    def _apply_reports(self) -> None:
        reports, statuses = self._reports, self.nodes.statuses
        working = False
        for name in self._granted:
            report = reports.get(name)  # None: it has died instead
            if type(report) is Report:
                working = working or bool(report.operations)
                self._apply(statuses[name], report)
            elif type(report) is Failed:
                self._fail_program(statuses[name], report)
        reports.clear()
        self._rounds_in_no_time += 1 / _WORKING if working else 1
        self.classical.taken()
        for name, forgets in self.classical.overdue():
            self.outbox.append((name, Release(forgets)))

    def _apply(self, status: NodeStatus, report: Report) -> None:
        name, incarnation = status.name, status.incarnation
        if report.t_ns != self.conductor.now_ns or report.m != self.conductor.m:
            raise InternalError(f"{name} reports for another instant: {report.t_ns, report.m}")
        for send in report.sends:
            self.classical.send(name, incarnation, send)
        # What is given up makes room for what is asked for in the same step: a slot, a link to send on.
        issued = {operation.number for operation in report.operations} if report.cancels else ()
        for number in report.cancels:
            if number not in issued:
                self.quantum.withdraw(name, number)
        for frame in report.frames:
            self.quantum.registry.note_frame(name, frame.qubit, frame.z, frame.x)
        for operation in report.operations:
            self.quantum.issue(name, incarnation, operation)
        for number in report.cancels:
            if number in issued:
                self.quantum.withdraw(name, number)
        for note in report.notes:
            self._note(name, note)
        if report.failed is not None:
            self._fail_program(status, report.failed)
        elif report.finished is not None:
            self._finish_program(status, report.finished)
        else:
            self.conductor.set_timer(name, report.next_timer_ns)

    def _note(self, node: str, note: Note) -> None:
        value = rounded(note.value)
        self.journal.event(node, "note", note.name, value)
        if isinstance(value, (int, float)):
            self.metrics.observe(f"{node}.{note.name}", float(value))

    def _finish_program(self, status: NodeStatus, finished: Finished) -> None:
        value = finished.value
        status.state, status.ended_ns = "finished", self.conductor.now_ns
        status.result, status.unread = value, finished.unread
        self._never_grant(status.name)
        self._withdraw_all(status.name)
        self.journal.event(status.name, "end", rounded(value))

    def _withdraw_all(self, node: str) -> None:
        """Nobody takes what this program still waits for: a peer must not get a pair with it."""
        for number, _ in self.quantum.pending(node):
            self.quantum.withdraw(node, number)

    def _never_grant(self, node: str) -> None:
        """This incarnation runs no more."""
        self._unbuilt.pop(node, None)
        self._dues.forget_node(node)
        self.conductor.forget_node(node)

    def _fail_program(self, status: NodeStatus, failure: Failed) -> None:
        status.state, status.ended_ns = "failed", self.conductor.now_ns
        self._never_grant(status.name)
        self._withdraw_all(status.name)
        # The class alone: a message may hold an address in memory, which no digest may depend on.
        self.journal.event(status.name, "failed", failure.kind, failure.problem.partition(":")[0])
        problem = problems.failed(status.name, failure, self.conductor.now_ns)
        self._problem = self._problem or problem
        if failure.kind != "raised":
            self._end(problem)

    def _advance(self) -> None:
        conductor = self.conductor
        awaited = self._barrier.awaited
        while not (self.over or awaited or self._missing_reports):
            if not self._in_instant and not self._enter_next():
                return
            while conductor.run_phases():
                if awaited or self.over:
                    return
            self._in_instant = False
            self._grant()
            if self._granted and not self._missing_reports:
                self._apply_reports()

    def _enter_next(self) -> bool:
        """Enter the next instant; False when there is none (the run has ended, or asks why)."""
        conductor = self.conductor
        while self._orders:
            self._orders.pop(0)()
        broken = self._problem is not None and self.topology.on_error == "stop"
        if broken or (self._last and not self._cleaning_up()):
            self._end(self._problem)
            return False
        over = conductor.instants and self.nodes.over()
        if over and not self._last and not self._comes_back():
            self._last_step()
        instant = conductor.next_instant()
        until_ns = self.topology.time.until_ns
        if instant is None and self.nodes.busy():
            self._ask(self._stuck, self.nodes.statuses.values())
            return False
        if instant is None or (until_ns is not None and instant[0] > until_ns):
            self._ask(lambda: self._end(self._problem, self._waits), self.nodes.unfinished())
            return False
        if self.topology.time.mode == "real" and not self._is_due(instant[0]):
            return False
        if instant[1] == 0:
            self._rounds_in_no_time = 0
        elif self._rounds_in_no_time > MICROSTEP_CAP:
            self._ask(self._spinning, self.nodes.statuses.values())
            return False
        conductor.enter(*instant)
        self._in_instant = True
        return True

    def _is_due(self, t_ns: int) -> bool:
        """Real time mode: whether the wall clock has come to this instant; notes how late it is.

        Only the moment of going on depends on the wall clock, so the digest is that of virtual time.
        """
        if not self.conductor.instants:
            return True
        ahead_s = self._pace.ahead_s(t_ns)
        if ahead_s > 0:
            self.resume_in_s = ahead_s
            return False
        self.metrics.observe("time.behind_s", -ahead_s)
        return True

    def resume(self) -> None:
        """Real time mode: `resume_in_s` have passed."""
        self.resume_in_s = None
        if self.over:
            return
        try:
            self._advance()
        except QnetemError as error:
            self.fail(error)

    def _comes_back(self) -> bool:
        """Whether a program is dead, and a fault is planned that starts it again."""
        statuses = self.nodes.statuses.values()
        killed = (c.name for c in statuses if c.state == "killed" and not c.spec.service)
        return any(map(self.faults.will_restart, killed))

    def _last_step(self) -> None:
        """All programs have ended: what is broken heals, the services get one step to clean up."""
        self._last = self._dismissing = True
        self.faults.heal_all()
        now = self.conductor.now_ns

        def wake() -> None:
            for status in self.nodes.services():
                self.conductor.wake(status.name)

        self.conductor.at(now, (-1,), wake, FAULT)

    def _cleaning_up(self) -> bool:
        """Whether something is left to do in this moment: a service's last qubits to be discarded."""
        instant = self.conductor.next_instant()
        return instant is not None and instant[0] == self.conductor.now_ns

    def _grant(self) -> None:
        """Hand out what is due, to the nodes in the order of their names."""
        conductor, statuses = self.conductor, self.nodes.statuses
        self._dues.collect()
        self._granted = []
        for name in conductor.take_due():
            status = statuses[name]
            if status.state != "running":
                continue
            if status.paused:
                status.missed = True
                continue
            self._granted.append(name)
            if name in self._unbuilt:
                self._reports[name] = self._unbuilt.pop(name)
                continue
            status.awaited = True
            status.granted_ns = conductor.now_ns
            self._missing_reports += 1
            last = self._dismissing and status.spec.service
            grant = self._dues.grant(status, last, self._harm.take_clock(name))
            self.outbox.append((name, grant))
        self._dismissing = False
        self._pace.granted()

    # --- the end ---

    def _ask(self, then: Callable[[], None], statuses: Iterable[NodeStatus]) -> None:
        """Have those of them that run say what they wait for; then end the run with it."""
        self._waits.clear()
        for status in statuses:
            if status.state == "running" and status.paused:
                what = "a fault pauses it"
                self._waits[status.name] = [Wait(status.name, what, self.conductor.now_ns)]
            elif status.state == "running":
                self._barrier.add("waits", status.name)
                self.outbox.append((status.name, Ask()))
        self._barrier.afterwards(then)

    def _stuck(self) -> None:
        asked = {
            name: [what for _, what in self.quantum.pending(name)] for name in self.nodes.statuses
        }
        active = [fault for fault in self.faults.records() if fault.state == "active"]
        ended = problems.ended(self.nodes.statuses.values())
        self.fail(problems.stuck(self._waits, asked, self.conductor.now_ns, active, ended))

    def _spinning(self) -> None:
        now = self.conductor.now_ns
        self.fail(problems.spinning(list(self._granted), self._waits, self.conductor.m, now))

    def _lose(self, status: NodeStatus, why: RunError) -> None:
        """A node is lost. Others may be dying at the same instant: they are waited for, and not for long."""
        status.state = "lost"
        self._lost[status.name] = why
        if status.awaited:
            status.awaited = False
            self._one_less()
        if self.over or self.settle_in_s is not None:
            return
        others = any(node not in self._lost for _, node in self._barrier.awaited)
        if others or self._missing_reports:
            self.settle_in_s = SETTLE_S if self.conductor.instants else SETTLE_AT_START_S
        else:
            self.settle()

    def _end(self, problem: Problem | None, waits: dict[str, list[Wait]] | None = None) -> None:
        """The run is over; `waits`: what the programs wait for that have not finished by `until`."""
        if self.over:
            return
        self.over = True
        until_ns = self.topology.time.until_ns
        unfinished = problem is None and bool(self.nodes.unfinished())
        t_ns = until_ns if unfinished and until_ns is not None else self.conductor.now_ns
        self.faults.heal_all()
        try:
            self.journal.close()
        except QnetemError as error:
            problem = problem or problems.problem_of(error, t_ns)
        for status in self.nodes.statuses.values():
            if status.alive:
                self.outbox.append((status.name, Stop()))
        self.outcome = Outcome(
            name=self.topology.name,
            seed=self.topology.seed,
            digest=self.journal.digest(),
            t_ns=t_ns,
            wall_s=self._pace.reported_s,
            instants=self.conductor.instants,
            nodes=self.nodes.states(),
            results=self.nodes.results(),
            metrics=self.metrics.summary(),
            problem=problem,
            faults=self.faults.records(),
            left=leftovers(self.nodes, self.quantum, self._pace, waits or {}),
        )
        self.outbox.append(("", self.outcome))
