"""How a run ends: why, what its nodes wait for then, what they still have, and the outcome.

Owns the problem that a run ends with, the questions to the nodes before it ends stuck or at `until`, and the
outcome. Does not own when that is (world.py) nor its words (problems.py). What nodes wait for and still have
is no part of the digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import QnetemError
from ..faults.schedule import Faults
from ..wire import Ask, Failed, Stop, Wait, Waits
from ..wire.control import Left, Outcome, Problem
from . import problems
from .nodes import NodeStatus
from .run import Run, State


class End:
    """The end of one run. `problem`: the first of a program, kept until the instant is over."""

    def __init__(self, run: Run, faults: Faults) -> None:
        self._run, self._faults = run, faults
        self.problem: Problem | None = None
        self.outcome: Outcome | None = None
        #: What nodes have answered to `Ask`, and whether one of them may still lead a program on.
        self.waits: dict[str, list[Wait]] = {}
        self._foreground = False

    def program_failed(self, node: str, failure: Failed) -> None:
        """A program or a service has failed; only an exception of its own lets the instant finish."""
        run = self._run
        # The class alone: a message may hold an address in memory, which no digest may depend on.
        service = [failure.service] if failure.service else []
        kind = failure.problem.partition(":")[0]
        run.journal.event(node, "failed", failure.kind, kind, *service)
        problem = problems.failed(node, failure, run.now_ns)
        self.problem = self.problem or problem
        if failure.kind != "raised":
            self.end(problem)

    def fail(self, error: QnetemError) -> None:
        """End the run with this error."""
        self.end(problems.problem_of(error, self._run.now_ns))

    # --- ends before which the nodes are asked ---

    def at_until(self) -> None:
        """Nothing more happens before `until`: ask the unfinished programs, then end."""
        self._ask(lambda: self.end(self.problem, self.waits), self._run.nodes.unfinished())

    def stuck(self) -> None:
        """Nothing is left to happen and a program has not finished: ask all nodes, then end."""
        self._ask(self._end_stuck, self._run.nodes.statuses.values())

    def stuck_beside_services(self) -> None:
        """Nothing but background was seen for long: ask all nodes, and end if nothing else is to come."""

        def decide() -> None:
            if not self._foreground:
                self._end_stuck()

        self._foreground = False
        self._ask(decide, self._run.nodes.statuses.values())

    def answered(self, node: str, answer: Waits) -> None:
        """A node has answered what its tasks wait for."""
        self.waits[node] = answer.waits
        self._foreground = self._foreground or answer.foreground

    def spinning(self, granted: list[str]) -> None:
        """These nodes run without end in no time: ask all nodes, then end."""

        def spins() -> None:
            conductor = self._run.conductor
            self.fail(problems.spinning(granted, self.waits, conductor.m, conductor.now_ns))

        self._ask(spins, self._run.nodes.statuses.values())

    def _ask(self, then: Callable[[], None], statuses: Iterable[NodeStatus]) -> None:
        """Ask those of them that run what they wait for; `then` follows the last answer."""
        run = self._run
        self.waits.clear()
        for status in statuses:
            if status.runs and status.paused:
                what = "a fault pauses it"
                self.waits[status.name] = [Wait(status.name, what, run.now_ns)]
            elif status.runs:
                run.barrier.add("waits", status.name)
                run.outbox.append((status.name, Ask()))
        run.barrier.afterwards(then)

    def _end_stuck(self) -> None:
        run = self._run
        statuses = run.nodes.statuses
        asked = {name: run.quantum.pending_words(name) for name in statuses}
        active = [fault for fault in self._faults.records() if fault.state == "active"]
        ended = problems.ended(statuses.values())
        background = run.quiet_instants > 0
        self.fail(problems.stuck(self.waits, asked, run.now_ns, active, ended, background))

    # --- the outcome ---

    def end(self, problem: Problem | None, waits: dict[str, list[Wait]] | None = None) -> None:
        """The run is over; `waits`: what the programs wait for that have not finished by `until`."""
        run = self._run
        if run.over:
            return
        run.state = State.OVER
        until_ns = run.topology.time.until_ns
        unfinished = problem is None and bool(run.nodes.unfinished())
        t_ns = until_ns if unfinished and until_ns is not None else run.now_ns
        # Heals are journalled, so they come before the journal is closed.
        self._faults.heal_all()
        try:
            run.journal.close()
        except QnetemError as error:
            problem = problem or problems.problem_of(error, t_ns)
        for status in run.nodes.statuses.values():
            if status.alive:
                run.outbox.append((status.name, Stop()))
        self.outcome = Outcome(
            name=run.topology.name,
            seed=run.topology.seed,
            digest=run.journal.digest(),
            t_ns=t_ns,
            wall_s=run.wall_clock.reported_s,
            instants=run.conductor.instants,
            nodes=run.nodes.states(),
            results=run.nodes.results(),
            metrics=run.metrics.summary(),
            problem=problem,
            faults=self._faults.records(),
            left=_end_states(run, waits or {}),
        )
        run.outbox.append(("", self.outcome))


def _end_states(run: Run, waits: dict[str, list[Wait]]) -> dict[str, Left]:
    """Node -> its end state, in the order of names; `waits`: of programs that `until` has ended."""
    held = run.quantum.at_end()
    return {
        name: Left(
            slots_used=run.quantum.slots_used(name),
            slots=status.spec.memory.slots,
            held=held.get(name, []),
            unread=status.unread,
            open=run.quantum.pending_words(name),
            owners=run.quantum.owners(name),
            grants=status.grants,
            worked_s=status.worked_s,
            waits=[problems.as_row(wait) for wait in waits.get(name, [])],
            inputs=status.inputs,
        )
        for name, status in run.nodes.statuses.items()
    }
