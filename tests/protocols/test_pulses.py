"""Pulse trains from program to program, through the real plane."""

from __future__ import annotations

import asyncio
import math
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import qnetem
from qnetem import Agent
from qnetem.agents.protocols.qkd.decoy import Receiver, Sender
from qnetem.emulator.closed_forms import qkd as theory
from qnetem.emulator.closed_forms import transmittance
from qnetem.emulator.errors import OperationError
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.wire import BLOCK_SLOTS

from ..physics.bench import SIGMAS, Ran, assert_frequency, attempt, play, program

Script = Callable[[Any], Awaitable[Any]]
IDEAL = "source: {kind: single_photon, rate: 1 GHz}, detector: {}"


class Scripted(Agent):
    """A program that is a coroutine function of a test."""

    scripts: ClassVar[dict[str, Script]] = {}

    async def run(self, part: str = "") -> Any:
        return await self.scripts[part or self.name](self)


def stage(
    nodes: dict[str, tuple[str, Script]], links: str, more: str = "", seed: int = 1
) -> tuple[str, int]:
    """A topology whose nodes run coroutine functions; a node is (its YAML, its program)."""
    Scripted.scripts = {name: script for name, (_, script) in nodes.items()}
    lines = [
        f"  {name}: {{program: '{program(Scripted)}', {entry}}}"
        for name, (entry, _) in nodes.items()
    ]
    return "\n".join(["nodes:", *lines, f"links: {links}", more]), seed


def run(nodes: dict[str, tuple[str, Script]], links: str, more: str = "", seed: int = 1) -> Ran:
    return play(*stage(nodes, links, more, seed))


def between(*ends: str, **quantum: str) -> str:
    entries = ", ".join(f"{key}: {value}" for key, value in quantum.items())
    return f"{{between: [{', '.join(ends)}], quantum: {{{entries}}}}}"


PLAIN = f"[{between('alice', 'bob', length='2 km', attenuation='0 dB/km')}]"


def listed(**arrays: np.ndarray) -> dict[str, Any]:
    """Arrays as a program may return them, unless the journal would swell."""
    return {key: array.tolist() for key, array in arrays.items() if len(array) < 500_000}


def detecting(source: str = "alice", **how: Any) -> Script:
    """Says that it listens, detects, and tells what it saw."""

    async def script(me: Agent) -> dict[str, Any]:
        await me.send(source)
        clicks = await me.detect(source, **how)
        return {
            **listed(slots=clicks.slots, bits=clicks.bits, bases=clicks.bases),
            "clicks": len(clicks),
            "seen": clicks.seen,
            "start_ns": clicks.start_ns,
            "end_ns": me.now_ns,
        }

    return script


def sending(*what: Any, to: str = "bob", **how: Any) -> Script:
    """Waits until the receiver listens, then sends."""

    async def script(me: Agent) -> dict[str, Any]:
        await me.receive()
        train = await me.pulses(to, *what, **how)
        return {
            **listed(bases=train.bases, bits=train.bits),
            "start_ns": train.start_ns,
            "end_ns": me.now_ns,
        }

    return script


# --- physics --------------------------------------------------------------------------------------


def decoy_text(length_km: float, pulses: int) -> str:
    sender, receiver = program(Sender), program(Receiver)
    return f"""
nodes:
  alice: {{program: "{sender}", with: {{peer: bob, pulses: {pulses}, sample: 1}}, hardware: gys}}
  bob: {{program: "{receiver}", with: {{peer: alice}}, hardware: gys}}
links: [{between("alice", "bob", length=f"{length_km} km", attenuation="0.21 dB/km", depolarising="0.066")}]
"""


def decoy(length_km: float, pulses: int, seed: int = 1) -> Ran:
    return play(decoy_text(length_km, pulses), seed)


@pytest.mark.parametrize(("length_km", "pulses"), [(0, 1_500_000), (50, 8_000_000)])
def test_gains_and_errors_of_gys_are_those_of_its_closed_forms(
    length_km: float, pulses: int
) -> None:
    ran = decoy(length_km, pulses)
    bob, eta = ran.results["bob"], theory.GYS.eta(length_km)
    assert bob == ran.results["alice"]
    for name in ("signal", "decoy_1", "decoy_2"):
        found = bob[name]
        # the closed form adds Y0 where the receiver's chance is 1 - (1-Y0) e^(-eta mu)
        expected = theory.gain(found["mean"], eta, theory.GYS.y0)
        assert_frequency(found["clicks"], found["sent"], expected)
        if found["compared"]:
            qber = theory.qber(found["mean"], eta, theory.GYS.y0, theory.GYS.e_d)
            assert_frequency(found["errors"], found["compared"], qber)
    assert_frequency(bob["sifted"], bob["clicks"], 0.5)


def eavesdropped(eve: Script, alice: Script, bob: Script, entry: str = IDEAL) -> Ran:
    first, second = (
        between(*ends, length="1 km", attenuation="0 dB/km")
        for ends in (("alice", "eve"), ("eve", "bob"))
    )
    nodes = {
        "alice": (entry, alice),
        "bob": (entry, bob),
        "eve": ("kind: eavesdropper", eve),
    }
    return run(nodes, f"[{first}, {second}]")


@pytest.mark.parametrize("fraction", [0.0, 0.4, 1.0])
def test_intercepting_a_share_of_the_pulses_gives_a_quarter_of_it_as_qber(fraction: float) -> None:
    async def eve(me: Agent) -> int:
        return len(await me.intercept("alice", "bob", fraction=fraction))

    slots = 300_000
    ran = eavesdropped(eve, sending(slots), detecting())
    alice, bob = ran.results["alice"], ran.results["bob"]
    assert bob["slots"] == list(range(slots))  # past her, they are neighbours
    same = np.array(alice["bases"]) == np.array(bob["bases"])
    wrong = np.array(alice["bits"]) != np.array(bob["bits"])
    assert_frequency(int(wrong[same].sum()), int(same.sum()), fraction / 4)
    assert_frequency(ran.results["eve"], slots, fraction)


def test_splitting_by_photon_number_shows_in_the_ratio_of_gains_and_tells_every_bit() -> None:
    async def eve(me: Agent) -> Any:
        stored = await me.split("alice", "bob")
        bases = (await me.receive("alice")).body
        bits = await stored.measure(np.array(bases)[stored.slots])
        with pytest.raises(OperationError, match=r"eve#kept1 are gone: measured at"):
            await stored.measure(np.zeros(len(stored), dtype=np.uint8))
        return [stored.slots.tolist(), bits.tolist()]

    async def alice(me: Agent) -> Any:
        await me.receive()
        train = await me.pulses("bob", 400_000)
        await me.send("eve", train.bases.tolist())
        return [train.bits.tolist(), train.intensities.tolist(), train.sent.tolist()]

    entry = "source: {rate: 1 GHz, intensities: [0.5, 0.1]}, detector: {}"
    ran = eavesdropped(eve, alice, detecting(), entry)
    bits, intensities, sent = (np.array(each) for each in ran.results["alice"])
    slots, seen = (np.array(each) for each in ran.results["eve"])
    assert np.array_equal(seen, bits[slots])
    counts = np.bincount(intensities[ran.results["bob"]["slots"]], minlength=2)
    ratio = theory.photon_number_splitting_ratio(0.5, 0.1)
    multi = -math.expm1(-0.5) - 0.5 * math.exp(-0.5)
    assert_frequency(int(counts[0]), int(sent[0]), multi)
    assert_frequency(int(counts[1]), int(sent[1]), multi * ratio)
    assert ratio < 0.2 / 3  # an honest channel would show 0.1/0.5


def test_a_dead_time_lowers_the_rate_as_it_must() -> None:
    dead_slots, slots, mean = 50, 1_000_000, 0.02

    def counted(dead_time: str) -> int:
        nodes = {
            "alice": ("source: {rate: 1 GHz}", all_zero(slots, mean)),
            "bob": (f"detector: {{dead_time: {dead_time}, splitting: [1, 0]}}", detecting()),
        }
        return int(run(nodes, PLAIN).results["bob"]["clicks"])

    chance = -math.expm1(-mean)
    assert_frequency(counted("0 ns"), slots, chance)
    expected = slots * chance / (1 + chance * (dead_slots - 1))
    # the count of a renewal process spreads less than that of independent trials
    assert abs(counted(f"{dead_slots} ns") - expected) < SIGMAS * math.sqrt(expected)


def test_an_emitter_gives_what_of_its_photon_is_collected_in_time_and_now_and_then_a_second() -> (
    None
):
    """All pulses are |+>, measured in Z: of two photons half the pairs make a double click."""
    slots, twice = 400_000, 0.1

    async def alice(me: Agent) -> int:
        await me.receive()
        ones, zeros = (np.full(slots, bit, dtype=np.uint8) for bit in (1, 0))
        return len(await me.pulses("bob", ones, zeros))

    async def bob(me: Agent) -> list[int]:
        await me.send("alice")
        clicks = await me.detect("alice", np.zeros(slots, dtype=np.uint8))
        return [len(clicks), int(clicks.doubles.sum())]

    source = (
        "{kind: emitter, rate: 50 MHz, collection: 0.6, lifetime: 12 ns, window: 15 ns, "
        f"double_excitation: {twice}}}"
    )
    nodes = {"alice": (f"source: {source}", alice), "bob": ("detector: {}", bob)}
    clicks, doubles = run(nodes, PLAIN).results["bob"]
    there = 0.6 * -math.expm1(-15 / 12)
    assert_frequency(clicks, slots, there + twice * there * (1 - there))
    assert_frequency(doubles, slots, twice * there**2 / 2)


def all_zero(slots: int, mean: float) -> Script:
    """All pulses are |0> of one mean photon number."""

    async def script(me: Agent) -> int:
        await me.receive()
        zeros = np.zeros(slots, dtype=np.uint8)
        return len(await me.pulses("bob", zeros, zeros, mean))

    return script


def test_light_of_classical_channels_reaches_the_detectors() -> None:
    slots = 2_000_000
    quantum = {
        "length": "30 km",
        "coexistence": "{filter: 0.2 nm, channels: [{power: 3 dBm, count: 8, wavelength: 1530 nm}]}",
    }
    nodes = {
        "alice": ("source: {rate: 100 MHz}", all_zero(slots, 0.0)),
        "bob": ("detector: {gate: 1 ns, efficiency: 0.5}", detecting()),
    }
    ran = run(nodes, f"[{between('alice', 'bob', **quantum)}]", seed=2)
    way = ran.network.world.quantum.light_channel("alice-bob")
    rate_hz = way.medium.at(0).noise_rate_hz
    assert rate_hz > 1e5
    expected = -math.expm1(-rate_hz * 1e-9 * 0.5)
    assert_frequency(ran.results["bob"]["clicks"], slots, expected)


def test_a_beam_splitter_chooses_the_bases_of_a_passive_receiver() -> None:
    nodes = {
        "alice": (IDEAL, sending(100_000)),
        "bob": ("detector: {splitting: [0.8, 0.2]}", detecting()),
    }
    ran = run(nodes, PLAIN)
    alice, bob = ran.results["alice"], ran.results["bob"]
    assert_frequency(sum(bob["bases"]), 100_000, 0.2)
    same = np.array(alice["bases"]) == np.array(bob["bases"])
    assert np.array_equal(np.array(alice["bits"])[same], np.array(bob["bits"])[same])


def test_intensities_may_be_mean_photon_numbers() -> None:
    async def alice(me: Agent) -> Any:
        await me.receive()
        means = np.tile([0.3, 0.05], 200_000)
        train = await me.pulses("bob", len(means), intensities=means)
        return [train.means, train.sent.tolist()]

    nodes = {"alice": ("source: {rate: 1 GHz}", alice), "bob": ("detector: {}", detecting())}
    ran = run(nodes, PLAIN)
    assert ran.results["alice"] == [[0.05, 0.3], [200_000, 200_000]]
    strong = np.array(ran.results["bob"]["slots"]) % 2 == 0
    assert_frequency(int(strong.sum()), 200_000, -math.expm1(-0.3))
    assert_frequency(int((~strong).sum()), 200_000, -math.expm1(-0.05))


# --- time -----------------------------------------------------------------------------------------


def test_a_train_takes_its_slots_and_the_fibres_delay() -> None:
    slots = BLOCK_SLOTS + 1000
    nodes = {
        "alice": (IDEAL, sending(slots)),
        "bob": ("detector: {dead_time: 40 ns}", detecting()),
    }
    ran = run(nodes, PLAIN)
    alice, bob = ran.results["alice"], ran.results["bob"]
    assert alice["end_ns"] - alice["start_ns"] == slots
    delay_ns = bob["start_ns"] - alice["start_ns"]
    assert delay_ns == 9793  # 2 km
    assert bob["end_ns"] == alice["end_ns"] + delay_ns + 40
    assert bob["seen"] == slots
    assert ran.outcome.instants < 20


def test_blocks_follow_each_other_without_a_gap_when_slots_are_no_whole_ns() -> None:
    entry = "source: {kind: single_photon, rate: 2.5 GHz}"
    nodes = {"alice": (entry, sending(2 * BLOCK_SLOTS + 1)), "bob": ("detector: {}", detecting())}
    ran = run(nodes, PLAIN)
    assert ran.results["bob"]["seen"] == 2 * BLOCK_SLOTS + 1
    alice = ran.results["alice"]
    # the last block is one slot of 0.4 ns: its end is a ns after the second block's
    assert alice["end_ns"] - alice["start_ns"] == -(-2 * BLOCK_SLOTS * 2 // 5) + 1


def test_a_train_that_is_not_awaited_is_lost_and_the_next_one_is_not() -> None:
    async def alice(me: Agent) -> None:
        await me.pulses("bob", 100)
        await me.receive("bob")
        await me.pulses("bob", 200)

    async def bob(me: Agent) -> Any:
        await me.compute("1 ms")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1e-3):
                await me.detect("alice")
        await me.send("alice")
        return (await me.detect("alice")).seen

    ran = run({"alice": (IDEAL, alice), "bob": (IDEAL, bob)}, PLAIN)
    assert ran.results["bob"] == 200
    assert ran.series("links.alice-bob.trains_lost")["count"] == 1


def test_a_receiver_takes_as_many_slots_as_it_wants() -> None:
    for count, seen in ((50, 50), (BLOCK_SLOTS + 7, BLOCK_SLOTS + 7), (3 * BLOCK_SLOTS, None)):
        slots = 2 * BLOCK_SLOTS
        nodes = {"alice": (IDEAL, sending(slots)), "bob": (IDEAL, detecting(count=count))}
        bob = run(nodes, PLAIN).results["bob"]
        assert bob["seen"] == bob["clicks"] == (slots if seen is None else seen)


# --- trouble --------------------------------------------------------------------------------------


def test_a_cut_darkens_exactly_the_slots_it_meets() -> None:
    """Slots that had arrived are there; those in flight and those that leave while it is cut are not."""

    async def alice(me: Agent) -> int:
        await asyncio.sleep(1e-3)
        return (await me.pulses("bob", 2 * BLOCK_SLOTS)).start_ns

    async def bob(me: Agent) -> list[int]:
        return (await me.detect("alice")).slots.tolist()

    more = "faults: [{at: 1500 us, for: 100 us, cut: alice-bob}]"
    ran = run({"alice": (IDEAL, alice), "bob": (IDEAL, bob)}, PLAIN, more)
    delay_ns, start_ns = 9793, ran.results["alice"]
    assert start_ns == 1_000_000
    dark = range(500_000 - delay_ns, 600_000)
    expected = [slot for slot in range(2 * BLOCK_SLOTS) if slot not in dark]
    assert ran.results["bob"] == expected


def test_dark_counts_go_on_where_the_light_is_cut() -> None:
    nodes = {
        "alice": (IDEAL, sending(1_000_000)),
        "bob": ("detector: {efficiency: 0.1, dark_count_rate: 5 MHz}", detecting()),
    }
    more = "faults: [{at: 0 s, for: 1 s, cut: alice-bob, only: quantum}]"
    clicks = run(nodes, PLAIN, more).results["bob"]["clicks"]
    assert_frequency(clicks, 1_000_000, -math.expm1(-2 * 5e-3))


async def nothing(me: Agent) -> None:
    """Does nothing."""


@pytest.mark.parametrize(("at_us", "blocks"), [(400, 1), (400, 5), (1500, 5)])
def test_a_sender_that_dies_has_sent_what_had_left(at_us: int, blocks: int) -> None:
    async def alice(me: Agent) -> None:
        await me.pulses("bob", blocks * BLOCK_SLOTS)

    async def bob(me: Agent) -> list[int]:
        clicks = await me.detect("alice")
        return [clicks.seen, len(clicks)]

    more = f"faults: [{{at: {at_us} us, kill: alice}}]"
    ran = run({"alice": (IDEAL, alice), "bob": (IDEAL, bob)}, PLAIN, more)
    assert ran.results["bob"] == [at_us * 1000, at_us * 1000]


def test_a_receiver_that_dies_stops_no_sender_and_its_successor_gets_the_next_train() -> None:
    async def alice(me: Agent) -> None:
        await me.receive("bob")
        await me.pulses("bob", 3 * BLOCK_SLOTS)
        await me.receive("bob")
        await me.pulses("bob", 77)

    async def bob(me: Agent) -> int:
        await me.send("alice")
        return (await me.detect("alice")).seen

    more = "faults: [{at: 1 ms, kill: bob, restart: 1 ms}]"
    ran = run({"alice": (IDEAL, alice), "bob": (IDEAL, bob)}, PLAIN, more)
    assert ran.results["bob"] == 77


def test_a_cancelled_train_ends_where_it_stood_and_another_may_follow() -> None:
    async def alice(me: Agent) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(300e-6):
                await me.pulses("bob", BLOCK_SLOTS)
        await me.receive("bob")
        await me.pulses("bob", 10)

    async def bob(me: Agent) -> list[int]:
        first = await me.detect("alice")
        await me.send("alice")
        return [first.seen, (await me.detect("alice")).seen]

    ran = run({"alice": (IDEAL, alice), "bob": (IDEAL, bob)}, PLAIN)
    assert ran.results["bob"] == [300_000, 10]


def test_a_train_may_follow_a_cancelled_one_in_the_same_instant() -> None:
    async def alice(me: Agent) -> list[int]:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(300e-6):
                await me.pulses("bob", BLOCK_SLOTS)
        train = await me.pulses("bob", 10)
        return [train.start_ns, me.now_ns]

    async def bob(me: Agent) -> list[int]:
        found = await asyncio.gather(me.detect("alice"), me.detect("alice"))
        return [each.seen for each in found]

    ran = run({"alice": (IDEAL, alice), "bob": (IDEAL, bob)}, PLAIN)
    assert ran.results["alice"] == [300_000, 300_010]
    assert ran.results["bob"] == [300_000, 10]


def test_the_end_of_a_cancelled_block_is_not_taken_for_that_of_the_next_train() -> None:
    """The first train would have ended at 1.05 ms, in the middle of the second one."""

    async def alice(me: Agent) -> list[int]:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(300e-6):
                await me.pulses("bob", BLOCK_SLOTS)
        await me.compute("1 us")
        train = await me.pulses("bob", 1_000_000)
        return [train.start_ns, me.now_ns]

    async def bob(me: Agent) -> None:
        del me

    ran = run({"alice": (IDEAL, alice), "bob": (IDEAL, bob)}, PLAIN)
    assert ran.results["alice"] == [301_000, 1_301_000]


def test_an_eavesdropper_that_dies_ends_the_train_behind_her() -> None:
    async def eve(me: Agent) -> None:
        await me.intercept("alice", "bob")

    first, second = (
        between(*ends, length="1 km", attenuation="0 dB/km")
        for ends in (("alice", "eve"), ("eve", "bob"))
    )
    nodes = {
        "alice": (IDEAL, sending(3 * BLOCK_SLOTS)),
        "bob": (IDEAL, detecting()),
        "eve": ("kind: eavesdropper", eve),
    }
    ran = run(nodes, f"[{first}, {second}]", "faults: [{at: 1500 us, kill: eve}]")
    assert ran.results["bob"]["seen"] == BLOCK_SLOTS


def test_a_run_that_waits_for_pulses_for_ever_says_so() -> None:
    text, seed = stage({"alice": (IDEAL, nothing), "bob": (IDEAL, detecting())}, PLAIN)
    _, outcome = attempt(text, seed)
    assert outcome.problem is not None
    assert "bob waits for pulses from alice" in outcome.problem.text


ZEROS = np.zeros(4, dtype=np.uint8)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("bob", ZEROS, ZEROS[:3]), r"bits: expected an array of shape \(4,\)"),
        (("bob", np.array([0, 1, 2])), "bases: found 2, expected 0 to 1"),
        (("bob", np.array([0.0, 1.0])), "bases: expected whole numbers"),
        (("bob", ZEROS, ZEROS, np.array([0, 1, 2, 3])), "intensities: found 3, expected 0 to 2"),
        (("bob", ZEROS, ZEROS, np.array([0.1, 0.1, 0.1, -1.0])), "from 0 to 200"),
        (("bob", ZEROS, ZEROS, np.arange(20.0)), r"intensities.*shape|at most 16"),
        (("bob", 0), "expected at least 1"),
        (("eve", 4), "no link between them carries photons"),
    ],
)
def test_bad_arrays_are_refused_by_name(arguments: tuple[Any, ...], says: str) -> None:
    async def alice(me: Agent) -> None:
        with pytest.raises(OperationError, match=says):
            await me.pulses(*arguments)

    nodes = {
        "alice": ("source: {rate: 1 GHz}", alice),
        "bob": (IDEAL, nothing),
        "eve": (IDEAL, nothing),
    }
    run(nodes, PLAIN)


def test_without_source_or_detectors_a_node_is_told_what_it_lacks() -> None:
    async def alice(me: Agent) -> None:
        with pytest.raises(OperationError, match="alice has no source"):
            await me.pulses("bob", 4)
        with pytest.raises(OperationError, match="alice has no detectors"):
            await me.detect("bob")
        with pytest.raises(OperationError, match="a share of 2"):
            await me.intercept("bob", "bob", fraction=2)

    run({"alice": ("", alice), "bob": ("", nothing)}, PLAIN)


def test_bases_that_do_not_fit_the_receiver_are_refused() -> None:
    async def active(me: Agent) -> None:
        with pytest.raises(OperationError, match="bases: found 2"):
            await me.detect("alice", np.array([0, 2]))
        with pytest.raises(OperationError, match="expected at least 1"):
            await me.detect("alice", count=0)

    async def passive(me: Agent) -> None:
        with pytest.raises(OperationError, match="a beam splitter chooses"):
            await me.detect("bob", ZEROS)

    nodes = {"alice": ("detector: {splitting: [0.5, 0.5]}", passive), "bob": (IDEAL, active)}
    run(nodes, PLAIN)


# --- the whole ------------------------------------------------------------------------------------


def test_ten_million_pulses_pass_in_bounded_memory() -> None:
    """Sender, emulator and receiver in one process; one array of the train alone would be 10 MB."""

    async def alice(me: Agent) -> int:
        await me.receive()
        return len(await me.pulses("bob", 10_000_000))

    async def bob(me: Agent) -> int:
        await me.send("alice")
        return (await me.detect("alice")).seen

    nodes = {"alice": ("source: {rate: 1 GHz}", alice), "bob": ("hardware: snspd", bob)}
    links = f"[{between('alice', 'bob', length='50 km')}]"
    run({**nodes, "alice": ("source: {rate: 1 GHz}", nothing), "bob": ("", nothing)}, links)
    text = stage(nodes, links)
    tracemalloc.start()
    try:
        assert play(*text).results["bob"] == 10_000_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40e6


@pytest.mark.processes
def test_processes_and_one_process_agree_on_every_click(tmp_path: Path, mosquitto: str) -> None:
    text, seed = decoy_text(10, 300_000), 3
    topology = parse_topology(f"name: trains\nseed: {seed}\n{text}")
    apart = qnetem.run(topology, runs_folder=tmp_path, broker="mosquitto")
    together = qnetem.run(topology, runs_folder=tmp_path, in_process=True)
    assert apart.problem is None
    assert apart.results["bob"]["clicks"] > 1000
    assert (apart.digest, apart.results) == (together.digest, together.results)


def test_same_seed_same_digest_and_another_seed_other_clicks() -> None:
    first, again, other = (decoy(0, 50_000, seed) for seed in (1, 1, 2))
    assert first.digest == again.digest != other.digest
    assert first.results == again.results != other.results


def test_transmittance_of_the_fibre_is_what_is_left() -> None:
    slots = 400_000
    nodes = {"alice": (IDEAL, sending(slots)), "bob": (IDEAL, detecting())}
    ran = run(nodes, f"[{between('alice', 'bob', length='20 km')}]")
    clicks = ran.results["bob"]["clicks"]
    assert_frequency(clicks, slots, transmittance(20, 0.2, 0))
