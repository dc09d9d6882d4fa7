"""Faults in the middle of long trains, from program to program: several blocks, and arms of pairs."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import numpy as np
import pytest

from qnetem import Agent
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.wire import BLOCK_SLOTS
from qnetem.inprocess.network import InProcessNetwork

from ..physics.bench import Ran, assert_frequency, play, program

#: Slots of 1 us: a second of them, the fault in the tenth of a second around the end of the first block.
SLOTS = 1_200_000
LOW, HIGH = 1_000_000, 1_100_000
assert LOW < BLOCK_SLOTS < HIGH


class Sender(Agent):
    """One train of |0>."""

    async def run(self) -> None:
        await self.receive()
        zeros = np.zeros(SLOTS, dtype=np.uint8)
        await self.pulses("bob", zeros, zeros, zeros)


class PairSender(Agent):
    """One train of pairs, to bob and carol."""

    async def run(self) -> None:
        for _ in range(2):
            await self.receive()
        await self.pair_pulses("bob", "carol", SLOTS)


class Watcher(Agent):
    """Clicks before, during and after, in the first thousandths round each edge too, and their slots' sum."""

    async def run(self) -> dict[str, Any]:
        await self.send("alice")
        clicks = await self.detect("alice", np.zeros(SLOTS, dtype=np.uint8))
        edges = [0, LOW - 100, LOW, LOW + 100, HIGH - 100, HIGH, HIGH + 100, SLOTS]
        counts, _ = np.histogram(clicks.slots, edges)
        return {
            "counts": counts.tolist(),
            "slots": clicks.slots[clicks.slots >= LOW - 50][:5000].tolist(),
        }


class Idle(Agent):
    async def run(self) -> None:
        await asyncio.sleep(0)


def text(faults: str, alice: str, source: str, detector: str = "") -> str:
    links = ", ".join(
        f"{{between: [alice, {name}], quantum: {{length: 0 km}}, classical: {{latency: 0 ns}}}}"
        for name in ("bob", "carol")
    )
    eyes = f"detector: {{{detector}}}"
    return f"""
nodes:
  alice: {{program: '{alice}', source: {{rate: 1 MHz, {source}}}}}
  bob: {{program: '{program(Watcher)}', {eyes}}}
  carol: {{program: '{program(Watcher if "Pair" in alice else Idle)}', {eyes}}}
links: [{links}]
faults: [{faults}]
"""


def prepared(faults: str, **how: str) -> list[int]:
    """Clicks of bob's between the edges, of a train of one photon a slot."""
    source = "kind: single_photon, brightness: 1"
    counts: list[int] = play(text(faults, program(Sender), source, **how)).results["bob"]["counts"]
    return counts


ALL = [LOW - 100, 100, 100, HIGH - LOW - 200, 100, 100, SLOTS - HIGH - 100]
NONE_WITHIN = [*ALL[:2], 0, 0, 0, *ALL[5:]]


@pytest.mark.parametrize(
    "what", ["loss_db: alice-bob, by: 1000 dB", "source_off: alice", "blind: bob"]
)
def test_it_is_exact_at_the_slot_also_across_blocks(what: str) -> None:
    assert prepared(f"{{at: 1 s, for: 100 ms, {what}}}") == NONE_WITHIN
    assert prepared("") == ALL


def test_a_fault_that_never_heals_lasts_to_the_end() -> None:
    assert prepared("{at: 1 s, blind: bob}") == [*ALL[:2], 0, 0, 0, 0, 0]


def test_faults_one_within_the_other_add_up_and_end_one_by_one() -> None:
    counts = prepared(
        "{at: 1 s, for: 100 ms, loss_db: alice-bob, by: 3 dB}, "
        "{at: 1000100 us, for: 99800 us, loss_db: alice-bob, by: 7 dB}"
    )
    assert (counts[0], counts[1], counts[5], counts[6]) == (ALL[0], 100, 100, ALL[6])
    assert_frequency(counts[3], ALL[3], 0.1)
    assert_frequency(counts[2] + counts[4], 200, 10**-0.3)


def test_clicks_outside_are_the_same_ones_as_without_the_fault() -> None:
    """Lossy slots draw for the same photons: who is not struck does not see that others are."""
    source = "intensities: [0.5]"
    runs = [
        play(text(faults, program(Sender), source)).results["bob"]["counts"]
        for faults in ("", "{at: 1 s, for: 100 ms, dark_counts: bob, rate: 100 kHz}")
    ]
    for at in (0, 1, 5, 6):
        assert runs[0][at] == runs[1][at]
    assert runs[1][3] > runs[0][3]


# --- arms of pairs --------------------------------------------------------------------------------


def coincident(faults: str, fidelity: str = "1") -> Ran:
    source = f"kind: spdc, mean_pairs: 0.05, fidelity: {fidelity}"
    return play(text(faults, program(PairSender), source))


def test_a_source_of_pairs_that_is_off_leaves_both_arms_dark() -> None:
    ran = coincident("{at: 1 s, for: 100 ms, source_off: alice}")
    for name in ("bob", "carol"):
        counts = ran.results[name]["counts"]
        assert counts[2:5] == [0, 0, 0]
        assert counts[0] > 0 and counts[6] > 0


def test_loss_of_one_arm_leaves_the_other_as_it_was() -> None:
    plain, lossy = (
        coincident(faults).results
        for faults in ("", "{at: 1 s, for: 100 ms, loss_db: alice-bob, by: 10 dB}")
    )
    assert lossy["carol"] == plain["carol"]
    seen, partners = (set(lossy[name]["slots"]) for name in ("bob", "carol"))
    within = {slot for slot in partners if LOW <= slot < HIGH}
    assert_frequency(len(seen & within), len(within), 0.1)


def digest(faults: str) -> str:
    topology = parse_topology(f"name: x\n{text(faults, program(Sender), 'intensities: [0.2]')}")
    network = InProcessNetwork(topology, log_stream=lambda node, incarnation: io.StringIO())
    outcome = network.run()
    assert outcome.problem is None
    return outcome.digest


def test_a_run_repeats() -> None:
    faults = (
        "{at: 1 s, for: 100 ms, clouds: alice-bob, loss: 10 dB, cover: 0.5, passage: 5 ms}, "
        "{at: 1050 ms, for: 100 ms, dark_counts: bob, rate: 10 kHz}"
    )
    assert digest(faults) == digest(faults) != digest("")
