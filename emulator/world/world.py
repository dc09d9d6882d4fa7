"""The world: reports in, grants out.

Owns the order of things: when a node may run, which instant is next, how the run begins and when it ends.
Joins the parts of a run (run.py) and holds none of their knowledge. No I/O: shells call `receive`,
`disconnected`, `exited`, `interrupt`, and after each call carry out what is in `outbox`: `(node, frame)` for
a node, `("", frame)` for the launcher.

States, and what leads from one to the next:

    BETWEEN  -> INSTANT   the next instant is entered
    BETWEEN  -> OVER      nothing is left to happen, `until` has come, or a program has failed
    INSTANT  -> GRANTED   its phases are over, grants go out
    INSTANT  -> BETWEEN   its phases are over, and no node has anything due
    GRANTED  -> BETWEEN   the last granted node has reported or died; the reports are applied
    any      -> OVER      a node is lost or silent, a program fails in its machinery, an interrupt

In BETWEEN and INSTANT time also stands, in the same state, while the barrier awaits an answer from outside: a
Hello, a Have, an exit, Waits. In real time mode BETWEEN lasts until the wall clock has come to the instant.

Rule: nothing that depends on the real order in which frames come may have an effect. Reports are kept
until all are in, and applied in the order of node names. Processes die in any real order, too: the run ends
when all that were granted in the instant have reported or died, and the first of the dead by name is named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hmac import compare_digest
from pathlib import Path

from ..errors import InternalError, QnetemError, RunError
from ..faults.schedule import Faults
from ..kernel.conductor import FAULT, Answer
from ..topology.model.topology import Topology
from ..wire import (
    PROTOCOL_VERSION,
    Failed,
    Have,
    Hello,
    Poke,
    RecordedInput,
    Report,
    Resend,
    ToEmulator,
    Waits,
)
from ..wire.control import Outcome, Progress, token
from ..wire.worker_frames import Worker
from . import problems
from .end import End
from .grants import OutgoingGrants, Steps
from .live import LiveControl
from .node_faults import NodeFaults
from .nodes import NodeStatus
from .outside import LIVE, OutsideInputs
from .run import Run, State

#: Rounds in one moment that are an endless exchange in no time; grants.py says how they count.
MICROSTEP_CAP = 20_000
#: Instants in a row with nothing but services' timers and messages, after which a run may be stuck.
QUIET_INSTANTS = 500
#: Real seconds that a lost node waits for others that may be lost with it: for the reports of its instant;
#: and before time begins, where processes that are still starting say nothing about it.
SETTLE_S, SETTLE_AT_START_S = 5.0, 0.5
#: Looked at for each entry of the agenda: a member by its class costs more.
BETWEEN, INSTANT, GRANTED, OVER = State


class World:
    """One run. `wall` gives real seconds and is only ever reported, never decided on.

    `inputs`: what came from outside in the run that this one repeats; None: it repeats none.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        journal_path: Path | None = None,
        secret: str = "",
        wall: Callable[[], float] = lambda: 0.0,
        inputs: Sequence[RecordedInput] | None = None,
    ) -> None:
        self._run = run = Run(topology, journal_path, wall)
        self._secret = secret
        self.topology, self.outbox, self.nodes = topology, run.outbox, run.nodes
        self.conductor, self.journal, self.metrics = run.conductor, run.journal, run.metrics
        self.classical, self.quantum = run.classical, run.quantum
        self._barrier = run.barrier
        grants = OutgoingGrants(run)
        self._node_faults = NodeFaults(run, grants.forget_node)
        self.faults = Faults(self._node_faults, run.conductor, run.journal, run.streams)
        self._end = End(run, self.faults)
        self._steps = Steps(run, grants, self._node_faults, self._end)
        self.live = LiveControl(run, self.faults, self._do_between)
        self._outside = OutsideInputs(run, grants, self._do_between, inputs)
        #: Changes from outside, to be made between two instants.
        self._changes: list[Callable[[], None]] = []
        #: Set in real time mode when the next instant is not due yet: seconds until `resume()`.
        self.resume_in_s: float | None = None
        #: Set when a node is lost and others are awaited: seconds until `settle()`.
        self.settle_in_s: float | None = None
        #: All nodes are asked then: more seldom in a large network, so that an instant pays no more for it.
        self._most_quiet = max(QUIET_INSTANTS, len(topology.nodes))
        self._lost: dict[str, RunError] = {}
        #: Node -> whose payloads it lacks, for its report of this instant; and those whose never come.
        self._lacking: dict[str, str] = {}
        self._written_off: set[str] = set()
        #: All programs have ended: the instant in which the services clean up.
        self._last_instant: tuple[int, int] | None = None

    @property
    def over(self) -> bool:
        """Whether the outcome is out."""
        return self._run.over

    @property
    def outcome(self) -> Outcome | None:
        """The outcome, once the run is over."""
        return self._end.outcome

    # --- the life of a run ---

    def start(self) -> None:
        """Await every node's Hello; then time begins."""
        self.faults.schedule(self.topology.faults)
        self._outside.schedule()
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
            return None  # a process that was still starting: it gets a Stop
        if status.state != "starting" or hello.incarnation != status.incarnation:
            return f"{hello.node}.{hello.incarnation} is not expected ({status.state})"
        return None

    def receive(self, node: str, incarnation: int, message: ToEmulator) -> None:
        """Take a frame of a node. A `QnetemError` it causes ends the run with a named problem."""
        status = self.nodes.statuses[node]
        if self._run.state is OVER or status.incarnation != incarnation or status.state == "lost":
            return
        try:
            if type(message) is Report or type(message) is Failed:
                if node in self._written_off:
                    return  # the run is about to end without it
                if self._lacking:
                    self._lacking.pop(node, None)
                steps = self._steps
                if steps.take(status, message) and not steps.missing:
                    self._step_done()
            elif isinstance(message, Hello):
                self._on_hello(status, message)
            elif isinstance(message, Resend):
                self._on_resend(node, message)
            elif isinstance(message, Poke):
                self._outside.take(status, message)
            elif isinstance(message, Have):
                self._passed("have", node)
            elif isinstance(message, Waits):
                self._end.answered(node, message)
                self.live.take_waits(status, message.waits)
                self._passed("waits", node)
        except QnetemError as error:
            self.fail(error)

    def worked(self, node: str, worked_s: float) -> None:
        """A worker has measured how long the step took whose report comes next."""
        self._run.wall_clock.measured(node, worked_s)

    def disconnected(self, node: str, incarnation: int, worker: Worker | None = None) -> None:
        """A node's socket is closed, and its process has not ended. Unplanned, that ends the run at once.

        `worker`: the process that it shares with other nodes, if it does.
        """
        status = self.nodes[node]
        if self.over or status.incarnation != incarnation or not status.alive:
            return
        if self._barrier.awaits("exit", node):
            return
        self._lose(status, problems.cut_off(status, self.conductor.now_ns, worker))

    def exited(
        self,
        node: str,
        incarnation: int,
        exit_status: int,
        worker: Worker | None = None,
    ) -> None:
        """A node's process has ended, and is reaped; `worker` as of `disconnected`."""
        status = self.nodes[node]
        if self.over or status.incarnation != incarnation:
            return
        if self._barrier.awaits("exit", node):
            try:
                self._passed("exit", node)
            except QnetemError as error:
                self.fail(error)
        elif status.state in ("starting", "running", "serving", "finished", "failed"):
            now_ns = self.conductor.now_ns
            self._lose(status, problems.gone(status, exit_status, now_ns, worker))

    def interrupt(self, reason: str, exit_code: int) -> None:
        """Stop the run now, for a reason outside it."""
        self._end.end(problems.interrupted(reason, exit_code, self.conductor.now_ns))

    def fail(self, error: QnetemError) -> None:
        """End the run with this error."""
        self._end.fail(error)

    def settle(self) -> None:
        """`settle_in_s` have passed since a node was lost: end the run with it."""
        if self._lost:
            self.fail(self._lost[min(self._lost)])

    def stalled(self, node: str, stacks: str) -> None:
        """A node has been silent for too long in real time."""
        self._end.end(problems.silent(node, stacks, self.conductor.now_ns))

    def silent(self) -> list[str]:
        """The nodes from which a report or an answer is awaited at this moment."""
        awaited = [node for node in self._steps.granted if self.nodes[node].awaited]
        return awaited + self._barrier.silent()

    def missing(self) -> list[tuple[Answer, str]]:
        """The processes whose start (hello) or exit is awaited at this moment."""
        return self._barrier.missing()

    def progress(self) -> Progress:
        """How far the run is."""
        states = {status.name: status.state for status in self.nodes.statuses.values()}
        counters = {name: float(count) for name, count in self.metrics.counts.items()}
        return Progress(self.conductor.now_ns, self.conductor.instants, states, counters)

    # --- answers that the barrier awaits ---

    def _passed(self, kind: Answer, node: str) -> None:
        if self._barrier.passed(kind, node):
            self._advance()

    def _on_hello(self, status: NodeStatus, hello: Hello) -> None:
        status.pid = hello.pid
        status.state, status.openings = "running", 0
        clock, outside = self._node_faults.clock(status.name), self._outside.mode
        now_ns = self.conductor.now_ns
        welcome = self.nodes.welcome(status, self.topology.seed, now_ns, clock, outside)
        # Before the barrier: the last Hello lets time begin, and Welcome must come before the first grant.
        self.outbox.append((status.name, welcome))
        self._passed("hello", status.name)

    def _on_resend(self, node: str, request: Resend) -> None:
        """A receiver lacks payloads: their sender publishes them again."""
        source = self.nodes.statuses.get(request.src)
        self._lacking[node] = request.src
        if source is not None and source.state == "lost":
            if self._write_off():
                self._step_done()
            return  # the run is about to end with that node's loss, whatever this one lacks
        if source is None or not source.alive or source.incarnation != request.inc:
            raise InternalError(f"{node} lacks a payload of {request.src}, which is gone")
        self.metrics.count("messages.resent", len(request.seqs))
        self.outbox.append((request.src, Resend(request.src, request.inc, request.seqs, node)))

    # --- instants ---

    def _wake_all(self) -> None:
        self._run.wall_clock.begin()
        for name in self.nodes.statuses:
            self.conductor.wake(name)

    def _step_done(self) -> None:
        """A granted node has reported, or has died: with the last one the instant is over."""
        if not self._steps.missing:
            self._steps.apply()
            # After the reports: a program that has failed in this instant is named before a lost node.
            if self._lost:
                self.settle()
            self._advance()

    def _write_off(self) -> bool:
        """Await no report for which a payload of a lost node is lacking; whether one was awaited."""
        found = False
        for node, source in self._lacking.items():
            status = self.nodes[node]
            if status.awaited and source in self._lost:
                self._steps.done(status)
                self._written_off.add(node)
                found = True
        return found

    def _advance(self) -> None:
        """Let time pass until reports, an answer from outside or the wall clock are awaited."""
        run, conductor, steps = self._run, self.conductor, self._steps
        awaited = self._barrier.awaited
        while not awaited:
            if run.state is BETWEEN and not self._enter_next():
                return
            if run.state is not INSTANT:
                return
            # Looked at after each entry: a kill makes time stand in the middle of the phases.
            while conductor.run_phases():
                if awaited or run.state is not INSTANT:
                    return
            run.state, last = GRANTED, self._last_instant
            steps.grant(last is not None and (conductor.now_ns, conductor.m) == last)
            if not steps.granted:
                run.state = BETWEEN
            elif not steps.missing:  # none but programs that cannot be built
                steps.apply()

    def _enter_next(self) -> bool:
        """Enter the next instant; False when there is none (the run has ended, or asks why)."""
        conductor, end = self.conductor, self._end
        # Changes from outside come first: what they put on the agenda may be what comes next.
        while self._changes:
            self._changes.pop(0)()
        broken = end.problem is not None and self.topology.on_error == "stop"
        if broken or (self._last_instant is not None and not self._cleaning_up()):
            end.end(end.problem)
            return False
        found = self.nodes.found_busy  # most instants find the same program at work
        works = found is not None and found.state == "running"
        if not works and self._last_instant is None and self._programs_ended():
            self._plan_last_instant()
        instant = conductor.next_instant()
        until_ns = self.topology.time.until_ns
        if self._run.quiet_instants >= self._most_quiet and not self._may_be_stuck():
            return False
        if instant is None or (until_ns is not None and instant[0] > until_ns):
            self._nothing_more(instant, until_ns)
            return False
        if self.topology.time.mode == "real" and not self._is_due(instant[0]):
            return False
        if instant[1] == 0:
            self._steps.rounds = 0
        elif self._steps.rounds > MICROSTEP_CAP:
            end.spinning(list(self._steps.granted))
            return False
        conductor.enter(*instant)
        self._run.state = INSTANT
        return True

    def _nothing_more(self, instant: tuple[int, int] | None, until_ns: int | None) -> None:
        """Nothing is on the agenda before `until`: the run ends, unless something may come from outside."""
        is_open = self._outside.is_open()
        if is_open and self._outside.mode == LIVE:
            if until_ns is None:
                return  # until it comes
            ahead_s = self._run.wall_clock.ahead_s(until_ns)
            if ahead_s > 0:
                self.resume_in_s = ahead_s
                return
        if until_ns is not None:
            self._pass_switches(until_ns)
        if instant is None and self.nodes.busy() and not (is_open and until_ns is not None):
            self._end.stuck()
        else:
            self._end.at_until()

    def _pass_switches(self, until_ns: int) -> None:
        """The run ends at the last instant at which something happens, if only at a switch."""
        t_ns = self.classical.last_switch_ns(until_ns)
        if t_ns > self.conductor.now_ns:
            self.conductor.enter(t_ns, 0)

    def _may_be_stuck(self) -> bool:
        """Nothing but background was seen for long: False if nothing else is known to come.

        Then all nodes are asked, and the run ends unless one of them says otherwise.
        """
        run = self._run
        run.quiet_instants = 1
        if not self.nodes.busy() or self._outside.is_open():
            return True
        if run.conductor.entries() > run.classical.background():
            return True  # a result, a photon, a fault, a program's message
        self._end.stuck_beside_services()
        return run.state is BETWEEN and not self._barrier.awaited

    def _is_due(self, t_ns: int) -> bool:
        """Real time mode: whether the wall clock has come to this instant; notes how late it is.

        Only the moment of entering depends on the wall clock, so the digest is that of virtual time.
        """
        if not self.conductor.instants:
            return True
        ahead_s = self._run.wall_clock.ahead_s(t_ns)
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

    def _do_between(self, change: Callable[[], None]) -> None:
        """Make a change between two instants: a fault is added or healed, something comes from outside."""
        if self.over:
            return
        self._changes.append(change)
        # Time stands for the wall clock, or until something comes from outside.
        if self._run.state is BETWEEN and not self._barrier.awaited and self.conductor.instants:
            self.resume()

    # --- the end ---

    def _programs_ended(self) -> bool:
        """Whether all programs have ended, and no planned fault starts one of them again."""
        if not self.conductor.instants or not self.nodes.over():
            return False
        statuses = self.nodes.statuses.values()
        killed = (
            each.name for each in statuses if each.state == "killed" and not each.spec.service
        )
        return not any(map(self.faults.will_restart, killed))

    def _plan_last_instant(self) -> None:
        """What is broken heals; the services get one step, in the next microstep, to clean up."""
        self._last_instant = (self.conductor.now_ns, self.conductor.m + 1)
        # Healed before the services are woken, so that the last step is done over whole links.
        self.faults.heal_all()

        def wake() -> None:
            for status in self.nodes.services():
                self.conductor.wake(status.name)

        self.conductor.at(self.conductor.now_ns, (-1,), wake, FAULT)

    def _cleaning_up(self) -> bool:
        """Whether something is left to do in this moment: a service's last qubits to be discarded."""
        instant = self.conductor.next_instant()
        return instant is not None and instant[0] == self.conductor.now_ns

    def _lose(self, status: NodeStatus, why: RunError) -> None:
        """A node is lost. Others may be dying at the same instant: they are waited for, and not for long."""
        status.state = "lost"
        self._lost[status.name] = why
        was_awaited = status.awaited
        if was_awaited:
            self._steps.done(status)
        if self._write_off() or was_awaited:
            self._step_done()
        if self.over or self.settle_in_s is not None:
            return
        others = any(node not in self._lost for _, node in self._barrier.awaited)
        if others or self._steps.missing:
            self.settle_in_s = SETTLE_S if self.conductor.instants else SETTLE_AT_START_S
        else:
            self.settle()
