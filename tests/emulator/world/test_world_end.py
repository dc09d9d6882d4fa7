"""How a run ends: well, failed, stuck, interrupted."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from qnetem import Agent
from qnetem.emulator.wire import Ask, Finished, Hello, Report, Stop, Wait, Waits
from qnetem.emulator.wire.control import Outcome
from qnetem.emulator.world.world import World
from qnetem.runs.run_warnings import run_warnings, warning_line

from ... import harness
from ...harness import fault, heralding, idle, link, network, node
from .stage import LINKED, Stage


def test_the_run_ends_when_all_programs_have_and_everybody_alive_is_dismissed() -> None:
    stage = Stage()
    stage.told()
    stage.reports("alice", "bob", finished=Finished(7))
    told = stage.told()
    assert told[:2] == [("alice", Stop()), ("bob", Stop())]
    assert isinstance(told[2][1], Outcome) and told[2][0] == ""
    assert stage.problem is None and stage.world.over
    stage.report("alice")
    stage.world.interrupt("too late", 3)
    assert stage.told() == [] and stage.problem is None


async def service(me: Agent) -> str:
    try:
        while True:
            await me.send("alice", (await me.receive()).body)
    finally:
        me.record("cleaned", me.now_ns)
        await me.send("alice", "bye")


async def client(me: Agent) -> int:
    await me.send("bob", 1)
    await me.receive()
    return me.now_ns


def test_services_get_one_last_step_when_all_others_have_finished() -> None:
    nodes = {"alice": client, "bob": node("bob", service, service=True)}
    run = harness.run(network(nodes, LINKED))
    assert run.results == {"alice": 2000, "bob": None}
    assert run.outcome.t_ns == 2000
    assert [e[:2] + e[3:] for e in run.of("bob", "note")] == [(2000, 1, "note", "cleaned", 2000)]
    assert {name: s.state for name, s in run.outcome.nodes.items()} == {
        "alice": "finished", "bob": "finished"}  # fmt: skip


def test_a_service_that_will_not_leave_is_left() -> None:
    async def stubborn(me: Agent) -> None:
        while True:
            try:
                await me.receive()
            except asyncio.CancelledError:
                await asyncio.sleep(1)

    async def alice(me: Agent) -> None:
        await asyncio.sleep(1e-6)

    nodes = {"alice": alice, "bob": node("bob", stubborn, service=True)}
    run = harness.run(network(nodes, LINKED))
    assert run.outcome.problem is None and run.outcome.t_ns == 1000
    assert run.outcome.nodes["bob"].state == "running"


def test_services_alone_run_until_nothing_is_left_to_happen() -> None:
    async def bob(me: Agent) -> None:
        await asyncio.sleep(3e-6)
        await me.receive()

    run = harness.run(network({"bob": node("bob", bob, service=True)}))
    assert run.outcome.problem is None and run.outcome.t_ns == 3000


async def clock(me: Agent) -> None:
    while True:
        await asyncio.sleep(1e-6)
        me.record("tick", me.now_ns)


def test_until_is_reached_without_a_problem_and_with_what_is_due_at_it() -> None:
    run = harness.run(network({"bob": clock}, until_ns=3000))
    assert run.outcome.problem is None
    assert run.outcome.nodes["bob"].state == "running"
    assert [e[0] for e in run.of("bob", "note")] == [1000, 2000, 3000]
    assert run.outcome.t_ns == 3000


def test_a_run_that_ends_before_until_tells_its_own_end() -> None:
    async def bob(me: Agent) -> None:
        await asyncio.sleep(1e-6)

    assert harness.run(network({"bob": bob}, until_ns=9000)).outcome.t_ns == 1000


async def raises(me: Agent) -> None:
    await asyncio.sleep(1e-6)
    await me.send("bob", "before the fall")
    me.record("last", 1)
    raise ValueError("no such luck")


async def patient(me: Agent) -> list[Any]:
    message = await me.receive()
    await asyncio.sleep(1e-6)
    return [message.body, me.now_ns]


def test_a_program_that_raises_stops_the_run_after_its_instant() -> None:
    run = harness.run(harness.pair(raises, clock))
    problem = run.problem
    assert (problem.kind, problem.exit_code, problem.node) == ("ProgramFailed", 1, "alice")
    assert problem.text == "ValueError: no such luck" and "raises" in problem.traceback
    assert [e[0] for e in run.of("bob", "note")] == [1000]
    assert run.outcome.nodes["alice"].state == "failed"
    assert run.outcome.t_ns == 1000


def test_what_a_program_did_in_the_step_it_failed_in_counts() -> None:
    run = harness.run(harness.pair(raises, patient, on_error="continue"))
    assert run.outcome.results["bob"] == ["before the fall", 3000]
    assert [e[4:] for e in run.of("alice", "note")] == [("last", 1)]
    assert run.problem.text == "ValueError: no such luck"


def test_a_failed_program_leaves_no_request_behind() -> None:
    async def alice(me: Agent) -> None:
        request = asyncio.create_task(me.entangle("bob"))
        await asyncio.sleep(500e-9)
        request.done()
        raise ValueError

    async def bob(me: Agent) -> str:
        try:
            async with asyncio.timeout(5e-6):
                await me.entangle("alice")
        except TimeoutError:
            return "no message"
        return "a pair with the fallen"

    links = [link("alice", "bob", 10, entangle=heralding(attempt_ns=1000))]
    run = harness.run(network({"alice": alice, "bob": bob}, links, on_error="continue"))
    assert run.outcome.results["bob"] == "no message"
    assert run.world.quantum.at_end() == {}


async def waits_for_bob(me: Agent) -> None:
    await asyncio.sleep(1e-6)
    await me.receive("bob", kind="never")


async def waits_for_a_pair(me: Agent) -> None:
    await me.entangle("alice")


def test_a_stuck_run_names_who_waits_for_what_since_when() -> None:
    links = [link("alice", "bob", 10, entangle=heralding())]
    run = harness.run(network({"alice": waits_for_bob, "bob": waits_for_a_pair}, links))
    assert (run.problem.kind, run.problem.exit_code) == ("StuckError", 3)
    head, *lines = run.problem.text.splitlines()
    assert "1 us" in head
    place = r"\(test_world_end\.py:\d+\)"
    told = "\n".join(lines)
    assert re.search(
        rf"alice waits for a message of kind 'never' from bob {place} since 1 us", told
    )
    assert re.search(rf"bob waits for entangle with alice {place} since 0 ns", told)
    assert re.search(r"bob.*: alice has not asked for one on alice-bob", told)


def test_a_stuck_run_says_that_a_peer_has_ended() -> None:
    async def alice(me: Agent) -> None:
        asyncio.create_task(me.receive("carol"))  # noqa: RUF006
        await me.receive("bob")

    links = [link("alice", "bob"), link("alice", "carol")]
    faults = [fault("kill", "carol", 2000, restart=None)]
    nodes = {"alice": alice, "bob": harness.idle, "carol": waits_for_bob}
    _, *lines = harness.run(network(nodes, links, faults)).problem.text.splitlines()
    place = r"test_world_end\.py:\d+\)"
    assert re.fullmatch(
        rf"  alice waits for a message from bob \({place} since 0 ns; bob has finished at 0 ns",
        lines[0],
    )
    started = rf"\(started at {place}"
    assert re.fullmatch(
        rf"  alice, task 'Task-1', waits for a message from carol {started} since 0 ns; "
        "carol was killed at 2 us",
        lines[1],
    )
    assert len(lines) == 2


def test_a_stuck_run_names_the_ended_that_no_wait_names() -> None:
    async def alice(me: Agent) -> None:
        await me.receive()

    run = harness.run(harness.pair(alice, harness.idle))
    assert run.problem.text.splitlines()[-1] == "  bob has finished at 0 ns"


def test_a_run_that_until_ends_says_who_has_not_finished_and_waits_for_what() -> None:
    async def bob(me: Agent) -> None:
        await asyncio.sleep(1)

    run = harness.run(network({"alice": waits_for_bob, "bob": bob}, until_ns=5000))
    outcome = run.outcome
    assert outcome.problem is None and outcome.nodes["alice"].state == "running"
    [(task, what, since_ns)] = outcome.left["alice"].waits
    assert (task, since_ns) == ("alice", 1000)
    assert re.fullmatch(r"a message of kind 'never' from bob \(test_world_end\.py:\d+\)", what)
    [(_, asleep, _)] = outcome.left["bob"].waits
    assert re.fullmatch(r"sleep\(\) \(test_world_end\.py:\d+\)", asleep)
    notice, _ = run_warnings(outcome)
    assert warning_line(notice) == f"alice had not finished at 5 us: waits for {what} since 1 us"


def test_a_stuck_run_says_the_same_whichever_node_answers_first() -> None:
    texts = set()
    for order in (("alice", "bob"), ("bob", "alice")):
        stage = Stage()
        stage.reports("alice", "bob")
        assert stage.told_kinds()[-2:] == [("alice", Ask), ("bob", Ask)]
        for name in order:
            stage.say(name, Waits([Wait("main", "godot", 0)]))
        texts.add(stage.problem.text)
    assert len(texts) == 1


def test_a_run_in_which_only_the_dead_are_missed_is_not_stuck() -> None:
    async def bob(me: Agent) -> None:
        await me.receive()

    faults = [fault("kill", "bob", 1000, restart=None)]
    run = harness.run(harness.pair(idle, bob, faults=faults))
    assert run.outcome.problem is None and run.outcome.t_ns == 1000


def test_an_interrupt_ends_the_run_and_dismisses_everybody() -> None:
    stage = Stage()
    stage.told()
    stage.world.interrupt("Ctrl-C", 130)
    assert (stage.problem.kind, stage.problem.exit_code) == ("Interrupted", 130)
    assert [name for name, message in stage.told() if isinstance(message, Stop)] == ["alice", "bob"]


def test_a_silent_node_is_named_with_its_stacks() -> None:
    stage = Stage()
    stage.world.stalled("bob", "the tasks of bob stand here")
    assert (stage.problem.kind, stage.problem.node) == ("NodeSilent", "bob")
    assert "the tasks of bob stand here" in stage.problem.text + stage.problem.traceback


def test_progress_tells_how_far_the_run_is() -> None:
    stage = Stage()
    stage.reports("alice", "bob", next_timer_ns=70)
    progress = stage.world.progress()
    assert (progress.t_ns, progress.instants) == (70, 2)
    assert progress.nodes == {"alice": "running", "bob": "running"}


def test_a_disk_that_fails_at_the_end_is_told_as_a_problem() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full to stand for a full disk")
    world = World(network({"bob": idle}), journal_path=full)
    world.start()
    world.receive("bob", 1, Hello("bob", 1, "", 1))
    world.receive("bob", 1, Report(0, 0, finished=Finished()))
    assert world.outcome is not None and world.outcome.problem is not None
    assert world.outcome.problem.kind == "InfrastructureError"


def test_a_run_that_is_cancelled_from_within_has_failed() -> None:
    """A task that is cancelled and then awaited raises CancelledError out of `run()`."""

    async def alice(me: Agent) -> None:
        task = asyncio.create_task(asyncio.sleep(10))
        await asyncio.sleep(1)
        task.cancel()
        await task

    run = harness.run(harness.pair(alice, harness.idle))
    assert (run.problem.kind, run.problem.node) == ("ProgramFailed", "alice")
    assert "CancelledError" in run.problem.text


def test_what_a_finished_program_still_asks_for_is_withdrawn() -> None:
    """Else a peer would be given a pair with a program that is no more."""

    async def stubborn(me: Agent) -> None:
        while True:
            try:
                await me.entangle("bob")
            except asyncio.CancelledError:
                await me.entangle("bob")

    async def alice(me: Agent) -> None:
        asyncio.create_task(stubborn(me))  # noqa: RUF006 forgotten on purpose
        await asyncio.sleep(1)

    async def bob(me: Agent) -> str:
        await asyncio.sleep(2)
        try:
            async with asyncio.timeout(1):
                return (await me.entangle("alice")).id
        except TimeoutError:
            return "stranger"

    links = [link("alice", "bob", entangle=heralding())]
    assert harness.run_results({"alice": alice, "bob": bob}, links)["bob"] == "stranger"
