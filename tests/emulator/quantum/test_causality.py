"""What one end does reaches the other not before light can.

Two runs that agree on all that bob does before T, and on everything else, are one run for alice until T plus
light's time between them: the same grants, results, messages and refusals at the same instants, whatever bob
does or suffers from T on. Outcomes of measurements are left out: those of entangled qubits depend on what has
been measured before, and tell nothing each by itself.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qnetem import Agent
from qnetem.agents.roles.eavesdropper import Eavesdropper
from qnetem.emulator.closed_forms import fibre_latency_ns
from qnetem.emulator.errors import OperationError
from qnetem.emulator.topology.model.entangle import ClickDetectorSpec, DetectionSpec, EntangleSpec
from qnetem.emulator.topology.model.faults import FaultSpec
from qnetem.emulator.topology.model.pulse_sections import DetectorSpec, SourceSpec
from qnetem.emulator.topology.model.topology import (
    Classical,
    LinkSpec,
    Memory,
    Quantum,
    Topology,
)

from ...counts import count
from ...harness import fault, network, node, run

LENGTH_KM = 100.0
#: Alice's and bob's distance in time: the way by charlie is longer.
LIGHT_NS = fibre_latency_ns(LENGTH_KM)
#: Beyond it no command begins, but what has begun continues.
BUSY_NS = 3 * LIGHT_NS
#: What the journal says of these is left out: see the module's head.
UNCERTAIN = ("measure", "bell_measure", "detect")

KINDS: dict[str, dict[str, Any]] = {
    "short attempts": {"success": 0.2, "fidelity": 0.9, "attempt_ns": 20_000},
    "long attempts": {"success": 0.5, "fidelity": 0.9, "attempt_ns": LIGHT_NS * 5 // 4},
    "single click": {
        "kind": "single_click",
        "alpha": 0.5,
        "detection": DetectionSpec(first=0.9, second=0.7),
        "detector": ClickDetectorSpec(window_ps=1000),
        "station": 0.2,
    },
    "double click": {
        "kind": "double_click",
        "detection": DetectionSpec(first=1.0, second=1.0),
        "detector": ClickDetectorSpec(window_ps=1000),
        "station": 0.7,
    },
    "midpoint source": {
        "kind": "midpoint_source",
        "clock_ns": 30_000,
        "pair_probability": 0.3,
        "station": 0.3,
    },
}


@dataclass(frozen=True)
class Command:
    """What an end does at a time, and for how long at most (None: until it is done)."""

    at_ns: int
    verb: str
    for_ns: int | None = None

    @property
    def until_ns(self) -> int | None:
        return None if self.for_ns is None else self.at_ns + self.for_ns


@dataclass(frozen=True)
class Scene:
    """`alice` and `bob`: what their programs do; `of_bob`: faults of bob; `others`: of links, and eve's."""

    kind: str
    alice: tuple[Command, ...]
    bob: tuple[Command, ...]
    of_bob: tuple[FaultSpec, ...] = ()
    others: tuple[FaultSpec, ...] = ()
    seed: int = 1
    multiplexing: int = 1
    slots: int = 4
    attenuation: float = 0.0

    def before(self, t_ns: int) -> Scene:
        """The scene in which bob does and suffers nothing from `t_ns` on, but what he is at."""
        kept = tuple(
            replace(each, for_ns=None if (each.until_ns or 0) >= t_ns else each.for_ns)
            for each in self.bob
            if each.at_ns < t_ns
        )
        faults = [replaced for each in self.of_bob if (replaced := _before(each, t_ns)) is not None]
        return replace(self, bob=kept, of_bob=tuple(faults))

    def topology(self, until_ns: int, seen: list[Any]) -> Topology:
        memory = Memory(slots=self.slots, t2_ns=50_000_000)
        eyes = DetectorSpec(efficiency=0.6)
        laser = SourceSpec(rate_hz=1e6, intensities=[0.8], probabilities=[1.0])
        pairs = SourceSpec(kind="spdc", rate_hz=1e6, mean_pairs=0.7)
        ends = {"memory": memory, "source": laser, "detector": eyes}
        nodes = {
            "alice": node("alice", program(self.alice, "bob", seen), **ends),
            "bob": node("bob", program(self.bob, "alice", []), **ends),
            "charlie": node("charlie", source, source=pairs),
            "eve": node("eve", echo, kind="eavesdropper", service=True),
        }
        spec = EntangleSpec(**KINDS[self.kind], multiplexing=self.multiplexing)
        links = [between("alice", "bob", entangle=spec, attenuation_db_per_km=self.attenuation)]
        # By its link's name bob looks at a pair before alice does.
        links += [between(end, "charlie", attenuation_db_per_km=0.0) for end in ("bob", "alice")]
        links[-1] = links[-1].model_copy(update={"name": "charlie-alice"})
        faults = sorted((*self.of_bob, *self.others), key=lambda each: each.at_ns)
        return network(nodes, links, faults, until_ns=until_ns, seed=self.seed)


def _before(spec: FaultSpec, t_ns: int) -> FaultSpec | None:
    """A fault as far as it is before `t_ns`: one that has begun does not heal from then on."""
    if spec.at_ns >= t_ns:
        return None
    if spec.for_ns is None or spec.at_ns + spec.for_ns < t_ns:
        return spec
    return spec.model_copy(update={"for_ns": None})


def between(first: str, second: str, **quantum: Any) -> LinkSpec:
    return LinkSpec(
        name=f"{first}-{second}",
        ends=(first, second),
        quantum=Quantum(length_km=LENGTH_KM, **quantum),
        classical=Classical(latency_ns=LIGHT_NS),
    )


# --- programs -------------------------------------------------------------------------------------


def program(commands: tuple[Command, ...], peer: str, seen: list[Any]) -> Any:
    """Each command is a task of its own; what comes of it is noted with its instant."""

    async def one(me: Agent, number: int, command: Command) -> None:
        def note(*what: Any) -> None:
            seen.append((me.now_ns, number, command.verb, *what))

        await asyncio.sleep((command.at_ns - me.now_ns) / 1e9)
        try:
            async with asyncio.timeout(command.for_ns and command.for_ns / 1e9):
                await VERBS[command.verb](me, peer, note)
        except TimeoutError:
            note("cancelled")
        except OperationError as refusal:
            note(type(refusal).__name__, str(refusal))

    async def script(me: Agent) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for number, command in enumerate(commands):
                    if command.at_ns >= me.now_ns:
                        group.create_task(one(me, number, command))
                group.create_task(hear(me))
                await asyncio.sleep(1)
        except* Left:
            pass

    async def hear(me: Agent) -> None:
        while True:
            message = await me.receive()
            seen.append((me.now_ns, message.source, message.body, message.sent_ns))

    return script


async def entangle(me: Agent, peer: str, note: Any) -> None:
    pair = await me.entangle(peer)
    note(pair.id, pair.age_ns, pair.goodness, pair.bell, me.memory.free)
    await me.probe("held", pair)
    await asyncio.sleep(LIGHT_NS / 3e9)
    await pair.measure("X")
    note("measured")


async def entangle_raw(me: Agent, peer: str, note: Any) -> None:
    pair = await me.entangle(peer, raw=True)
    note(pair.id, pair.age_ns, pair.bell)
    await pair.discard()


async def transmit(me: Agent, peer: str, note: Any) -> None:
    """Half of a local pair; what became of it is asked for later, by all ways there are."""
    kept, sent = await me.qubit(), await me.qubit()
    await kept.h()
    await kept.cx(sent)
    await me.transmit(sent, peer)
    for _ in range(12):
        await asyncio.sleep(LIGHT_NS / 4e9)
        await me.probe("kept", kept)
        try:
            await sent.x()
        except OperationError as refusal:
            note(str(refusal))
    await kept.measure()
    note("measured")


async def receive_qubit(me: Agent, peer: str, note: Any) -> None:
    qubit = await me.receive_qubit(peer)
    note("arrived", qubit.arrived_ns)
    await qubit.measure()


async def pulses(me: Agent, peer: str, note: Any) -> None:
    train = await me.pulses(peer, 100)
    note("sent", len(train), train.start_ns)


async def detect(me: Agent, peer: str, note: Any) -> None:
    clicks = await me.detect(peer)
    note("seen", clicks.seen, clicks.slots.tolist(), clicks.bits.tolist())


async def detect_pairs(me: Agent, _: str, note: Any) -> None:
    clicks = await me.detect("charlie")
    note("seen", clicks.seen, clicks.slots.tolist())


async def grow(me: Agent, peer: str, note: Any) -> None:
    """A half becomes part of a larger state, and is looked at by all ways there are."""
    pair, more = await me.entangle(peer), [await me.qubit()]
    note(pair.id)
    await pair.qubit.cx(more[0])
    await me.probe("grown", pair)
    await pair.qubit.reset()
    await me.probe("grown", more[0])
    await me.bell_measure(pair, more[0])
    note("measured")


async def leave(me: Agent, peer: str, note: Any) -> None:
    """The whole program ends, with all that it still waits for."""
    raise Left


class Left(Exception):
    """The program is to end."""


async def send(me: Agent, peer: str, note: Any) -> None:
    await me.send(peer, me.now_ns)
    note("sent")


VERBS = {
    verb.__name__: verb
    for verb in (
        entangle,
        entangle_raw,
        transmit,
        receive_qubit,
        pulses,
        detect,
        detect_pairs,
        grow,
        leave,
        send,
    )
}


async def source(me: Agent) -> None:
    """A train of pairs every light time or so."""
    while True:
        await me.pair_pulses("alice", "bob", 300)
        await asyncio.sleep(LIGHT_NS / 2e9)


async def echo(me: Any) -> None:
    """Whatever eve takes or hears of one end she says to the other."""

    async def light(taken: str, to: str) -> None:
        while True:
            qubit = await me.receive_qubit(taken)
            await Eavesdropper.forge(me, taken, to, "seized")
            await me.transmit(qubit, to)

    async def words() -> None:
        while True:
            message = await me.receive()
            await Eavesdropper.forge(me, message.source, message.destination, "echo")

    async with asyncio.TaskGroup() as group:
        group.create_task(light("alice", "bob"))
        group.create_task(light("bob", "alice"))
        group.create_task(words())


# --- what alice sees ------------------------------------------------------------------------------


def of_alice(scene: Scene, until_ns: int) -> tuple[list[Any], list[Any]]:
    """What her program saw, and her journal without what is uncertain."""
    seen: list[Any] = []
    ran = run(scene.topology(until_ns, seen))
    assert ran.outcome.problem is None, ran.outcome.problem
    uncertain, events = set(), []
    for t_ns, m, _, kind, *fields in ran.of("alice"):
        if kind == "operation" and fields[1] in UNCERTAIN:
            uncertain.add(fields[0])
        if kind in ("result", "dropped") and fields[0] in uncertain:
            fields = fields[:1]
        if kind == "undelivered":  # her program is not told, nor anything of hers
            continue
        if kind == "fidelity":  # god's eye
            fields = fields[:1]
        events.append((t_ns, m, kind, *fields))
    return seen, events


def check(scene: Scene, t_ns: int) -> list[Any]:
    """Both runs are one for alice before light comes; what she has seen."""
    until_ns = t_ns + LIGHT_NS - 1
    seen, events = of_alice(scene, until_ns)
    seen_without, events_without = of_alice(scene.before(t_ns), until_ns)
    assert seen == seen_without
    assert events == events_without
    return seen


# --- one action at a time -------------------------------------------------------------------------

#: Bob acts while light of his, and heralds, are on their way.
ACTS_NS = 2 * LIGHT_NS // 3


def at_times(verb: str, *at_ns: int) -> tuple[Command, ...]:
    return tuple(Command(each, verb) for each in at_ns)


ASKS = at_times("entangle", 0, 5_000, 100_000, ACTS_NS - 1_000)
ALICE = (
    *at_times("entangle", 0, 50_000, 200_000, ACTS_NS, LIGHT_NS),
    *at_times("transmit", 0),
    *at_times("receive_qubit", 0),
    *at_times("pulses", ACTS_NS - 50_000),
    *at_times("detect_pairs", 0, 2 * LIGHT_NS),
)
PLAIN = Scene("short attempts", ALICE, ASKS, slots=8, multiplexing=2)
LOST = fault("lost_herald", "alice-bob", 0, None, probability=0.5)
EVE = fault("eavesdrop", "alice-bob", 0, None, by="eve", classical="tap")


def suffering(verb: str, for_ns: int | None = None, **parameters: Any) -> Scene:
    return replace(PLAIN, of_bob=(fault(verb, "bob", ACTS_NS, for_ns, **parameters),))


def doing(verb: str, *others: FaultSpec) -> Scene:
    return replace(PLAIN, bob=(*ASKS, Command(ACTS_NS, verb)), others=others)


GIVING_UP = replace(PLAIN, bob=tuple(replace(each, for_ns=ACTS_NS - each.at_ns) for each in ASKS))
ACTIONS = {
    "withdraws": GIVING_UP,
    "withdraws while heralds are lost": replace(GIVING_UP, others=(LOST,)),
    "asks while heralds are lost": doing("entangle", LOST),
    "dies": suffering("kill"),
    "dies and comes back": suffering("restart", after=10_000.0),
    "leaves": doing("leave"),
    "spoils its half": doing("grow"),
    "is paused": suffering("pause", 100_000),
    "loses its memory": suffering("memory_reset"),
    "detects": doing("detect_pairs"),
    "asks for what alice sends": doing("receive_qubit"),
    "transmits past eve": doing("transmit", EVE),
    "speaks past eve": doing("send", EVE),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_kind_of_link_tells_what_an_end_does_before_light_can(kind: str) -> None:
    for action in ("withdraws", "withdraws while heralds are lost", "asks while heralds are lost"):
        seen = check(replace(ACTIONS[action], kind=kind), ACTS_NS)
        assert seen, action


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_no_service_and_no_fault_of_a_node_tells_it(action: str) -> None:
    for seed in range(2):
        seen = check(replace(ACTIONS[action], seed=seed), ACTS_NS)
        assert any(each[2] == "entangle" for each in seen)


# --- scenes ---------------------------------------------------------------------------------------

TIMES = st.integers(0, BUSY_NS)
#: Pairs are most of what ends do together.
VERB = st.sampled_from([*sorted(VERBS), *["entangle"] * 6])
COMMANDS = st.builds(Command, TIMES, VERB, st.one_of(st.none(), st.integers(1, BUSY_NS)))
LASTING = st.one_of(st.none(), st.integers(1, BUSY_NS))


def of(target: str, verb: str, **parameters: Any) -> st.SearchStrategy[FaultSpec]:
    return st.builds(
        lambda at_ns, for_ns: fault(verb, target, at_ns, for_ns, **parameters), TIMES, LASTING
    )


def once(verb: str, **parameters: Any) -> st.SearchStrategy[FaultSpec]:
    return st.builds(lambda at_ns: fault(verb, "bob", at_ns, **parameters), TIMES)


OF_BOB = st.one_of(
    once("kill"),
    once("restart", after=100_000.0),
    once("memory_reset"),
    of("bob", "pause"),
    of("bob", "decohere", t2=100_000.0),
    of("bob", "source_off"),
    of("bob", "blind"),
    of("bob", "dark_counts", rate=1e6),
    of("bob", "clock_skew", offset=5_000.0, ppm=100.0),
)
OTHERS = st.one_of(
    of("alice-bob", "cut"),
    of("alice-bob", "loss_db", loss=3.0),
    of("alice-bob", "lost_herald", probability=0.5),
    of("alice-bob", "lost_herald", probability=0.5, end="alice"),
    of("alice-bob", "false_herald", probability=0.5),
    of("alice-bob", "eavesdrop", by="eve", classical="tap"),
    of("alice-bob", "eavesdrop", by="eve", classical="intercept"),
)


def several(each: Any, most: int) -> Any:
    return st.lists(each, max_size=most).map(tuple)


SCENES = st.builds(
    Scene,
    st.sampled_from(sorted(KINDS)),
    several(COMMANDS, 6),
    several(COMMANDS, 6),
    several(OF_BOB, 1),
    several(OTHERS, 2),
    st.integers(0, 1000),
    st.integers(1, 3),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.01]),
)


@pytest.mark.campaign
@settings(
    max_examples=count(300),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(SCENES, TIMES)
def test_alice_learns_of_nothing_that_bob_does_before_light_can(scene: Scene, t_ns: int) -> None:
    check(scene, t_ns)
