"""The instants of a run: how they begin, what is due in them and in which order, what remains."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qnetem import Agent
from qnetem.emulator.wire import Failed, Finished, Forget, Grant, Hello, Report, Resend, Welcome
from qnetem.emulator.wire.control import token
from qnetem.emulator.world import world as world_module

from ... import harness
from ...harness import fault, heralding, idle, link, network, node
from .stage import LINKED, TWO, Stage, sends

# --- the beginning --------------------------------------------------------------------------------


def test_time_begins_when_the_last_node_has_said_hello() -> None:
    stage = Stage(hello=False)
    stage.say("bob", Hello("bob", 1, "", 1))
    assert stage.told_kinds() == [("bob", Welcome)]
    stage.say("alice", Hello("alice", 1, "", 1))
    assert stage.told_kinds() == [("alice", Welcome), ("alice", Grant), ("bob", Grant)]
    assert (stage.world.conductor.now_ns, stage.world.conductor.m) == (0, 0)


@pytest.mark.parametrize(
    ("hello", "why"),
    [
        (Hello("carol", 1, "", 1), "no node is called 'carol'"),
        (Hello("alice", 1, "", 1, version=99), "protocol 99"),
        (Hello("alice", 1, "stolen", 1), "wrong token"),
        (Hello("alice", 2, token("ab", "alice", 2), 1), "not expected"),
    ],
)
def test_a_stranger_is_refused_and_told_why(hello: Hello, why: str) -> None:
    stage = Stage(secret="ab", hello=False)
    assert why in (stage.world.authenticate(hello) or "")


def test_the_right_token_is_accepted_once() -> None:
    stage = Stage(secret="ab", hello=False)
    hello = Hello("alice", 1, token("ab", "alice", 1), 1)
    assert stage.world.authenticate(hello) is None
    stage.say("alice", hello)
    assert "not expected" in (stage.world.authenticate(hello) or "")


@pytest.mark.parametrize("order", [("alice", "bob"), ("bob", "alice")])
def test_of_several_programs_that_cannot_be_built_the_first_by_name_is_told(
    order: tuple[str, str],
) -> None:
    stage = Stage(network({**TWO, "carol": idle}, LINKED), hello=False)
    for name in order:
        stage.say(name, Hello(name, 1, "", 1))
        stage.say(name, Failed("program", f"{name} is broken", "", 0))
    stage.say("carol", Hello("carol", 1, "", 1))
    stage.report("carol")
    assert (stage.problem.kind, stage.problem.text) == ("ProgramError", "alice is broken")


def test_when_no_program_can_be_built_the_run_ends_all_the_same() -> None:
    stage = Stage(hello=False)
    for name in ("bob", "alice"):
        stage.say(name, Hello(name, 1, "", 1))
        stage.say(name, Failed("program", f"{name} is broken", "", 0))
    assert stage.problem.text == "alice is broken"


# --- instants -------------------------------------------------------------------------------------


def test_time_stands_until_every_granted_node_has_reported() -> None:
    stage = Stage()
    stage.told()
    stage.report("bob", next_timer_ns=5)
    assert stage.told() == [] and stage.world.silent() == ["alice"]
    stage.report("alice", next_timer_ns=5)
    assert list(stage.grants()) == ["alice", "bob"]
    assert stage.world.conductor.now_ns == 5


def test_nodes_with_nothing_due_are_not_granted() -> None:
    stage = Stage()
    stage.told()
    stage.report("alice", next_timer_ns=5)
    stage.report("bob", next_timer_ns=9)
    assert list(stage.grants()) == ["alice"]
    stage.report("alice")
    assert list(stage.grants()) == ["bob"]


@pytest.mark.parametrize("order", [("alice", "bob"), ("bob", "alice")])
def test_reports_are_applied_in_the_order_of_names(order: tuple[str, str]) -> None:
    stage = Stage()
    for name in order:
        other = {"alice": "bob", "bob": "alice"}[name]
        stage.report(name, sends=sends(other, 1), finished=Finished(name))
    assert [(e[2], e[3]) for e in stage.events[:4]] == [
        ("alice", "sent"), ("alice", "end"), ("bob", "sent"), ("bob", "end")]  # fmt: skip


def test_a_grant_names_exactly_the_messages_that_are_due() -> None:
    links = [link("alice", "bob", 1000), link("bob", "carol", 1500)]
    stage = Stage(network({**TWO, "carol": idle}, links))
    stage.told()
    stage.report("alice", sends=sends("bob", 1, 2))
    stage.report("carol", sends=sends("bob", 1))
    stage.report("bob")
    [(name, grant)] = stage.grants().items()
    assert (name, grant.t_ns, grant.m) == ("bob", 1000, 0)
    assert [(d.src, d.inc, d.seq, d.sent_ns) for d in grant.deliveries] == [
        ("alice", 1, 1, 0), ("alice", 1, 2, 0)]  # fmt: skip
    stage.report("bob")
    grant = stage.grants()["bob"]
    assert [(d.src, d.seq) for d in grant.deliveries] == [("carol", 1)] and grant.t_ns == 1500


def test_a_sender_may_forget_only_after_the_receiver_has_reported() -> None:
    stage = Stage()
    stage.told()
    stage.report("alice", sends=sends("bob", 1), next_timer_ns=1000)
    stage.report("bob")
    grants = stage.grants()
    assert grants["alice"].forget == [] and grants["bob"].forget == [Forget("alice", 1, 1)]
    stage.report("alice", next_timer_ns=1001)
    stage.report("bob", next_timer_ns=1002)
    assert stage.grants()["alice"].forget == [Forget("alice", 1, 1)]


def test_a_report_for_another_instant_or_out_of_turn_is_our_bug() -> None:
    stage = Stage()
    stage.say("alice", Report(7, 0))
    stage.report("bob")
    assert stage.problem.kind == "InternalError" and "another instant" in stage.problem.text
    stage = Stage()
    stage.report("alice", next_timer_ns=5)
    stage.report("alice")
    assert stage.problem.kind == "InternalError" and "without having been" in stage.problem.text


def test_a_receiver_that_lacks_payloads_has_them_sent_again_by_their_sender() -> None:
    stage = Stage()
    stage.told()
    stage.say("bob", Resend("alice", 1, [3, 4]))
    assert stage.told() == [("alice", Resend("alice", 1, [3, 4], "bob"))]
    stage.say("bob", Resend("alice", 2, [1]))
    assert stage.problem.kind == "InternalError"


async def exchange(me: Agent) -> None:
    peer = me.peers[0]
    await me.send(peer)
    while True:
        await me.receive()
        await me.send(peer)


def test_an_endless_exchange_in_no_time_is_stopped_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(world_module, "MICROSTEP_CAP", 50)
    run = harness.run(harness.pair(exchange, exchange, 0))
    problem = run.problem
    assert (problem.kind, problem.exit_code, problem.time_ns) == ("Spinning", 3, 0)
    assert problem.text.startswith("endless exchange in no time at 0 ns between alice, bob")
    assert run.world.conductor.m == 50


def test_many_free_operations_in_one_moment_are_a_program_at_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(world_module, "MICROSTEP_CAP", 20)

    async def flips(me: Agent) -> int:
        return sum([await (await me.qubit()).measure("X") for _ in range(100)])

    async def never_stops(me: Agent) -> None:
        while True:
            await (await me.qubit()).discard()

    assert harness.run(harness.pair(flips, flips, 1)).outcome.problem is None
    assert harness.run(harness.pair(never_stops, flips, 1)).problem.kind == "Spinning"


def test_an_exchange_that_takes_time_is_never_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_module, "MICROSTEP_CAP", 5)
    run = harness.run(harness.pair(exchange, exchange, 1, until_ns=200))
    assert run.outcome.problem is None and run.outcome.instants == 201


def test_a_chain_in_no_time_takes_one_microstep_a_message() -> None:
    async def alice(me: Agent) -> int:
        for number in range(4):
            await me.send("bob", number)
            await me.receive()
        return me.now_ns

    async def bob(me: Agent) -> None:
        for _ in range(4):
            await me.send("alice", (await me.receive()).body)

    run = harness.run(harness.pair(alice, bob, 0))
    assert run.results["alice"] == 0
    assert [e[:2] for e in run.of("bob", "delivered")] == [(0, 1), (0, 3), (0, 5), (0, 7)]


# --- the order inside an instant ------------------------------------------------------------------


def test_faults_then_completions_then_deliveries_arrivals_results_and_timers() -> None:
    """Everything is due at 2,000 ns: bob sees it in the order of the rule, and after the fault."""

    async def alice(me: Agent) -> None:
        await asyncio.sleep(1e-6)
        await me.send("bob", "delivery")
        pair = await me.entangle("bob", link="pairs")
        qubit = await me.qubit()
        await asyncio.sleep(0)
        del pair, qubit

    async def photons(me: Agent) -> None:
        qubit = await me.qubit()
        await me.transmit(qubit, "bob")

    async def bob(me: Agent) -> list[str]:
        seen: list[str] = []

        async def note(what: str, waiting: Any) -> None:
            await waiting
            seen.append(f"{what} {me.now_ns}")

        async with asyncio.TaskGroup() as group:
            group.create_task(note("timer", asyncio.sleep(2e-6)))
            group.create_task(note("result", me.entangle("alice", link="pairs")))
            group.create_task(note("arrival", me.receive_qubit()))
            group.create_task(note("delivery", me.receive()))
        return seen

    photon_km = 2000e-9 * 299_792.458 / 1.468
    links = [
        link("alice", "bob", 1000),
        link("alice", "bob", None, name="pairs", entangle=heralding(attempt_ns=1000)),
        link("bob", "carol", 1, length_km=photon_km),
    ]
    faults = [fault("loss", "alice-bob", 2000, probability=1.0)]
    spec = node("carol", photons)
    for seed in range(1, 60):
        topology = network({"alice": alice, "bob": bob, "carol": spec}, links, faults, seed=seed)
        run = harness.run(topology)
        if run.outcome.problem is None:  # the photon got through
            break
    wanted = ["delivery", "arrival", "result", "timer"]
    assert run.results["bob"] == [f"{what} 2000" for what in wanted]
    at_2000 = [(e[2], e[3]) for e in run.events if e[:2] == (2000, 0)]
    assert at_2000[0] == ("faults", "begin")
    kinds = [kind for _, kind in at_2000]
    assert kinds.index("herald") < kinds.index("delivered")
    assert kinds.index("arrival") < kinds.index("delivered")


@pytest.mark.parametrize("how", ["timeout", "wait_for"])
def test_a_message_exactly_at_a_deadline_is_received(how: str) -> None:
    async def alice(me: Agent) -> None:
        await me.send("bob", "in time")
        await asyncio.sleep(1e-9)
        await me.send("bob", "too late")

    async def bob(me: Agent) -> list[Any]:
        seen: list[Any] = []
        for limit in (1000e-9, 0.5e-9):
            try:
                if how == "timeout":
                    async with asyncio.timeout(limit):
                        message = await me.receive()
                else:
                    message = await asyncio.wait_for(me.receive(), limit)
                seen.append([message.body, me.now_ns])
            except TimeoutError:
                seen.append(me.now_ns)
        return seen

    found = harness.run(harness.pair(alice, bob)).results["bob"]
    assert found == [["in time", 1000], ["too late", 1001]]


def test_a_message_one_nanosecond_after_a_deadline_is_not_received() -> None:
    async def bob(me: Agent) -> Any:
        try:
            async with asyncio.timeout(999e-9):
                await me.receive()
        except TimeoutError:
            return me.now_ns

    async def alice(me: Agent) -> None:
        await me.send("bob")

    assert harness.run(harness.pair(alice, bob)).results["bob"] == 999


# --- nothing grows --------------------------------------------------------------------------------


def test_no_store_grows_over_a_thousand_messages() -> None:
    rounds = 1000

    async def alice(me: Agent) -> None:
        for number in range(rounds):
            await me.send("bob", number)
            await me.receive()

    async def bob(me: Agent) -> None:
        for _ in range(rounds):
            await me.send("alice", (await me.receive()).body)
            await me.send("deaf", "not heard")

    nodes = {"alice": alice, "bob": bob, "deaf": idle}
    run = harness.run(network(nodes, [*LINKED, link("bob", "deaf", 5)]))
    assert run.outcome.problem is None
    world = run.world
    assert world.classical.in_flight() <= 1
    assert {
        name: len(each) for name, each in world.classical.forgets.items() if len(each) > 2
    } == {}
    assert world.classical.deliveries == {}
    for name, core in run.nodes.items():
        held = core.payloads
        kept = (
            len(held._here),
            len(held._sent),
            len(core.operations),
            len(core.tenants.program.mailbox("")),
        )
        assert max(kept) <= 3, (name, kept)


def test_a_dead_receiver_makes_nothing_grow() -> None:
    async def alice(me: Agent) -> None:
        for number in range(500):
            await me.send("bob", number)
            await asyncio.sleep(1e-6)

    faults = [fault("kill", "bob", 500, restart=None)]
    run = harness.run(harness.pair(alice, idle, faults=faults))
    assert run.world.classical.forgets.get("bob", []) == []
    assert len(run.nodes["alice"].payloads._sent) <= 2


# --- seeds ----------------------------------------------------------------------------------------


async def draws(me: Agent) -> int:
    return int(me.rng.integers(1 << 60))


def test_the_seed_decides_the_digest_where_something_is_drawn_and_only_there() -> None:
    for program, differs in ((draws, True), (idle, False)):
        one, two, again = (
            harness.run(network({"bob": program}, seed=seed)).outcome.digest for seed in (1, 2, 1)
        )
        assert one == again
        assert (one != two) is differs


def test_adding_a_node_shifts_no_others_draws() -> None:
    alone = harness.run_results({"bob": draws}, seed=3)["bob"]
    assert harness.run_results({"alice": draws, "bob": draws}, seed=3)["bob"] == alone
