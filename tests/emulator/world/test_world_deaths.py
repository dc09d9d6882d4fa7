"""How nodes die, and what becomes of what they had sent, held and asked for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qnetem import Agent
from qnetem.emulator.wire import EXIT_CUT_OFF, Finished, Grant, Have, Hello, Resend, Settle, Welcome
from qnetem.emulator.wire.control import Kill, Spawn
from qnetem.emulator.world.world import SETTLE_AT_START_S, SETTLE_S

from ... import harness
from ...harness import fault, heralding, idle, link, network, node
from .stage import LINKED, TWO, Stage, sends


def test_what_a_node_has_sent_is_safe_with_its_receivers_before_it_is_killed() -> None:
    stage = Stage(network({**TWO, "carol": idle}, [*LINKED, link("alice", "carol", 10)],
                          [fault("kill", "alice", 5, restart=None)]))  # fmt: skip
    stage.told()
    stage.report("alice", sends=[*sends("carol", 1), *sends("bob", 2, 3)])
    stage.reports("bob", "carol")
    assert stage.told() == [
        ("bob", Settle("alice", 1, [2, 3])),
        ("carol", Settle("alice", 1, [1])),
    ]
    assert stage.world.silent() == ["bob", "carol"]
    stage.say("carol", Have("alice", 1))
    stage.say("bob", Resend("alice", 1, [2]))
    assert stage.told_kinds() == [("alice", Resend)]
    stage.say("bob", Have("alice", 1))
    assert stage.told() == [("", Kill("alice", 1))]
    assert stage.world.conductor.now_ns == 5
    stage.world.disconnected("alice", 1)
    assert stage.told() == []
    stage.world.exited("alice", 1, -9)
    assert list(stage.grants()) == ["carol"] and stage.world.conductor.now_ns == 10


def test_a_kill_with_nothing_to_settle_is_asked_for_at_once() -> None:
    stage = Stage(network(TWO, LINKED, [fault("kill", "alice", 5, restart=None)]))
    stage.told()
    stage.reports("alice", "bob", next_timer_ns=50)
    assert stage.told() == [("", Kill("alice", 1))]


def test_a_restart_is_a_barrier_and_raises_the_incarnation() -> None:
    stage = Stage(network(TWO, LINKED, [fault("kill", "alice", 5, restart=10)]))
    stage.reports("alice", "bob", next_timer_ns=50)
    stage.world.exited("alice", 1, -9)
    assert stage.told()[-1] == ("", Spawn("alice", 2))
    stage.report("alice")  # a dead incarnation's word counts for nothing
    assert stage.world.conductor.now_ns == 15 and stage.told() == []
    assert stage.world.authenticate(Hello("alice", 1, "", 1)) is not None
    hello = Hello("alice", 2, "", 1)
    assert stage.world.authenticate(hello) is None
    stage.say("alice", hello, 2)
    (_, welcome), (_, grant) = stage.told()
    assert isinstance(welcome, Welcome) and isinstance(grant, Grant)
    assert (welcome.incarnation, welcome.t_ns) == (2, 15)
    assert (grant.t_ns, grant.deliveries) == (15, [])


def test_what_a_dead_node_had_sent_still_arrives() -> None:
    async def alice(me: Agent) -> None:
        await me.send("bob", "last words")
        await me.receive()

    async def bob(me: Agent) -> list[Any]:
        return [(await me.receive()).body, me.now_ns]

    faults = [fault("kill", "alice", 1, restart=None)]
    run = harness.run(harness.pair(alice, bob, faults=faults))
    assert run.results == {"alice": None, "bob": ["last words", 1000]}
    assert run.outcome.nodes["alice"].state == "killed"


def test_a_message_bound_to_the_dead_is_dropped_and_the_next_life_gets_the_next_one() -> None:
    async def alice(me: Agent) -> None:
        for number in range(3):
            await me.send("bob", number)
            await asyncio.sleep(1e-6)

    async def bob(me: Agent) -> Any:
        return (await me.receive()).body

    faults = [fault("kill", "bob", 500, restart=1000)]
    run = harness.run(harness.pair(alice, bob, faults=faults))
    assert run.results["bob"] == 2
    lost = [(e[0], *e[4:]) for e in run.of("bob", "undelivered")]
    why = "bob does not take it any more"
    assert lost == [(1000, "alice", 1, 1, why), (2000, "alice", 1, 2, why)]
    assert [e[:1] + e[3:] for e in run.of("bob", "killed", "restarted")] == [
        (500, "killed", 1), (1500, "restarted", 2)]  # fmt: skip


def test_each_life_draws_other_numbers() -> None:
    async def bob(me: Agent) -> None:
        me.record("drew", int(me.rng.integers(1 << 60)))
        await asyncio.sleep(2e-6)

    run = harness.run(network({"bob": bob}, faults=[fault("kill", "bob", 500, restart=1000)]))
    first, second = [e[5] for e in run.of("bob", "note")]
    assert first != second


def test_a_node_killed_after_its_end_runs_again() -> None:
    async def alice(me: Agent) -> int:
        await asyncio.sleep(5e-6)
        return me.now_ns

    async def bob(me: Agent) -> int:
        return me.now_ns

    faults = [fault("kill", "bob", 1000, restart=1000)]
    run = harness.run(harness.pair(alice, bob, faults=faults))
    assert run.results == {"alice": 5000, "bob": 2000}


@pytest.mark.parametrize(("restart", "result"), [(1000, None), (None, 0)])
def test_a_result_stands_until_the_node_runs_again(restart: int | None, result: int | None) -> None:
    """A new life that has not ended yet has no result, and an older one's is not passed off for it."""

    async def alice(me: Agent) -> None:
        await asyncio.sleep(9e-6)

    async def bob(me: Agent) -> int:
        if me.now_ns:
            await asyncio.sleep(1)
        return me.now_ns

    faults = [fault("kill", "bob", 1000, restart=restart)]
    nodes = {"alice": alice, "bob": bob}
    run = harness.run(network(nodes, LINKED, faults, until_ns=5000))
    assert run.results["bob"] == result


def test_the_death_of_a_node_with_qubits_leaves_its_peers_requests_in_the_queue() -> None:
    async def alice(me: Agent) -> list[Any]:
        first = await me.entangle("bob")
        second = await me.entangle("bob")
        return [first.id, second.id, me.now_ns]

    async def bob(me: Agent) -> list[Any]:
        kept = await me.entangle("alice")
        return kept.id if me.now_ns > 1500 else (await me.entangle("alice")).id

    links = [link("alice", "bob", 10, entangle=heralding(attempt_ns=1000))]
    spec = {"alice": node("alice", alice, slots=2), "bob": node("bob", bob, slots=2)}
    faults = [fault("kill", "bob", 1500, restart=1000)]
    run = harness.run(network(spec, links, faults))
    # bob's half of the first pair is gone with him; alice's second request waited for his next life.
    wanted = {"alice": ["alice-bob#1", "alice-bob#2", 3500], "bob": "alice-bob#2"}
    assert run.results == wanted
    assert run.of("bob", "memory_lost")[0][4] == ["alice-bob#1@bob"]
    assert run.of("alice", "withdrawn") == []


BROKEN = (
    "the connection between node bob and the emulator broke at 0 ns, while the node's process lived"
)


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (-11, "NodeLost", "node bob was lost at 0 ns: its process was killed by signal 11"),
        (0, "NodeLost", "node bob was lost at 0 ns: its process exited with 0"),
        (EXIT_CUT_OFF, "InfrastructureError", BROKEN),
        (None, "InfrastructureError", BROKEN),
    ],
    ids=["killed", "left", "cut off", "its process lives on"],
)
def test_an_unplanned_end_of_a_node_ends_the_run_by_what_happened(
    status: int | None, kind: str, text: str
) -> None:
    stage = Stage()
    if status is None:
        stage.world.disconnected("bob", 1)
    else:
        stage.world.exited("bob", 1, status)
    stage.report("alice")  # until then she may be dying, too
    assert (stage.problem.kind, stage.problem.node, stage.problem.text) == (kind, "bob", text)
    assert stage.problem.exit_code == 3
    outcome = stage.world.outcome
    assert outcome is not None and outcome.nodes["bob"].state == "lost"


@pytest.mark.parametrize("order", ["abc", "cba", "bca"])
def test_of_nodes_that_die_in_one_instant_the_first_by_name_is_named(order: str) -> None:
    stage = Stage(network(dict.fromkeys(["a", "b", "c", "d"], harness.idle)))
    stage.report("d", finished=Finished("kept"))
    for name in order:
        assert not stage.world.over
        stage.world.exited(name, 1, 3)
    outcome = stage.world.outcome
    assert outcome is not None and stage.problem.node == "a"
    assert [node.state for node in outcome.nodes.values()] == ["lost", "lost", "lost", "finished"]
    assert outcome.results["d"] == "kept"


def test_a_death_is_not_waited_with_for_long() -> None:
    stage = Stage()
    stage.world.exited("bob", 1, -9)
    assert stage.world.settle_in_s == SETTLE_S
    stage.world.settle()
    assert stage.problem.node == "bob"


@pytest.mark.parametrize("asks_first", [True, False])
def test_a_node_that_lacks_what_a_lost_one_has_sent_is_not_the_reason(asks_first: bool) -> None:
    """The lost node died with its payload unpublished: its receiver asks in vain, and is not waited for."""
    stage = Stage()
    if asks_first:
        stage.say("alice", Resend("bob", 1, [1]))
    stage.world.exited("bob", 1, -9)
    if not asks_first:
        assert not stage.world.over
        stage.say("alice", Resend("bob", 1, [1]))
    assert stage.world.over
    assert (stage.problem.kind, stage.problem.node) == ("NodeLost", "bob")


def test_others_are_waited_for_and_a_payload_that_comes_after_all_hurts_nothing() -> None:
    stage = Stage(network(dict.fromkeys(["a", "b", "c"], harness.idle)))
    stage.world.exited("b", 1, -9)
    stage.say("a", Resend("b", 1, [1]))
    assert not stage.world.over
    stage.report("a")
    assert not stage.world.over
    stage.report("c")
    assert (stage.problem.kind, stage.problem.node) == ("NodeLost", "b")


def test_a_death_before_time_begins_ends_the_run_within_a_second() -> None:
    stage = Stage(hello=False)
    stage.say("alice", Hello("alice", 1, "", 1))
    stage.world.exited("alice", 1, -9)
    assert stage.world.settle_in_s == SETTLE_AT_START_S < 1
    stage.world.settle()
    assert stage.problem.text == "node alice was lost at 0 ns: its process was killed by signal 9"


@pytest.mark.parametrize(("restart", "lives"), [(None, 1), (9000, 1), (1000, 2)])
def test_a_node_has_as_many_lives_as_it_was_started(restart: int | None, lives: int) -> None:
    async def alice(me: Agent) -> None:
        await asyncio.sleep(1)

    faults = [fault("kill", "bob", 1000, restart=restart)]
    run = harness.run(network({"alice": alice, "bob": alice}, LINKED, faults, until_ns=5000))
    assert run.outcome.nodes["bob"].incarnation == lives


def test_news_of_an_earlier_life_are_no_news() -> None:
    stage = Stage(network(TWO, LINKED, [fault("kill", "alice", 5, restart=10)]))
    stage.reports("alice", "bob", next_timer_ns=50)
    stage.world.exited("alice", 1, -9)
    stage.world.disconnected("alice", 1)
    stage.world.exited("alice", 1, -9)
    assert not stage.world.over


def test_what_lay_ready_for_a_paused_node_dies_with_it() -> None:
    """A qubit that came in the pause is traced out with the dead node: the next incarnation never gets it."""

    async def alice(self: Agent) -> None:
        await self.transmit(await self.qubit(), "bob")

    async def bob(self: Agent) -> str:
        try:
            async with asyncio.timeout(1e-3):
                return repr(await self.receive_qubit())
        except TimeoutError:
            return "nothing came"

    found = harness.run_results(
        {"alice": alice, "bob": bob},
        [link("alice", "bob", length_km=1.0)],
        [fault("pause", "bob", 1, 50_000), fault("kill", "bob", 20_000, restart=1_000)],
    )
    assert found["bob"] == "nothing came"
