"""Random programs and random networks, for properties that must hold for all of them.

A program is a list of instructions (JSON, handed to the node as its `with`), and `Puppet` plays it. It
records what it sees and when, so whatever changes in what a program can observe changes the journal.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable
from typing import Any

from hypothesis import strategies as st

from qnetem import Agent
from qnetem.emulator.errors import OperationError
from qnetem.emulator.topology.model.faults import FaultSpec
from qnetem.emulator.topology.model.topology import LinkSpec, NodeSpec, Topology

from . import harness

Instruction = list[Any]

# --- the player -----------------------------------------------------------------------------------


class Puppet(Agent):
    """Plays a list of instructions; see `scripts` below."""

    async def run(self, script: list[list[Any]]) -> dict[str, Any]:
        self.tasks: list[asyncio.Task[Any]] = []
        await self.play(script)
        await asyncio.gather(*self.tasks, return_exceptions=True)
        return {"ended": self.now_ns, "left": self.memory.free}

    async def play(self, script: list[list[Any]]) -> None:
        """Each instruction in turn. What the physical world refuses is noted."""
        for verb, *arguments in script:
            try:
                await getattr(self, f"do_{verb}")(*arguments)
            except OperationError as error:
                self.saw(verb, str(error))

    def saw(self, what: str, value: Any = None) -> None:
        self.record(what, [self.now_ns, value])

    async def limited(self, what: str, timeout_ns: int | None, waiting: Awaitable[Any]) -> Any:
        """Its result, or None when the time is up."""
        try:
            async with asyncio.timeout(None if timeout_ns is None else timeout_ns / 1e9):
                return await waiting
        except TimeoutError:
            self.saw(f"{what}.timeout")
            return None

    def peer(self, number: int) -> str:
        return self.neighbours[number % len(self.neighbours)]

    def a_peer(self, number: int) -> str:
        everyone = sorted([*self.peers, self.name])
        return everyone[number % len(everyone)]

    async def do_sleep(self, ns: int) -> None:
        await asyncio.sleep(ns / 1e9)
        self.saw("slept")

    async def do_compute(self, ns: int) -> None:
        await self.compute(ns / 1e9)

    async def do_send(self, to: int, size: int) -> None:
        await self.send(
            self.a_peer(to), {"from": self.name, "pad": "x" * size}, kind=f"k{size % 2}"
        )

    async def do_broadcast(self) -> None:
        await self.broadcast([self.name, self.now_ns])

    async def do_receive(
        self, source: int | None, kind: str | None, timeout_ns: int | None
    ) -> None:
        wanted = None if source is None else self.a_peer(source)
        message = await self.limited("receive", timeout_ns, self.receive(wanted, kind=kind))
        if message is not None:
            self.saw("received", [message.source, message.seq, message.sent_ns, message.body])

    async def do_task(self, script: list[Instruction]) -> None:
        self.tasks.append(asyncio.create_task(self.play(script)))

    async def do_cancel(self, number: int) -> None:
        if self.tasks:
            self.tasks[number % len(self.tasks)].cancel()

    async def do_group(self, scripts: list[list[Instruction]], timeout_ns: int | None) -> None:
        async def together() -> None:
            async with asyncio.TaskGroup() as group:
                for script in scripts:
                    group.create_task(self.play(script))

        await self.limited("group", timeout_ns, together())

    async def do_draw(self) -> None:
        self.saw("drew", int(self.rng.integers(1 << 30)))

    async def do_entangle(self, peer: int, timeout_ns: int | None, rest_ns: int | None) -> None:
        pair = await self.limited("entangle", timeout_ns, self.entangle(self.peer(peer)))
        if pair is not None:
            self.saw("pair", [pair.id, pair.peer, pair.age_ns])
            if rest_ns is not None:
                await asyncio.sleep(rest_ns / 1e9)
                self.saw("bit", await pair.measure("X"))

    async def do_qubit(self, timeout_ns: int | None, to: int | None) -> None:
        qubit = await self.limited("qubit", timeout_ns, self.qubit())
        if qubit is None:
            return
        await qubit.h()
        if to is None:
            self.saw("bit", await qubit.measure())
        else:
            await self.transmit(qubit, self.peer(to))

    async def do_catch(self, timeout_ns: int | None) -> None:
        qubit = await self.limited("catch", timeout_ns, self.receive_qubit())
        if qubit is not None:
            self.saw("caught", [qubit.source, qubit.arrived_ns, await qubit.measure()])


# --- strategies -----------------------------------------------------------------------------------

#: Few values, so that deadlines, arrivals and faults meet at the same instants.
TIMES = (0, 0, 1, 1000, 1000, 2000, 3000, 5000)
times = st.sampled_from(TIMES)
later = st.sampled_from(TIMES[2:])
timeouts = st.one_of(st.none(), times, times)
numbers = st.integers(0, 5)

_simple = st.one_of(
    st.tuples(st.just("sleep"), times),
    st.tuples(st.just("compute"), times),
    st.tuples(st.just("send"), numbers, st.integers(0, 40)),
    st.just(("broadcast",)),
    st.tuples(
        st.just("receive"), st.none() | numbers, st.sampled_from([None, "k0", "k1"]), timeouts
    ),
    st.tuples(st.just("cancel"), numbers),
    st.just(("draw",)),
    st.tuples(st.just("entangle"), numbers, timeouts, st.none() | times),
    st.tuples(st.just("qubit"), timeouts, st.none() | numbers),
    st.tuples(st.just("catch"), timeouts),
)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    scripts = st.lists(inner, max_size=4)
    return st.one_of(
        st.tuples(st.just("task"), scripts),
        st.tuples(st.just("group"), st.lists(scripts, min_size=1, max_size=3), timeouts),
    )


scripts = st.lists(
    st.one_of(_simple, _simple, _nested(st.one_of(_simple, _nested(_simple)))), max_size=8
)


@st.composite
def links(draw: st.DrawFn, names: list[str]) -> list[LinkSpec]:
    """A line through all nodes and a few chords, so that paths have several hops and equals."""
    chords = st.tuples(st.sampled_from(names), st.sampled_from(names))
    ends = list(itertools.pairwise(names))
    ends += [(a, b) for a, b in draw(st.lists(chords, max_size=3)) if a < b and (a, b) not in ends]
    found = []
    for number, (first, second) in enumerate(dict.fromkeys(ends)):
        entangle = None
        if draw(st.booleans()):
            success = draw(st.sampled_from([0.3, 1.0]))
            multiplexing = draw(st.integers(1, 2))
            attempt_ns = draw(st.sampled_from([1, 500, 1000]))
            entangle = harness.heralding(success, attempt_ns, multiplexing=multiplexing)
        found.append(
            harness.link(
                first,
                second,
                draw(times),
                name=f"link{number}",
                bandwidth_bps=draw(st.sampled_from([None, None, 1e9])),
                entangle=entangle,
                length_km=draw(st.sampled_from([0.0, 0.2])),
            )
        )
    return found


_NODE_FAULTS = ["restart", "pause", "clock_skew"]
_SHARES = ["duplicate", "reorder", "corrupt", "jitter"]


@st.composite
def faults(draw: st.DrawFn, names: list[str], on: list[LinkSpec]) -> FaultSpec:
    """A fault of any kind at one of the times at which other things happen."""
    at_ns, for_ns = draw(times), draw(st.none() | later)
    verb = draw(
        st.sampled_from(
            ["kill", "kill", "cut", "loss", "delay", "bandwidth", *_NODE_FAULTS, *_SHARES]
        )
    )
    if verb == "kill":
        restart = draw(st.none() | times)
        return harness.fault("kill", draw(st.sampled_from(names)), at_ns, restart=restart)
    if verb == "restart":
        return harness.fault("restart", draw(st.sampled_from(names)), at_ns, after=draw(times))
    if verb in _NODE_FAULTS:
        more = {"offset": draw(later) - 2000, "ppm": draw(st.sampled_from([-1e5, 0.0, 1e5]))}
        more = more if verb == "clock_skew" else {"signal": draw(st.integers(0, 1))}
        return harness.fault(verb, draw(st.sampled_from(names)), at_ns, for_ns, **more)
    target = draw(st.sampled_from(on)).name
    if verb in _SHARES:
        more = {"probability": 0.4, "after": draw(times), "by": draw(later), "bits": 2}
        return harness.fault(verb, target, at_ns, for_ns, **more)
    if verb == "bandwidth":
        return harness.fault(verb, target, at_ns, for_ns, to=1e9)
    if verb == "cut":
        only = draw(st.sampled_from([None, "classical", "quantum"]))
        return harness.fault("cut", target, at_ns, for_ns, only=only)
    if verb == "loss":
        return harness.fault("loss", target, at_ns, for_ns, probability=0.4)
    return harness.fault("delay", target, at_ns, for_ns, by=draw(later))


@st.composite
def networks(draw: st.DrawFn) -> Topology:
    """Two to six puppets, some of them services, with faults."""
    names = [f"n{index}" for index in range(draw(st.integers(2, 6)))]
    nodes: dict[str, NodeSpec] = {}
    for name in names:
        nodes[name] = harness.node(
            name,
            f"{__name__}:{Puppet.__name__}",
            with_={"script": draw(scripts)},
            slots=draw(st.integers(1, 3)),
            service=draw(st.sampled_from([False, False, False, True])),
        )
    lines = draw(links(names))
    return harness.network(
        nodes,
        lines,
        draw(st.lists(faults(names, lines), max_size=3)),
        seed=draw(st.integers(0, 3)),
        until_ns=draw(st.sampled_from([None, None, 4000])),
        on_error=draw(st.sampled_from(["stop", "continue"])),
    )


_chat = st.one_of(
    st.tuples(st.just("send"), numbers, st.integers(0, 3)),
    st.just(("broadcast",)),
    st.tuples(st.just("receive"), st.none(), st.none(), st.sampled_from([0, 1000, 5000])),
    st.tuples(st.just("sleep"), later),
)


@st.composite
def chatters(draw: st.DrawFn) -> Topology:
    """Nodes that say much, and are killed while it is on its way."""
    names = [f"n{index}" for index in range(draw(st.integers(2, 4)))]
    nodes = {}
    for name in names:
        script = draw(st.lists(_chat, min_size=6, max_size=14))
        nodes[name] = harness.node(name, f"{__name__}:{Puppet.__name__}", with_={"script": script})
    lines = [harness.link(a, b, draw(later)) for a, b in itertools.pairwise(names)]
    kills = st.builds(
        lambda target, at_ns, restart: harness.fault("kill", target, at_ns, restart=restart),
        st.sampled_from(names),
        st.integers(0, 6).map(lambda half: half * 500),
        st.sampled_from([None, 0, 700]),
    )
    return harness.network(nodes, lines, draw(st.lists(kills, min_size=1, max_size=3)))
