"""The inside half: requests are awaited and answered in virtual time, alike in every replay."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from qnetem import Agent, OutsideError, Secret
from qnetem.agents.node.node import Node
from qnetem.agents.outside import Close, Open, Reply
from qnetem.emulator.wire import Grant, Input, OutsideState, RecordedInput, Report, Welcome
from qnetem.inprocess.network import InProcessNetwork

from ... import harness

MS = 1_000_000


async def half(inside: Any) -> None:
    """The outside half: it never runs in these tests."""


class Live:
    """A node called bob that is open to the outside, on a bench."""

    def __init__(self, program: harness.Script, outside: str = "live") -> None:
        spec = harness.node("bob", program)
        self.node = Node(
            Welcome(
                "bob", 1, "endpoint", spec.program, spec.options, False, [1, 2, 3, 4], [], [], 4, 0,
                outside=outside, hash_key=b"k",
            )
        )  # fmt: skip
        self.t_ns = 0

    def grant(self, *inputs: Input) -> Report:
        self.node.receive(Grant(self.t_ns, 0, inputs=list(inputs)))
        self.t_ns += 1
        (report,) = self.node.outbox
        self.node.outbox.clear()
        assert isinstance(report, Report)
        return report

    def orders(self) -> list[Any]:
        found = list(self.node.outsides.orders)
        self.node.outsides.orders.clear()
        return found


def item(number: int, value: Any = None, opening: int = 1) -> Input:
    return Input(opening, number, "json", msgspec.json.encode(value))


async def doubles(me: Agent) -> Any:
    numbers = []
    async with me.outside(half) as requests:
        async for request in requests:
            numbers.append((request.number, request.came_ns))
            request.reply(2 * request.body)
    return numbers


def test_requests_come_in_order_and_are_answered_by_orders_to_the_shell() -> None:
    live = Live(doubles)
    report = live.grant()
    assert report.outside == OutsideState(1)
    (opened,) = live.orders()
    assert isinstance(opened, Open) and (opened.opening, opened.half, opened.args) == (1, half, ())
    report = live.grant(item(1, 5), item(2, "x"))
    assert live.orders() == [Reply(1, 1, "json", b"10"), Reply(1, 2, "json", b'"xx"')]
    assert report.outside is not None and report.outside.open == 1
    assert [(each.number, each.size) for each in report.outside.replies] == [(1, 2), (2, 4)]
    report = live.grant(Input(1, 3, "ended", b""))
    assert report.outside == OutsideState(0) and live.orders() == [Close(1)]
    assert report.finished is not None and report.finished.value == [[1, 1], [2, 1]]


def test_a_report_without_news_says_nothing_of_the_outside() -> None:
    async def sleeps(me: Agent) -> None:
        async with me.outside(half):
            await me.compute("1 ns")
            await me.compute("5 ns")

    live = Live(sleeps)
    assert live.grant().outside == OutsideState(1) and live.grant().outside is None


def test_several_tasks_take_turns_and_one_that_is_cancelled_loses_no_request() -> None:
    async def shares(me: Agent) -> Any:
        got: list[Any] = []
        async with me.outside(half) as requests:

            async def take(name: str) -> None:
                got.append([name, (await requests.receive()).body])

            async def cancel() -> None:
                await take("first")
                second.cancel()  # its request has come, and it has not run yet

            tasks = [asyncio.create_task(cancel())]
            second = asyncio.create_task(take("second"))
            tasks += [asyncio.create_task(take("third")), second]
            await asyncio.wait(tasks)
        return got

    live = Live(shares)
    live.grant()
    finished = live.grant(item(1, "x"), item(2, "y")).finished
    assert finished is not None and finished.value == [["first", "x"], ["third", "y"]]


def test_what_the_outside_half_raises_is_raised_by_name_where_a_request_is_awaited() -> None:
    async def catches(me: Agent) -> Any:
        try:
            async with me.outside(half) as requests:
                await requests.receive()
        except OutsideError as error:
            return [str(error), error.__notes__]
        return None

    live = Live(catches)
    live.grant()
    report = live.grant(Input(1, 1, "failed", b"OSError: port 80 is taken\nTraceback\n"))
    assert report.finished is not None
    assert report.finished.value == [
        "the outside half half() raised OSError: port 80 is taken",
        ["Traceback"],
    ]


def test_it_fails_the_node_also_where_no_request_is_awaited() -> None:
    async def works(me: Agent) -> None:
        async with me.outside(half):
            await me.compute("1 ns")

    live = Live(works)
    live.grant()
    live.t_ns = 1
    failed = live.grant(Input(1, 1, "failed", b"OSError: gone\nTrace")).failed
    assert failed is not None and failed.problem.startswith("OutsideError: the outside half half()")
    assert "Trace" in failed.traceback


def test_a_node_that_fails_closes_its_openings() -> None:
    async def raises(me: Agent) -> None:
        await me.outside(half).__aenter__()
        raise ValueError("no")

    live = Live(raises)
    assert live.grant().failed is not None
    assert [type(order) for order in live.orders()] == [Open, Close]


MISUSE: dict[str, Any] = {
    "a second reply": "answered already",
    "a secret": "key material leaves a node only if it is revealed",
    "no json": "must be JSON",
    "after the end": "inside `async with",
    "entered twice": "entered already",
}


@pytest.mark.parametrize("what", MISUSE)
def test_misuse_is_refused_by_name(what: str) -> None:
    async def misuses(me: Agent) -> None:
        outside = me.outside(half)
        async with outside as requests:
            request = await requests.receive()
            if what == "entered twice":
                async with outside:
                    pass
            if what != "after the end":
                request.reply({"a secret": Secret(b"1"), "no json": object()}.get(what))
                request.reply()
        await requests.receive()

    live = Live(misuses)
    live.grant()
    failed = live.grant(item(1)).failed
    assert failed is not None and MISUSE[what] in failed.problem


class Server(Agent):
    """Its method would share `self` with real time."""

    async def serve(self, inside: Any) -> None: ...


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"half": None}, "expected a coroutine function"),
        ({"half": half, "largest": 2**30}, "`largest` from 1 to 16,777,216"),
        ({"half": half, "unanswered": 0}, "`unanswered` from 1"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, Any], why: str) -> None:
    async def opens(me: Agent) -> None:
        me.outside(**arguments)

    failed = Live(opens).grant().failed
    assert failed is not None and why in failed.problem


def test_a_method_of_the_program_is_no_outside_half() -> None:
    async def opens(me: Agent) -> None:
        me.outside(Server(me._node).serve)

    failed = Live(opens).grant().failed
    assert failed is not None and "Server.serve() is a method of the program" in failed.problem


@pytest.mark.parametrize(
    ("outside", "why"), [("", "use `time: {mode: real}`"), ("in process", "without --in-process")]
)
def test_where_there_is_no_outside_it_is_refused_by_name(outside: str, why: str) -> None:
    failed = Live(doubles, outside).grant().failed
    assert failed is not None and "bob: self.outside() is not possible here" in failed.problem
    assert why in failed.problem


def test_a_network_in_one_process_refuses_it_in_either_mode() -> None:
    topology = harness.network({"a": doubles})
    real = topology.model_copy(update={"time": topology.time.model_copy(update={"mode": "real"})})
    assert "virtual time passes" in harness.run(topology).problem.text
    assert "without --in-process" in harness.run(real).problem.text


def test_a_replay_in_one_process_feeds_requests_and_drops_replies() -> None:
    inputs = [
        RecordedInput(5 * MS, "a", 1, item(1, 4)),
        RecordedInput(9 * MS, "a", 1, Input(1, 2, "ended", b"")),
    ]
    topology = harness.network({"a": doubles})
    outcomes = [InProcessNetwork(topology, inputs=inputs).run() for _ in range(2)]
    assert [outcome.results["a"] for outcome in outcomes] == [[[1, 5 * MS]]] * 2
    assert outcomes[0].digest == outcomes[1].digest
    other = [msgspec.structs.replace(inputs[0], input=item(1, 5)), inputs[1]]
    assert InProcessNetwork(topology, inputs=other).run().digest != outcomes[0].digest
