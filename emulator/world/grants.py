"""Grants and reports: what is due to a node goes out in a grant, what it did comes back in a report.

Owns what the quantum plane has for nodes until a grant hands it out, the reports of an instant until all are
in, and what a report changes. Does not own messages, which wait in the classical plane, nor which instant is
next (world.py).

Rules. What is for an incarnation that takes nothing any more is dropped; all else wakes the node, but for
results that the node wants only with its next grant. Reports are applied when all granted nodes have reported
or died, in the order of node names.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import InternalError
from ..kernel.streams import hash_key
from ..record.journal import rounded
from ..record.private_fields import PrivateFields
from ..wire import Arrival, Failed, Finished, Grant, Input, Note, Release, Report, Result, Skew
from ..wire.keyed_hash import keyed_hash
from .end import End
from .node_faults import NodeFaults
from .nodes import RUNS, NodeStatus
from .run import Run, State

#: A round in which a node asks something of the physical world counts so much less towards an endless
#: exchange in no time: many free operations in a row are a program at work.
_WORKING = 50
#: What a grant holds of a kind of which nothing is due. Never written to: one list is in all of them.
_NOTHING: list[Any] = []


class OutgoingGrants:
    """What is due, by node."""

    def __init__(self, run: Run) -> None:
        self._nodes, self._conductor = run.nodes, run.conductor
        self._classical, self._quantum = run.classical, run.quantum
        self._results: dict[str, list[Result]] = {}
        self._arrivals: dict[str, list[Arrival]] = {}
        self._expired: dict[str, list[str]] = {}
        self._inputs: dict[str, list[Input]] = {}
        self._journal, self._hash_key = run.journal, hash_key(run.topology.seed)
        #: Programs that cannot be built. It counts as what they do with their first grant: several of
        #: them fail in the order of their names, not in the order in which they say so.
        self.unbuilt: dict[str, Failed] = {}

    def collect(self) -> None:
        """Take what the quantum plane has for the nodes at this instant."""
        plane, receiver, wake = self._quantum, self._nodes.receiver, self._conductor.wake
        if plane.results:
            statuses = self._nodes.statuses
            for name, incarnation, result in plane.results:
                status = statuses[name]
                if status.incarnation == incarnation and status.state in RUNS:
                    self._results.setdefault(name, []).append(result)
                    wake(name)
            plane.results.clear()
        if plane.quiet_results:
            for name, incarnation, result in plane.quiet_results:
                status = self._nodes.statuses[name]
                if status.incarnation == incarnation and status.state in RUNS:
                    self._results.setdefault(name, []).append(result)
            plane.quiet_results.clear()
        if plane.arrivals:
            for name, arrival in plane.arrivals:
                if receiver(name, arrival.owner) is not None:
                    self._arrivals.setdefault(name, []).append(arrival)
                    wake(name)
            plane.arrivals.clear()
        if plane.expired:
            for name, qubit in plane.expired:
                if receiver(name) is not None:
                    self._expired.setdefault(name, []).append(qubit)
                    wake(name)
            plane.expired.clear()

    def bare(self) -> Grant | None:
        """A grant of this instant with nothing in it, for all nodes; None: something is due to some."""
        classical = self._classical
        if (
            classical.deliveries
            or classical.forgets
            or self._arrivals
            or self._results
            or self._expired
            or self._inputs
        ):
            return None
        return Grant(self._conductor.now_ns, self._conductor.m)

    def grant(self, name: str, last: bool, clock: list[Skew] | None) -> Grant:
        """A grant of this instant, with all that is due; see `Grant` for `last` and `clock`."""
        conductor, classical = self._conductor, self._classical
        deliveries, forgets = classical.deliveries, classical.forgets
        arrivals, results, expired = self._arrivals, self._results, self._expired
        return Grant(
            conductor.now_ns,
            conductor.m,
            deliveries.pop(name, _NOTHING) if deliveries else _NOTHING,
            arrivals.pop(name, _NOTHING) if arrivals else _NOTHING,
            results.pop(name, _NOTHING) if results else _NOTHING,
            forgets.pop(name, _NOTHING) if forgets else _NOTHING,
            last,
            clock,
            expired.pop(name, _NOTHING) if expired else _NOTHING,
            self._take_inputs(name) if name in self._inputs else _NOTHING,
        )

    def add_input(self, name: str, item: Input) -> None:
        """Something from outside is due to the node at this instant."""
        self._inputs.setdefault(name, []).append(item)
        self._conductor.wake(name)

    def _take_inputs(self, name: str) -> list[Input]:
        inputs, status = self._inputs.pop(name), self._nodes[name]
        status.inputs += len(inputs)
        for each in inputs:
            shown = keyed_hash(self._hash_key, f"input\x1f{name}", each.data)
            fields = (each.opening, each.number, each.kind, len(each.data), shown)
            self._journal.event(name, "input", *fields)
        return inputs

    def forget_node(self, name: str) -> None:
        """The node runs no more in this incarnation: nothing can be handed to it."""
        for due in (
            self._results,
            self._arrivals,
            self._expired,
            self._inputs,
            self.unbuilt,
        ):
            due.pop(name, None)
        self._classical.forget_node(name)
        self._conductor.forget_node(name)


class Steps:
    """Grants out, reports in. `granted`: the nodes of this instant; `missing`: reports still awaited."""

    def __init__(self, run: Run, grants: OutgoingGrants, node_faults: NodeFaults, end: End) -> None:
        self._run, self._grants, self._node_faults, self._end = run, grants, node_faults, end
        self._wall_clock = run.wall_clock
        self._private = PrivateFields(run.topology.record, run.topology.seed)
        self.granted: list[str] = []
        self.missing = 0
        #: Steps of this moment, weighted: see `_WORKING`.
        self.rounds = 0.0
        #: Whether the physical world had anything for the nodes of this instant.
        self.gave_results = False
        self._reports: dict[str, Report | Failed] = {}

    def grant(self, last: bool) -> None:
        """Hand out what is due, to the nodes in the order of their names; `last`: services clean up now."""
        run, grants = self._run, self._grants
        conductor, statuses = run.conductor, run.nodes.statuses
        # Before the due nodes are taken: a result or a qubit wakes its node at this very instant.
        plane = run.quantum
        self.gave_results = bool(
            plane.results or plane.quiet_results or plane.arrivals or plane.expired
        )
        if self.gave_results:
            grants.collect()
        self.granted = granted = []
        faults, outbox, unbuilt = self._node_faults, run.outbox, grants.unbuilt
        now_ns, make = conductor.now_ns, grants.grant
        bare = None if last else grants.bare()
        for name in conductor.take_due():
            status = statuses[name]
            if status.state not in RUNS:
                continue
            if status.paused:
                status.missed = True
                continue
            granted.append(name)
            if unbuilt and name in unbuilt:
                self._reports[name] = unbuilt.pop(name)
                continue
            status.awaited = True
            status.granted_ns = now_ns
            self.missing += 1
            clock = faults.take_clock(name) if faults.unsent else None
            if bare is not None and clock is None:
                outbox.append((name, bare))
                continue
            dismissed = last and (status.spec.service or bool(status.spec.services))
            outbox.append((name, make(name, dismissed, clock)))
        stopwatch = run.wall_clock
        stopwatch.since_s = stopwatch.wall()

    def take(self, status: NodeStatus, report: Report | Failed) -> bool:
        """Keep a report; False: it ends no step, as a program that cannot be built has had none."""
        if status.awaited:
            self._reports[status.name] = report
            self._wall_clock.reported(status)
            status.awaited = False
            self.missing -= 1
            return True
        if not isinstance(report, Failed):
            raise InternalError(f"{status.name} reports without having been granted")
        if report.kind == "program":
            self._grants.unbuilt[status.name] = report
        else:
            self._fail(status, report)
        return False

    def done(self, status: NodeStatus) -> None:
        """A granted node has reported, or has died."""
        status.awaited = False
        self.missing -= 1

    # --- what a report changes ---

    def apply(self) -> None:
        """All reports of the instant are in: apply them in the order of node names."""
        run, reports, statuses = self._run, self._reports, self._run.nodes.statuses
        working, quiet = False, bool(self.granted)
        for name in self.granted:
            report = reports.get(name)  # None: it has died instead
            if type(report) is Report:
                if report.operations:
                    working = True
                if not report.background:
                    quiet = False
                self._apply(statuses[name], report)
            elif type(report) is Failed:
                self._fail(statuses[name], report)
        reports.clear()
        quiet = quiet and not working and not self.gave_results
        run.quiet_instants = run.quiet_instants + 1 if quiet else 0
        self.rounds += 1 / _WORKING if working else 1
        run.classical.taken()
        for name, forgets in run.classical.overdue():
            run.outbox.append((name, Release(forgets)))
        if run.state is State.GRANTED:
            run.state = State.BETWEEN

    def _apply(self, status: NodeStatus, report: Report) -> None:
        name, run = status.name, self._run
        conductor = run.conductor
        if report.t_ns != conductor.now_ns or report.m != conductor.m:
            raise InternalError(f"{name} reports for another instant: {report.t_ns, report.m}")
        for send in report.sends:
            run.classical.send(name, status.incarnation, send)
        if report.handed:
            for qubit, owner in report.handed.items():
                run.quantum.hand_over(name, qubit, owner)
        if report.operations or report.cancels or report.frames:
            self._apply_operations(status, report)
        for note in report.notes:
            self._note(name, note)
        if report.outside is not None:
            status.openings = report.outside.open
            for reply in report.outside.replies:
                run.journal.event(name, "reply", *msgspec.structs.astuple(reply))
        # Last: what a tenant did in its final step counts, and its end withdraws what is left.
        for broken in report.broken:
            self._break(status, broken)
        if report.failed is not None:
            self._fail(status, report.failed)
        elif report.finished is not None:
            self._finish(status, report.finished)
        if status.state in RUNS:
            conductor.set_timer(name, report.next_timer_ns)

    def _apply_operations(self, status: NodeStatus, report: Report) -> None:
        name, quantum, owners = status.name, self._run.quantum, report.owners
        # What is given up makes room for what is asked for in the same step: a slot, a link to send on.
        # What the step itself has asked for can only be given up after that.
        issued = {operation.number for operation in report.operations} if report.cancels else ()
        for number in report.cancels:
            if number not in issued:
                quantum.withdraw(name, number)
        # Frames before operations: a probe of this step reads the frame as the step has left it.
        for frame in report.frames:
            quantum.registry.note_frame(name, frame.qubit, frame.z, frame.x)
        for operation in report.operations:
            owner = owners.get(operation.number, "") if owners else ""
            quantum.issue(name, status.incarnation, operation, owner)
        for number in report.cancels:
            if number in issued:
                quantum.withdraw(name, number)

    def _note(self, node: str, note: Note) -> None:
        value = rounded(note.value)
        self._run.journal.event(node, "note", note.name, *self._private(value))
        if isinstance(value, (int, float)):
            self._run.metrics.observe(f"{node}.{note.name}", float(value))

    def _finish(self, status: NodeStatus, finished: Finished) -> None:
        status.result, status.unread = finished.value, finished.unread
        self._stop(status, "finished")
        self._run.journal.event(status.name, "end", *self._private(rounded(finished.value)))

    def _fail(self, status: NodeStatus, failure: Failed) -> None:
        if failure.kind == "raised":
            self._stop(status, "failed")
        else:  # the node itself takes no more grants
            status.ended, status.state = "failed", "failed"
            status.ended_ns = self._run.conductor.now_ns
            self._grants.forget_node(status.name)
            self._withdraw(status.name, None)
        self._end.program_failed(status.name, failure)

    def _break(self, status: NodeStatus, failure: Failed) -> None:
        """A service has failed; the program and the other services continue."""
        status.broken[failure.service] = self._run.conductor.now_ns
        self._withdraw(status.name, failure.service)
        self._end.program_failed(status.name, failure)

    def _stop(self, status: NodeStatus, how: str) -> None:
        """The program runs no more. What it waits for is withdrawn: no peer may get a pair with it."""
        status.end_program(how, self._run.conductor.now_ns)
        if not status.runs:
            status.openings = 0
            self._grants.forget_node(status.name)
        self._withdraw(status.name, "" if status.runs else None)

    def _withdraw(self, name: str, owner: str | None) -> None:
        """Withdraw what one owner on a node has asked for and not got; None: all of them."""
        quantum = self._run.quantum
        for number in quantum.open_numbers(name, owner):
            quantum.withdraw(name, number)
