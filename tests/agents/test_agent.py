"""The words programs are written with, in whole networks."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import numpy as np
import pytest

from qnetem import Agent
from qnetem.emulator.errors import LinkError, MessageError, UnitError

from .. import harness
from ..harness import heralding, idle, link, network

Script = harness.Script


def alone(program: Script, **settings: Any) -> Any:
    """What one node's program returned."""
    return harness.run_results({"alice": program, "bob": idle}, [link("alice", "bob")], **settings)[
        "alice"
    ]


async def error_of(waiting: Any) -> str:
    """The error an await raises, as JSON can carry it."""
    try:
        await waiting
    except Exception as error:  # noqa: BLE001 its class is what is tested
        return f"{type(error).__name__}: {error}"
    return "no error"


# --- where and when -------------------------------------------------------------------------------


def test_a_node_knows_its_neighbours_peers_and_links_in_the_order_of_names() -> None:
    async def hub(me: Agent) -> Any:
        names = [each.name for each in me.links]
        return [me.name, me.neighbours, me.peers, names, me.link_to("c").latency_ns]

    nodes = {name: hub if name == "hub" else idle for name in ("d", "c", "hub", "b", "far")}
    links = [link("hub", "d"), link("c", "hub", 7), link("hub", "d", 5, name="a second"),
             link("b", "hub"), link("far", "d")]  # fmt: skip
    found = harness.run_results(nodes, links)["hub"]
    assert found == ["hub", ["b", "c", "d"], ["b", "c", "d", "far"],
                     ["a second", "b-hub", "c-hub", "hub-d"], 7]  # fmt: skip


def test_link_to_must_be_unambiguous() -> None:
    async def hub(me: Agent) -> Any:
        errors = []
        for peer in ("bob", "far"):
            try:
                me.link_to(peer)
            except LinkError as error:
                errors.append(str(error))
        return errors

    links = [link("hub", "bob"), link("hub", "bob", name="spare"), link("bob", "far")]
    found = harness.run_results({"hub": hub, "bob": idle, "far": idle}, links)["hub"]
    assert found == [
        "hub -> bob: several links: ['hub-bob', 'spare']",
        "hub -> far: no link",
    ]


@pytest.mark.parametrize(
    ("duration", "wanted"), [("3 us", 3000), (2e-9, 2), (1e-12, 1), (0, 0), ("1.5 ns", 2)]
)
def test_compute_lets_virtual_time_pass(duration: str | float, wanted: int) -> None:
    async def program(me: Agent) -> int:
        await me.compute(duration)
        return me.now_ns

    assert alone(program) == wanted


@pytest.mark.parametrize("duration", ["3", "3 km", float("nan"), float("inf")])
def test_compute_refuses_what_is_no_time(duration: Any) -> None:
    async def program(me: Agent) -> str:
        return await error_of(me.compute(duration))

    assert alone(program).startswith(UnitError.__name__)


def test_everything_of_asyncio_ticks_in_virtual_time() -> None:
    async def program(me: Agent) -> Any:
        seen: list[Any] = []
        queue: asyncio.Queue[int] = asyncio.Queue()

        async def feed() -> None:
            for number in range(3):
                await asyncio.sleep(1000)
                queue.put_nowait(number)

        async with asyncio.TaskGroup() as group:
            group.create_task(feed())
            for _ in range(3):
                seen.append([await queue.get(), me.now_ns // 10**9])
        try:
            async with asyncio.timeout(7):
                await asyncio.Event().wait()
        except TimeoutError:
            seen.append(me.now_ns // 10**9)
        return seen

    assert alone(program) == [[0, 1000], [1, 2000], [2, 3000], 3007]


class Adder(Agent):
    async def run(self, left: int, right: int = 1) -> int:
        await self.compute("1 us")
        return left + right


def test_perform_runs_another_program_as_a_part_of_this_one() -> None:
    async def program(me: Agent) -> list[int]:
        three = await me.perform(Adder, left=1, right=2)
        return [three, await me.perform(Adder, left=three), me.now_ns]

    assert alone(program) == [3, 4, 2000]


def test_perform_cancelled_cancels_what_it_performs() -> None:
    async def program(me: Agent) -> int:
        try:
            async with asyncio.timeout(300e-9):
                await me.perform(Adder, left=1)
        except TimeoutError:
            return me.now_ns
        return -1

    assert alone(program) == 300


# --- messages -------------------------------------------------------------------------------------


def test_a_message_tells_its_source_kind_number_and_when_it_was_sent() -> None:
    async def alice(me: Agent) -> None:
        await asyncio.sleep(5e-9)
        await me.send("bob", {"bit": 1}, kind="outcome")

    async def bob(me: Agent) -> Any:
        message = await me.receive()
        told = [message.source, message.kind, message.seq, message.sent_ns, message.body, me.now_ns]
        return [told, repr(message), message.damaged]

    found = harness.run(harness.pair(alice, bob)).results["bob"]
    assert found[0] == ["alice", "outcome", 1, 5, {"bit": 1}, 1005]
    assert found[1:] == ["<Message 'outcome' from alice seq 1>", False]


def test_receive_takes_what_fits_and_leaves_the_rest_in_order() -> None:
    async def alice(me: Agent) -> None:
        for number, kind in enumerate("xyxy"):
            await me.send("bob", number, kind=kind)

    async def carol(me: Agent) -> None:
        await me.send("bob", 10, kind="x")

    async def bob(me: Agent) -> Any:
        wanted = [{"source": "carol"}, {"kind": "y"}, {"source": "alice", "kind": "x"}, {}, {}]
        return [(await me.receive(**each)).body for each in wanted]  # type: ignore[arg-type]

    links = [link("alice", "bob"), link("bob", "carol")]
    found = harness.run_results({"alice": alice, "bob": bob, "carol": carol}, links)
    assert found["bob"] == [10, 1, 0, 2, 3]


def test_concurrent_receivers_are_served_in_the_order_they_asked() -> None:
    async def alice(me: Agent) -> None:
        for number in range(3):
            await me.send("bob", number)

    async def bob(me: Agent) -> Any:
        return [message.body for message in await asyncio.gather(*(me.receive() for _ in range(3)))]

    assert harness.run(harness.pair(alice, bob)).results["bob"] == [0, 1, 2]


def test_broadcast_is_one_message_a_neighbour_in_the_order_of_names() -> None:
    async def hub(me: Agent) -> None:
        await me.broadcast("hear", kind="all")

    links = [link("hub", name) for name in ("c", "a", "b")]
    links.append(link("hub", "a", name="second"))
    run = harness.run(network({"hub": hub, **dict.fromkeys("abc", idle)}, links))
    assert [(e[4], e[6]) for e in run.of("hub", "sent")] == [("a", 1), ("b", 2), ("c", 3)]


def test_a_node_may_send_to_itself() -> None:
    async def program(me: Agent) -> Any:
        await me.send("alice", "note to self")
        message = await me.receive("alice")
        return [message.body, me.now_ns]

    assert alone(program) == ["note to self", 0]


@pytest.mark.parametrize("seconds", range(1, 12))
def test_a_receive_cancelled_at_any_moment_loses_no_message(seconds: int) -> None:
    """Messages come at 1, 3, 5 ... 9 us; a receive is cancelled at each microsecond in turn.

    The word to cancel comes before alice's message in the same grant: the receive has its message, and
    has not run yet, when it is cancelled.
    """

    async def aaron(me: Agent) -> None:
        await asyncio.sleep((seconds - 1) * 1e-6)
        await me.send("bob", "cancel it")

    async def alice(me: Agent) -> None:
        for number in range(5):
            await me.send("bob", number)
            await asyncio.sleep(2e-6)

    async def bob(me: Agent) -> Any:
        task = asyncio.create_task(me.receive("alice"))
        await me.receive("aaron")
        task.cancel()
        first = await asyncio.gather(task, return_exceptions=True)
        found = [] if isinstance(first[0], BaseException) else [first[0].body]
        while len(found) < 5:
            found.append((await me.receive("alice")).body)
        return found

    links = [link("aaron", "bob", 1000), link("alice", "bob", 1000)]
    found = harness.run_results({"aaron": aaron, "alice": alice, "bob": bob}, links)["bob"]
    assert found == [0, 1, 2, 3, 4]


class Bases(msgspec.Struct):
    bases: bytes
    places: list[int]


def test_a_struct_with_bytes_is_received_as_its_type() -> None:
    async def alice(me: Agent) -> None:
        await me.send("bob", Bases(b"\x01\xff", [3]))

    async def bob(me: Agent) -> Any:
        message = await me.receive(type=Bases)
        assert isinstance(message.body, Bases)
        return [message.body.bases.hex(), message.body.places]

    assert harness.run(harness.pair(alice, bob)).results["bob"] == ["01ff", [3]]


@pytest.mark.parametrize(
    "body", [float("nan"), {1: 2}, b"raw", np.array([1, np.nan]), np.float64("inf"), {1, 2}]
)
def test_a_body_that_is_not_json_is_refused_where_it_is_sent(body: Any) -> None:
    async def alice(me: Agent) -> Any:
        error = await error_of(me.send("bob", body))
        await me.send("bob", "sound")
        return error

    async def bob(me: Agent) -> Any:
        return (await me.receive()).seq

    found = harness.run(harness.pair(alice, bob)).results
    assert found["alice"].startswith(f"{MessageError.__name__}: body")
    assert found["bob"] == 1


def test_a_destination_that_is_no_node_is_an_error_and_a_dead_one_is_not() -> None:
    async def program(me: Agent) -> Any:
        await asyncio.sleep(2e-9)
        return [await error_of(me.send("bbo", 1)), await error_of(me.send("bob", 1))]

    faults = [harness.fault("kill", "bob", 1, restart=None)]
    topology = network({"alice": program, "bob": idle}, [link("alice", "bob")], faults)
    found = harness.run(topology).results["alice"]
    assert found == ["LinkError: alice -> bbo: no node is called 'bbo'", "no error"]


def test_a_name_that_is_no_str_is_refused_where_it_is_used() -> None:
    async def program(me: Any) -> Any:
        return [
            await error_of(me.send("bob", 1, kind=5)),
            await error_of(me.entangle(5)),
            await error_of(me.entangle("bob", link=5)),
        ]

    assert alone(program) == [
        "MessageError: a kind is a str, not 5",
        "MessageError: a node is a str, not 5",
        "MessageError: a link is a str, not 5",
    ]


def test_numpys_choice_among_names_is_a_name() -> None:
    async def alice(me: Agent) -> Any:
        peer = me.rng.choice(me.neighbours)
        assert type(peer) is not str
        await me.send(peer, 1, kind=np.str_("k"))
        return (await me.entangle(peer)).peer

    async def bob(me: Agent) -> Any:
        await me.entangle("alice")
        return (await me.receive(kind="k")).body

    topology = network({"alice": alice, "bob": bob}, [link("alice", "bob", entangle=heralding())])
    assert harness.run(topology).results == {"alice": "bob", "bob": 1}
    assert harness.run_hard(topology, 1).results == {"alice": "bob", "bob": 1}


# --- the record -----------------------------------------------------------------------------------


def test_a_record_stands_in_the_journal_and_numbers_become_metrics() -> None:
    async def program(me: Agent) -> None:
        for value in (1, 2.5, True, "word", {"a": (1, 2)}):
            me.record("x", value)

    run = harness.run(network({"bob": program}))
    assert [e[5] for e in run.of("bob", "note")] == [1, 2.5, True, "word", {"a": [1, 2]}]
    metric = run.outcome.metrics["bob.x"]
    assert (metric["count"], metric["max"]) == (3, 2.5)


@pytest.mark.parametrize(
    ("name", "value"), [("x", float("nan")), (5, 1), ("x", b"raw"), ("x", 2**64)]
)
def test_a_record_that_is_not_json_is_refused(name: Any, value: Any) -> None:
    async def program(me: Agent) -> str:
        try:
            me.record(name, value)
        except MessageError as error:
            return str(error)
        return "no error"

    assert alone(program) != "no error"


# --- randomness -----------------------------------------------------------------------------------


def test_each_node_draws_its_own_numbers_from_the_runs_seed() -> None:
    async def program(me: Agent) -> list[int]:
        return [int(number) for number in me.rng.integers(1 << 60, size=3)]

    nodes = {"alice": program, "bob": program}
    one, again, other = (harness.run_results(nodes, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert len({str(found[name]) for found in (one, other) for name in nodes}) == 4
