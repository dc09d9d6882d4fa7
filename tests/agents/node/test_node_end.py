"""How a program ends, and how a node dies."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from qnetem import Agent
from qnetem.agents.node.node import Node
from qnetem.emulator.wire import Failed, Grant, Settle

from ... import harness
from ..bench import Bench, delivery


def failure(program: harness.Script, *steps: int) -> Failed:
    """How it failed, after steps at these times."""
    bench = Bench(program)
    report = bench.ran()
    for t_ns in steps:
        report = bench.ran(t_ns)
    assert report.failed is not None
    return report.failed


async def boom() -> None:
    raise ValueError("boom")


def test_an_exception_fails_the_node_with_its_own_traceback() -> None:
    async def program(me: Agent) -> None:
        await boom()

    failed = failure(program)
    assert (failed.kind, failed.problem) == ("raised", "ValueError: boom")
    assert 'raise ValueError("boom")' in failed.traceback


def test_an_exception_in_a_task_that_was_not_retrieved_fails_the_node() -> None:
    async def program(me: Agent) -> str:
        asyncio.create_task(boom(), name="worker")  # noqa: RUF006 forgotten on purpose
        await asyncio.sleep(1e-9)
        return "as if nothing had happened"

    failed = failure(program)
    assert failed.problem.startswith("ValueError: boom")
    assert "worker" in failed.problem


def test_an_exception_that_was_retrieved_does_not() -> None:
    async def program(me: Agent) -> str:
        [error] = await asyncio.gather(boom(), return_exceptions=True)
        return repr(error)

    finished = Bench(program).ran().finished
    assert finished is not None and finished.value == "ValueError('boom')"


def test_an_exception_in_a_callback_fails_the_node() -> None:
    async def program(me: Agent) -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(1e-9)

    failed = failure(program)
    assert failed.problem.startswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize("where", ["run", "task", "callback"])
def test_sys_exit_in_a_program_fails_its_node_and_nothing_else(where: str) -> None:
    async def leave() -> None:
        sys.exit(3)

    async def program(me: Agent) -> None:
        if where == "run":
            await leave()
        elif where == "task":
            asyncio.create_task(leave())  # noqa: RUF006 forgotten on purpose
        else:
            asyncio.get_running_loop().call_soon(sys.exit, 3)
        await asyncio.sleep(1e-9)

    assert failure(program).problem.startswith("SystemExit: 3")


def test_what_run_returns_must_be_json() -> None:
    async def program(me: Agent) -> Any:
        return {"q": {1, 2}}

    failed = failure(program)
    assert failed.problem.startswith("MessageError: body['q'] is a builtins.set")
    assert "what run() returned" in failed.problem


def test_a_result_is_what_json_leaves_of_it_in_every_mode() -> None:
    async def program(me: Agent) -> Any:
        return {"pair": (1, 2)}

    finished = Bench(program).ran().finished
    assert finished is not None and finished.value == {"pair": [1, 2]}


def test_the_end_of_run_cancels_the_other_tasks_and_their_requests() -> None:
    cleaned = []

    async def background(me: Agent) -> None:
        try:
            await me.entangle("alice")
        finally:
            cleaned.append(me.now_ns)

    async def program(me: Agent) -> None:
        asyncio.create_task(background(me))  # noqa: RUF006 left alone on purpose
        await asyncio.sleep(3e-9)

    bench = Bench(program)
    bench.ran()
    report = bench.ran(3)
    assert cleaned == [3] and report.cancels == [1] and report.finished is not None


def test_what_was_sent_and_recorded_in_the_last_step_is_reported_beside_the_failure() -> None:
    async def program(me: Agent) -> None:
        await me.send("alice", "help")
        me.record("depth", 3)
        await boom()

    report = Bench(program).ran()
    assert report.failed is not None
    assert [send.dst for send in report.sends] == ["alice"]
    assert [(note.name, note.value) for note in report.notes] == [("depth", 3)]


def test_a_service_is_told_to_clean_up_in_its_last_step() -> None:
    async def serves(me: Agent) -> None:
        try:
            await me.receive()
        finally:
            await me.send("alice", "bye")

    bench = Bench(serves)
    bench.ran()
    report = bench.ran(5, last=True)
    assert [send.dst for send in report.sends] == ["alice"]
    assert report.finished is not None and report.finished.value is None


def test_a_program_that_spins_is_stopped_and_its_task_named() -> None:
    async def spins(me: Agent) -> None:
        while True:  # noqa: ASYNC110 the point
            await asyncio.sleep(0)

    bench = Bench(spins)
    bench.node.loop.cap = 5000
    bench.node.receive(Grant(0, 0))
    [failed] = bench.node.outbox
    assert isinstance(failed, Failed) and failed.kind == "spinning"
    assert "task 'bob' spins" in failed.problem


class Picky(Agent):
    def __init__(self, node: Node) -> None:
        super().__init__(node)
        raise ValueError("not today")

    async def run(self) -> None:
        """Never."""


class Careless(Agent):
    def __init__(self, node: Node) -> None:
        import random

        super().__init__(node)
        random.random()

    async def run(self) -> None:
        """Never."""


@pytest.mark.parametrize(
    ("program", "problem"),
    [(Picky, "ValueError: not today"), (Careless, "Refused: random.random()")],
)
def test_a_program_is_built_inside_the_first_step_under_the_same_rules(
    program: type[Agent], problem: str
) -> None:
    failed = Bench(f"{__name__}:{program.__name__}").ran().failed
    assert failed is not None and failed.problem.startswith(problem)


def test_a_program_that_cannot_be_had_fails_at_birth_and_takes_no_grant() -> None:
    bench = Bench("no.such.module:Class")
    [failed] = bench.node.outbox
    assert isinstance(failed, Failed) and failed.kind == "program"
    bench.node.outbox.clear()
    assert bench.grant() is None


# --- death ----------------------------------------------------------------------------------------


def test_a_killed_node_is_inert_even_in_its_finally_blocks() -> None:
    reached = []

    async def program(me: Agent) -> None:
        try:
            await me.receive()
        finally:
            reached.append("finally")
            await me.send("alice", "too late")
            me.record("late", 1)
            asyncio.create_task(me.entangle("alice"))  # noqa: RUF006 must not run
            await asyncio.sleep(1)
            reached.append("after an await")

    bench = Bench(program)
    bench.ran()
    bench.node.kill()
    assert reached == ["finally"]
    assert (bench.node.outbox, bench.node.publishes) == ([], [])
    bench.payload("alice", 1)
    assert bench.grant(5, deliveries=[delivery("alice", 1)]) is None
    bench.node.receive(Settle("alice", 1, []))
    assert (bench.node.outbox, bench.node.publishes) == ([], [])


def test_each_line_of_the_log_begins_with_virtual_time() -> None:
    async def program(me: Agent) -> None:
        await asyncio.sleep(1.5e-3)
        me.log.warning("it is %s", "late")

    bench = Bench(program)
    bench.ran()
    bench.ran(1_500_000)
    assert bench.log.getvalue() == "1.5 ms bob WARNING it is late\n"
