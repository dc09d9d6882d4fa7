"""Services beside a program: what they may call of each other, and how each ends without the other."""

from __future__ import annotations

import asyncio
import io
import time
from typing import Any

import pytest

from qnetem import Agent
from qnetem.emulator.errors import MessageError, ServiceError
from qnetem.emulator.wire.control import Inspect
from qnetem.inprocess.network import InProcessNetwork

from .... import harness
from .services import Answers, Asks, Cleans, Pairs, Ticker, Waker, node, pair, spec

idle = harness.idle


def alone(program: harness.Script, **services: Any) -> harness.Run:
    return harness.run(harness.network({"alice": node("alice", program, **services)}))


# --- calls ----------------------------------------------------------------------------------------


async def calls(me: Agent) -> Any:
    await asyncio.sleep(0.035)
    ticker = me.services.ticker
    first = ticker.count()
    then = await ticker.after(2)
    numbers = [number async for number in ticker.numbers(3)]
    return first, then, numbers, ticker.last_heard, ticker.who(), me.service(Ticker).count() >= then


def test_a_program_calls_the_offered_words_of_a_service() -> None:
    run = alone(calls, ticker=spec(Ticker))
    assert run.results["alice"] == [3, 5, [0, 1, 2], None, ["ticker", ""], True]


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda me: me.services.tickr, "alice has no service 'tickr'.*'ticker'"),
        (lambda me: me.services.ticker.hidden, "offers no 'hidden'; it offers after, all_heard"),
        (lambda me: me.services.ticker.counts, "offers no 'counts'.*'count'"),
        (lambda me: me.service(Pairs), "no service of alice is the only Pairs: running are ticker"),
    ],
)
def test_a_call_that_cannot_be_says_what_there_is(call: Any, problem: str) -> None:
    async def program(me: Agent) -> None:
        await asyncio.sleep(0.001)
        with pytest.raises(ServiceError, match=problem):
            call(me)

    assert alone(program, ticker=spec(Ticker)).results == {"alice": None}


async def asks_early(me: Agent) -> int:
    return int(me.services.ticker.count())


def test_services_begin_before_the_program_and_in_the_order_of_their_needs() -> None:
    run = alone(asks_early, ticker=spec(Ticker))
    assert run.results["alice"] == 0
    both = {"aa": spec(Cleans, other="ticker", needs=["ticker"]), "ticker": spec(Ticker)}
    run = alone(asks_early, **both)
    (note,) = run.of("alice", "note")
    # "aa" stands first by name, but is started after what it needs, and ended before.
    assert note[4:] == ("aa.ended", 0)


# --- mail -----------------------------------------------------------------------------------------


async def two_messages(me: Agent) -> list[Any]:
    got = []
    for _ in range(2):
        message = await me.receive()
        got.append((message.kind, message.port))
    return got


async def two_slow_sends(me: Agent) -> None:
    for number in range(2):
        await asyncio.sleep(0.1)
        await me.send("bob", number, kind="mine")
    await asyncio.sleep(0.1)


def test_a_bare_receive_never_sees_a_services_message() -> None:
    run = harness.run(
        pair(
            node("alice", two_slow_sends, ticker=spec(Ticker, peer="bob")),
            node("bob", two_messages, ticker=spec(Ticker, peer="alice")),
        )
    )
    assert run.results["bob"] == [["mine", ""], ["mine", ""]]
    assert len(run.of("alice", "sent")) > 20


def test_unread_counts_the_programs_mail_only() -> None:
    async def leaves(me: Agent) -> None:
        await asyncio.sleep(0.25)

    mute = spec(Cleans)  # receives nothing
    run = harness.run(
        pair(
            node("alice", two_slow_sends, ticker=spec(Ticker, peer="bob")),
            node("bob", leaves, ticker=mute),
        )
    )
    assert run.outcome.problem is None
    assert run.outcome.left["bob"].unread == {"mine": 2}
    without = harness.run(
        pair(node("alice", two_slow_sends, ticker=spec(Ticker, peer="bob")), node("bob", leaves))
    )
    # No tenant there has such a service: that is worth a warning, and it names the port.
    assert without.outcome.left["bob"].unread["mine"] == 2
    assert without.outcome.left["bob"].unread["tick on port ticker"] > 10


def test_no_tenant_uses_the_port_of_another() -> None:
    async def program(me: Agent) -> None:
        for port in ("ticker", "ticker.more"):
            with pytest.raises(MessageError, match=r"cannot use the port.*service ticker's"):
                await me.send("alice", 1, port=port)
            with pytest.raises(MessageError, match="cannot use the port"):
                await me.receive(port=port)
        with pytest.raises(MessageError, match="cannot use the port '', which is the program's"):
            me.services.ticker._tenant.send("alice", 1, "", port="")

    assert alone(program, ticker=spec(Ticker)).results == {"alice": None}


def test_a_program_reaches_a_service_of_another_node_by_its_port() -> None:
    async def program(me: Agent) -> Any:
        await me.send("bob", 21, port="answers")
        message = await me.receive("bob", port="answers")
        return message.body, message.port

    bob = node("bob", idle, answers=spec(Answers))
    assert harness.run(pair(node("alice", program), bob)).results["alice"] == [42, "answers"]


# --- the end --------------------------------------------------------------------------------------


def test_an_endpoint_whose_run_returned_still_answers_a_peers_service() -> None:
    async def alice(me: Agent) -> Any:
        await asyncio.sleep(0.5)
        return await me.services.answers.double("bob", 4)

    run = harness.run(
        pair(
            node("alice", alice, answers=spec(Asks)),
            node("bob", harness.idle, answers=spec(Answers)),
        )
    )
    assert run.results == {"alice": 8, "bob": None}
    ended = [event[0] for event in run.of("bob", "end")]
    answered = [event[0] for event in run.of("bob", "sent")]
    assert ended == [0] and answered[0] > 500_000_000
    assert run.outcome.nodes["bob"].state == "finished"


def test_what_a_program_leaves_behind_runs_no_more_beside_its_services() -> None:
    async def program(me: Agent) -> str:
        async def lingers() -> None:
            try:
                await asyncio.sleep(0.01)
            finally:
                await asyncio.sleep(0.01)
                me.record("lingered", 1)

        me.lingering = asyncio.create_task(lingers())  # type: ignore[attr-defined]
        asyncio.get_running_loop().call_later(0.02, lambda: me.record("called", 1))
        await asyncio.sleep(0)
        return "done"

    async def waits(me: Agent) -> None:
        await asyncio.sleep(0.2)

    run = harness.run(pair(node("alice", program, ticker=spec(Ticker)), node("bob", waits)))
    assert run.results["alice"] == "done" and run.of("alice", "note") == []
    late = harness.run(pair(node("alice", program), node("bob", waits)))
    assert late.of("alice", "note") == []


@pytest.mark.parametrize("on_error", ["stop", "continue"])
def test_a_service_that_raises_is_blamed_by_its_name(on_error: str) -> None:
    async def program(me: Agent) -> int:
        await asyncio.sleep(0.1)
        return 7

    alice = node("alice", program, ticker=spec(Ticker, fails_at=3), other=spec(Ticker))
    run = harness.run(pair(alice, node("bob", program), on_error=on_error))
    problem = run.problem
    assert (problem.node, problem.service, problem.kind) == ("alice", "ticker", "ProgramFailed")
    assert problem.text == "ValueError: the spring is broken" and "services.py" in problem.traceback
    assert [event[4:] for event in run.of("alice", "failed")] == [
        ("raised", "ValueError", "ticker")
    ]
    kept = {"alice": 7, "bob": 7} if on_error == "continue" else {"alice": None, "bob": None}
    assert run.outcome.results == kept
    if on_error == "continue":
        assert run.outcome.nodes["alice"].state == "finished"


def test_calls_of_a_service_that_has_failed_raise_in_the_caller() -> None:
    async def program(me: Agent) -> list[str]:
        found = []
        try:
            await me.services.ticker.never()
        except ServiceError as error:
            found.append(str(error))
        try:
            me.services.ticker.count()
        except ServiceError as error:
            found.append(str(error))
        return found

    alice = {"alice": node("alice", program, ticker=spec(Ticker, fails_at=2))}
    run = harness.run(harness.network(alice, on_error="continue"))
    assert run.outcome.results["alice"] == [
        "service ticker of alice has failed in this call",
        "service ticker of alice has failed",
    ]


def test_a_program_that_raises_leaves_its_services_running() -> None:
    async def fails(me: Agent) -> None:
        raise KeyError("mine")

    async def alice(me: Agent) -> Any:
        await asyncio.sleep(0.5)
        return await me.services.answers.double("bob", 4)

    bob = node("bob", fails, answers=spec(Answers))
    run = harness.run(pair(node("alice", alice, answers=spec(Asks)), bob, on_error="continue"))
    assert run.outcome.results["alice"] == 8
    assert (run.problem.node, run.problem.service) == ("bob", "")
    assert run.outcome.nodes["bob"].state == "failed"


# --- stuck ----------------------------------------------------------------------------------------


def test_a_program_stuck_beside_a_periodic_service_is_named_within_a_second() -> None:
    async def waits(me: Agent) -> None:
        await me.receive("bob", kind="never")

    began = time.process_time()
    run = harness.run(
        pair(
            node("alice", waits, ticker=spec(Ticker, peer="bob")),
            node("bob", idle, ticker=spec(Ticker, period="3 ms", peer="alice")),
        )
    )
    assert time.process_time() - began < 1
    assert run.problem.kind == "StuckError"
    lines = run.problem.text.splitlines()
    assert lines[0].startswith("nothing but services in the background is left to happen")
    assert any(
        line.startswith("  alice waits for a message of kind 'never' from bob")
        and "bob has finished at 0 ns" in line
        for line in lines
    )
    assert any(line.startswith("  service ticker of bob waits for") for line in lines)


async def sleeps(me: Agent) -> int:
    await asyncio.sleep(7)
    return 1


async def calls_for_long(me: Agent) -> int:
    await me.services.ticker.after(700)
    return 1


async def is_woken(me: Agent) -> int:
    woken = asyncio.Event()
    me.services.waker.wake(woken)
    await woken.wait()
    return 1


async def gets_a_pair(me: Agent) -> int:
    await (await me.entangle("bob" if me.name == "alice" else "alice")).discard()
    return 1


@pytest.mark.parametrize(
    ("alice", "bob"),
    [(sleeps, idle), (calls_for_long, idle), (is_woken, idle), (gets_a_pair, gets_a_pair)],
)
def test_a_run_in_which_something_else_is_to_come_is_not_stuck(
    alice: harness.Script, bob: harness.Script
) -> None:
    """700 ticks of a service pass before it."""
    entangle = harness.heralding(attempt_ns=7_000_000_000)
    links = [harness.link("alice", "bob", 1000, entangle=entangle)]
    services = {"ticker": spec(Ticker), "waker": spec(Waker, looks=700, says_so=True)}
    nodes = {"alice": node("alice", alice, **services), "bob": node("bob", bob)}
    run = harness.run(harness.network(nodes, links))
    assert run.results["alice"] == 1 and run.outcome.t_ns >= 7_000_000_000


@pytest.mark.parametrize(("looks", "stuck"), [(300, False), (700, True)])
def test_a_service_that_works_unasked_and_does_not_say_so_has_some_grace(
    looks: int, stuck: bool
) -> None:
    run = alone(is_woken, waker=spec(Waker, looks=looks, says_so=False))
    assert (run.outcome.problem is not None) == stuck
    if stuck:
        assert "alice waits for" in run.problem.text and "service waker" in run.problem.text


# --- draws, records, qubits -----------------------------------------------------------------------


@pytest.mark.parametrize("period", ["10 ms", "700 us"])
def test_one_more_message_of_a_service_shifts_no_draw_of_the_program(period: str) -> None:
    async def draws(me: Agent) -> list[float]:
        await asyncio.sleep(0.02)
        numbers = [float(me.rng.random())]
        for _ in range(20):
            await asyncio.sleep(0.001)
            await me.send("bob", len(numbers))
            numbers.append(float(me.rng.random()))
        qubits = [await me.qubit() for _ in range(8)]
        return [*numbers, *[await qubit.measure("X") for qubit in qubits]]

    async def counts(me: Agent) -> list[int]:
        got: list[int] = []
        try:
            async with asyncio.timeout(0.1):
                while True:
                    got.append((await me.receive()).body)
        except TimeoutError:
            return got

    def results(period: str) -> dict[str, Any]:
        lossy = harness.fault("loss", "alice-bob", 0, None, probability=0.5)
        run = harness.run(
            pair(
                node("alice", draws, ticker=spec(Ticker, period=period, peer="bob")),
                node("bob", counts, ticker=spec(Ticker)),
                faults=[lossy],
            )
        )
        return run.results

    assert results(period) == results("10 s")


def test_a_services_records_and_log_lines_carry_its_name() -> None:
    async def waits(me: Agent) -> None:
        await asyncio.sleep(0.05)
        me.record("ended", "the program's")

    run = alone(waits, one=spec(Cleans), two=spec(Cleans))
    notes = [event[4:] for event in run.of("alice", "note")]
    assert notes == [
        ("ended", "the program's"),
        ("two.ended", "alone"),
        ("one.ended", "alone"),
    ]


# --- restarts, and how it is carried --------------------------------------------------------------


def test_a_restarted_node_begins_its_services_anew_and_peers_tell_old_mail_from_new() -> None:
    async def alice(me: Agent) -> Any:
        await asyncio.sleep(0.2)
        return me.services.ticker.all_heard()

    async def bob(me: Agent) -> int:
        await asyncio.sleep(0.1)
        return me.incarnation

    services = {"ticker": spec(Ticker, peer="alice"), "other": spec(Ticker)}
    run = harness.run(
        pair(
            node("alice", alice, ticker=spec(Ticker, peer="bob")),
            node("bob", bob, **services),
            faults=[harness.fault("kill", "bob", 45_000_000, None, restart=10_000_000)],
        )
    )
    heard = run.results["alice"]
    assert run.results["bob"] == 2
    assert heard[:5] == [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1]]


def test_however_frames_are_carried_a_run_with_services_is_the_same() -> None:
    async def alice(me: Agent) -> Any:
        first = await me.services.answers.double("bob", 1)
        pair = await me.services.pairs.pair("bob")
        return first, await pair.measure("X"), float(me.rng.random())

    async def bob(me: Agent) -> Any:
        pair = await me.services.pairs.pair("alice")
        return await pair.measure("X")

    def topology() -> Any:
        ticker, pairs = spec(Ticker, period="100 us"), spec(Pairs, slots=2)
        return pair(
            node("alice", alice, answers=spec(Asks), pairs=pairs, ticker=ticker),
            node("bob", bob, answers=spec(Answers), pairs=pairs, ticker=ticker),
        )

    plain = harness.run(topology())
    assert plain.results
    for seed in range(3):
        assert harness.run_hard(topology(), seed).observable() == plain.observable()


def test_an_eavesdropper_hears_services_in_its_own_mailbox_and_forges_on_their_port() -> None:
    async def eve(me: Agent) -> None:
        message = await me.receive("alice", kind="tick")
        assert (message.port, message.destination) == ("ticker", "bob")
        me._node.send("bob", {"ticks": 700}, "tick", claims="alice", port=message.port)
        await asyncio.Event().wait()

    async def bob(me: Agent) -> Any:
        await asyncio.sleep(0.03)
        return me.services.ticker.all_heard()

    nodes = {
        "alice": node("alice", idle, ticker=spec(Ticker, peer="bob")),
        "bob": node("bob", bob, ticker=spec(Ticker, peer="alice")),
        "eve": harness.node("eve", eve, kind="eavesdropper", service=True),
    }
    listens = harness.fault("eavesdrop", "alice-bob", 1000, None, by="eve", classical="intercept")
    run = harness.run(harness.network(nodes, [harness.link("alice", "bob", 3000)], [listens]))
    assert run.results["bob"] == [[1, 700]]


def test_a_view_shows_each_services_slots_and_what_it_waits_for() -> None:
    answers: list[Any] = []

    async def keeps(me: Agent) -> None:
        peer = "bob" if me.name == "alice" else "alice"
        await me.services.pairs.keep(peer)
        await asyncio.sleep(0.01)

    services = {"pairs": spec(Pairs, slots=3), "ticker": spec(Ticker, period="7 ms")}
    topology = pair(node("alice", keeps, **services), node("bob", keeps, **services))
    with_view = InProcessNetwork(topology, log_stream=lambda *_: io.StringIO())
    world = with_view.world
    world.conductor.at(5_000_000, (), lambda: world.live.ask(Inspect(1), answers.append) and None)
    outcome = with_view.run()
    assert outcome.problem is None
    (view,) = answers
    alice = view.nodes[0]
    assert alice.pools == {"pairs": (1, 3)} and (alice.slots_used, alice.slots) == (1, 16)
    waits = [(task, what.partition(" ")[0]) for task, what, _ in alice.waits]
    assert waits == [("service ticker", "sleep()"), ("alice", "sleep()")]
