"""One node without sockets: what it waits for, what it reports, and results that no await takes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qnetem import Agent
from qnetem.agents.messages import body_hash
from qnetem.emulator.wire import (
    Allocate,
    Arrival,
    Ask,
    Discard,
    Entangle,
    Forget,
    Have,
    Measure,
    Resend,
    Result,
    Settle,
    Stop,
    Transmit,
    Waits,
)

from ... import harness
from ..bench import Bench, delivery


async def receives(me: Agent) -> list[Any]:
    """The bodies of three messages."""
    return [(await me.receive()).body for _ in range(3)]


async def receives_one(me: Agent) -> Any:
    return (await me.receive()).body


# --- grants and payloads --------------------------------------------------------------------------


def test_nothing_runs_before_the_first_grant() -> None:
    bench = Bench(harness.idle)
    bench.payload("alice", 1)
    assert bench.node.outbox == [] and bench.node.loop.tasks() == []
    finished = bench.ran().finished
    assert finished is not None and finished.value is None


def test_a_payload_alone_wakes_no_task() -> None:
    bench = Bench(receives_one)
    bench.ran()
    bench.payload("alice", 1, "early")
    assert bench.report() is None
    finished = bench.ran(5, deliveries=[delivery("alice", 1, "early")]).finished
    assert finished is not None and finished.value == "early"


def test_a_grant_waits_for_the_messages_it_names() -> None:
    bench = Bench(receives)
    bench.ran()
    names = [delivery("alice", 1, "a"), delivery("carol", 1, "c"), delivery("alice", 2, "b")]
    assert bench.grant(5, deliveries=names) is None
    assert bench.node.lacking() == [
        Resend("alice", 1, [1, 2], "bob"),
        Resend("carol", 1, [1], "bob"),
    ]
    bench.payload("alice", 2, "b")
    bench.payload("carol", 1, "c")
    bench.payload("alice", 9, "not named")
    assert bench.report() is None
    bench.payload("alice", 1, "a")
    report = bench.report()
    assert report is not None and report.finished is not None
    assert report.finished.value == ["a", "c", "b"]
    assert bench.node.lacking() == []


def test_a_payload_with_another_body_than_was_hashed_does_not_count() -> None:
    bench = Bench(receives_one)
    bench.ran()
    bench.payload("alice", 1, "forged")
    assert bench.grant(5, deliveries=[delivery("alice", 1, "genuine")]) is None
    bench.payload("alice", 1, "genuine")
    report = bench.report()
    assert report is not None and report.finished is not None
    assert report.finished.value == "genuine"


@pytest.mark.parametrize("rubbish", [b"", b"hello", b"[]", b"\xff\xfe"])
def test_what_is_no_envelope_is_ignored(rubbish: bytes) -> None:
    bench = Bench(receives_one)
    bench.ran()
    bench.node.payload("alice", rubbish)
    assert bench.node.lacking() == [] and bench.report() is None


def test_a_settle_is_answered_once_all_payloads_are_here() -> None:
    bench = Bench(receives_one)
    bench.ran()
    bench.payload("alice", 1)
    bench.node.receive(Settle("alice", 1, [1, 3]))
    assert bench.node.outbox == []
    assert bench.node.lacking() == [Resend("alice", 1, [3], "bob")]
    bench.payload("alice", 3)
    assert bench.node.outbox == [Have("alice", 1)]


def test_two_settles_are_answered_one_by_one() -> None:
    bench = Bench(receives_one)
    bench.ran()
    bench.node.receive(Settle("alice", 1, [1]))
    bench.node.receive(Settle("carol", 1, [1]))
    bench.payload("carol", 1)
    bench.payload("alice", 1)
    assert bench.node.outbox == [Have("carol", 1), Have("alice", 1)]


def test_a_damaged_copy_is_skipped_unless_it_is_asked_for() -> None:
    async def careful(me: Agent) -> Any:
        return (await me.receive()).body

    async def curious(me: Agent) -> Any:
        message = await me.receive(damaged=True)
        return [message.damaged, message.body.hex()]

    wanted = {careful: 7, curious: [True, "b1"]}  # "1" is 0x31: the first bit flipped gives 0xb1
    for program, result in wanted.items():
        bench = Bench(program)
        bench.ran()
        bench.payload("alice", 1, 1)
        bench.payload("alice", 2, 7)
        copies = [delivery("alice", 1, 1, damage=(0,)), delivery("alice", 2, 7)]
        finished = bench.ran(5, deliveries=copies).finished
        assert finished is not None and finished.value == result


def test_damage_is_done_to_one_copy_only() -> None:
    async def both(me: Agent) -> Any:
        return [(await me.receive(damaged=True)).body.hex(), (await me.receive()).body]

    bench = Bench(both)
    bench.ran()
    bench.payload("alice", 1, 1)
    copies = [delivery("alice", 1, 1, damage=(7, 6)), delivery("alice", 1, 1)]
    finished = bench.ran(5, deliveries=copies).finished
    assert finished is not None and finished.value == ["32", 1]


# --- what a report says ---------------------------------------------------------------------------


def test_a_message_is_published_and_reported_with_size_and_hash_of_its_body() -> None:
    async def speaks(me: Agent) -> None:
        await me.send("carol", {"a": 1}, kind="k")
        await me.send("alice", [2])

    bench = Bench(speaks)
    first, second = bench.ran().sends
    assert (first.dst, first.seq, first.kind, first.size) == ("carol", 1, "k", 7)
    assert first.hash == body_hash(b'{"a":1}') and (second.dst, second.seq) == ("alice", 2)
    assert [to for to, _ in bench.node.publishes] == ["carol", "alice"]
    assert bench.node.publishes[0][1] == b'{"seq":1,"inc":1,"kind":"k","body":{"a":1}}'


def test_a_payload_is_sent_again_until_it_may_be_forgotten() -> None:
    async def speaks(me: Agent) -> None:
        await me.send("carol", 1)
        await me.receive()

    bench = Bench(speaks)
    bench.ran()
    published = bench.node.publishes[:]
    bench.node.receive(Resend("bob", 1, [1, 9], "carol"))
    assert bench.node.publishes == published * 2
    bench.ran(5, forget=[Forget("bob", 1, 1)])
    bench.node.receive(Resend("bob", 1, [1], "carol"))
    assert bench.node.publishes == published * 2


def test_the_next_timer_is_the_earliest_that_still_counts() -> None:
    async def sleeps(me: Agent) -> None:
        asyncio.get_running_loop().call_later(3e-9, lambda: None).cancel()
        await asyncio.gather(asyncio.sleep(9e-9), asyncio.sleep(5e-9))

    bench = Bench(sleeps)
    assert bench.ran().next_timer_ns == 5
    assert bench.ran(5).next_timer_ns == 9
    report = bench.ran(9)
    assert report.next_timer_ns is None and report.finished is not None


def test_deliveries_come_before_arrivals_before_results_before_timers() -> None:
    seen: list[str] = []

    async def notes(what: str, waiting: Any) -> None:
        await waiting
        seen.append(what)

    async def program(me: Agent) -> None:
        await asyncio.gather(
            notes("timer", asyncio.sleep(5e-9)),
            notes("result", me.qubit()),
            notes("arrival", me.receive_qubit()),
            notes("delivery", me.receive()),
        )

    bench = Bench(program)
    bench.ran()
    bench.payload("alice", 1)
    bench.ran(
        5,
        deliveries=[delivery("alice", 1)],
        arrivals=[Arrival("alice", "l", "q", 5)],
        results=[Result(1, "bob#1")],
    )
    assert seen == ["delivery", "arrival", "result", "timer"]


def test_who_waits_for_what_is_told_when_asked() -> None:
    async def waits(me: Agent) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(me.receive("carol", kind="k"), name="listener")
            group.create_task(me.entangle("alice", link="l2"), name="pairer")
            await asyncio.sleep(7e-9)
            group.create_task(asyncio.Queue[int]().get(), name="queue")

    bench = Bench(waits)
    bench.ran()
    bench.ran(7)
    bench.node.receive(Ask())
    [answer] = bench.node.outbox
    assert isinstance(answer, Waits)
    waiting = {wait.task: (wait.what, wait.since_ns) for wait in answer.waits}
    assert waiting["listener"][0].startswith("a message of kind 'k' from carol")
    assert waiting["pairer"][0].startswith("entangle with alice on l2")
    assert waiting["listener"][1] == waiting["pairer"][1] == 0
    assert waiting["queue"][1] == 7
    assert "listener" in bench.node.stacks()


def test_stop_is_passed_on_to_the_shell() -> None:
    bench = Bench(harness.idle)
    assert not bench.node.stopped
    bench.node.receive(Stop())
    assert bench.node.stopped


# --- operations that are cancelled, and results that no await takes --------------------------------


async def gives_up(me: Agent) -> None:
    """Asks for a pair, and gives up at 5 ns; then lives on."""
    try:
        async with asyncio.timeout(5e-9):
            await me.entangle("alice")
    except TimeoutError:
        pass
    await me.receive()


HERALD = ["l#1", "l#1@bob", "alice", "l", 0, 1.0, 0]


def test_a_cancelled_request_is_withdrawn_and_holds_no_slot() -> None:
    bench = Bench(gives_up)
    report = bench.ran()
    assert (
        report.operations == [Entangle(1, "alice")] and bench.node.tenants.program.slots_in_use == 1
    )
    report = bench.ran(5)
    assert (report.cancels, report.operations) == ([1], [])
    assert bench.node.tenants.program.slots_in_use == 0 and bench.node.operations == {}


def test_a_pair_at_the_deadline_is_taken() -> None:
    bench = Bench(gives_up)
    bench.ran()
    report = bench.ran(5, results=[Result(1, HERALD)])
    assert (report.cancels, report.operations) == ([], [])
    assert bench.node.tenants.program.slots_in_use == 1


@pytest.mark.parametrize("what", ["pair", "qubit"])
def test_a_qubit_for_a_task_cancelled_in_the_same_step_is_discarded(what: str) -> None:
    async def program(me: Agent) -> None:
        request = asyncio.create_task(me.entangle("alice") if what == "pair" else me.qubit())
        await me.receive()  # woken before the task, as deliveries come first
        request.cancel()
        await me.receive()

    bench = Bench(program)
    bench.ran()
    bench.payload("alice", 1)
    result = Result(1, HERALD if what == "pair" else "bob#1")
    report = bench.ran(5, deliveries=[delivery("alice", 1)], results=[result])
    name = "l#1@bob" if what == "pair" else "bob#1"
    assert (report.cancels, report.operations) == ([], [Discard(2, [name])])
    assert bench.node.tenants.program.slots_in_use == 0
    bench.ran(5, 1, results=[Result(2)])
    assert bench.node.operations == {}


def test_a_cancelled_measurement_runs_on_its_result_is_dropped_and_its_qubit_is_gone() -> None:
    async def program(me: Agent) -> None:
        qubit = await me.qubit()
        task = asyncio.create_task(qubit.measure())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await me.receive()

    bench = Bench(program)
    assert bench.ran().operations == [Allocate(1)]
    report = bench.ran(1, results=[Result(1, "bob#1")])
    assert isinstance(report.operations[0], Measure) and report.cancels == [2]
    assert bench.node.tenants.program.slots_in_use == 0 and bench.node.operations == {}


def test_what_the_memory_has_discarded_is_not_received_and_fills_no_slot() -> None:
    async def program(me: Agent) -> Any:
        await me.receive()
        free, qubit = me.memory.free, await me.receive_qubit()
        return [free, qubit.name, me.memory.free]

    bench = Bench(program)
    bench.ran()
    bench.ran(5, arrivals=[Arrival("alice", "l", "q1", 5), Arrival("alice", "l", "q2", 5)])
    late = [Arrival("alice", "l", "q3", 9)]
    bench.payload("alice", 1)
    go = [delivery("alice", 1)]
    finished = bench.ran(9, deliveries=go, arrivals=late, expired=["q1", "q3", "gone"]).finished
    assert finished is not None and finished.value == [3, "q2", 3]


def test_an_arrival_for_a_task_cancelled_in_the_same_step_is_kept_for_the_next() -> None:
    async def program(me: Agent) -> Any:
        request = asyncio.create_task(me.receive_qubit())
        await me.receive()
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
        return (await me.receive_qubit()).name

    bench = Bench(program)
    bench.ran()
    bench.payload("alice", 1)
    arrivals = [Arrival("alice", "l", "q1", 5), Arrival("alice", "l", "q2", 5)]
    finished = bench.ran(5, deliveries=[delivery("alice", 1)], arrivals=arrivals).finished
    assert finished is not None and finished.value == "q1"


def test_a_refusal_is_raised_where_the_operation_was_asked_for() -> None:
    async def program(me: Agent) -> str:
        try:
            await me.entangle("alice")
        except Exception as error:  # noqa: BLE001 its class is what is tested
            return f"{type(error).__name__}: {error}"
        return "no error"

    bench = Bench(program)
    bench.ran()
    error = ("link", {"node": "bob", "peer": "alice", "why": "none"})
    finished = bench.ran(1, results=[Result(1, None, error)]).finished
    assert finished is not None and finished.value == "LinkError: bob -> alice: none"


def test_an_unknown_error_code_is_our_bug() -> None:
    bench = Bench(gives_up)
    bench.ran()
    failed = bench.ran(1, results=[Result(1, None, ("alien", {}))]).failed
    assert failed is not None and failed.problem.startswith(
        "InternalError: unknown operation error"
    )


def test_a_refused_operation_of_a_task_that_is_gone_is_raised_nowhere() -> None:
    bench = Bench(gives_up)
    bench.ran()
    bench.ran(5)
    report = bench.ran(6, results=[Result(1, None, ("link", {}))])
    assert report.failed is None


def test_open_operations_do_not_pile_up() -> None:
    async def program(me: Agent) -> None:
        while True:
            qubit = await me.qubit()
            await me.transmit(qubit, "alice")

    bench = Bench(program)
    report = bench.ran()
    for t_ns in range(1, 500):
        [operation] = report.operations
        value = f"bob#{t_ns}" if isinstance(operation, Allocate) else None
        assert isinstance(operation, (Allocate, Transmit))
        report = bench.ran(t_ns, results=[Result(operation.number, value)])
    assert len(bench.node.operations) == 1 and bench.node.tenants.program.slots_in_use <= 1


def test_a_port_that_is_handled_has_no_task_and_the_order_of_its_messages() -> None:
    """What has come before counts as well; what is no such body is skipped, and damaged messages are."""
    heard: list[tuple[str, int, int]] = []

    async def program(me: Agent) -> None:
        await asyncio.sleep(1e-6)
        port = me.port("numbers")
        me._node.handle_messages(
            port.name, int, lambda source, body: heard.append((source, body, me.now_ns))
        )
        await asyncio.sleep(1.0)

    async def sender(me: Agent) -> None:
        port = me.port("numbers")
        for body in (1, "two", 3):
            await port.send("bob", body)
        await asyncio.sleep(5e-6)
        await port.send("bob", 4)

    early = [harness.link("alice", "bob", 500)]
    harness.run(harness.network({"alice": sender, "bob": program}, early))
    assert heard == [("alice", 1, 1000), ("alice", 3, 1000), ("alice", 4, 5500)]
