"""A link's gate, whatever light it is that crosses the link."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qnetem.agents.agent import Agent
from qnetem.emulator.errors import OperationError
from qnetem.emulator.loading import parse_topology
from qnetem.expect.predictions import functions

from .bench import assert_frequency, play, program

SLOTS = 20_000
#: Gaussian pulses of 20 ps are 33.68 ps long after 50 km at 17 ps/(nm km).
FIBRE = (
    "{length: 50 km, attenuation: 0 dB/km, pmd: 0 ps/sqrt(km), "
    "pulse: {wavelength: 1550 nm, duration: 20 ps}, gate: 60 ps}"
)
KEPT = math.erf(60 / (2 * math.sqrt(2) * math.hypot(20, 21.68 * 50 / 40)))


class Sender(Agent):
    """One train of single photons."""

    async def run(self, to: str = "bob", ready: str = "bob") -> None:
        await self.receive(ready, kind="ready")
        await self.pulses(to, SLOTS)


class Receiver(Agent):
    """Counts a train's clicks."""

    async def run(self, source: str = "alice") -> int:
        await self.send("alice", kind="ready")
        return len(await self.detect(source))


class Charlie(Agent):
    """Pairs for the two ends of two links."""

    async def run(self) -> None:
        for end in ("alice", "bob"):
            await self.receive(end, kind="ready")
        await self.pair_pulses("alice", "bob", SLOTS)


class End(Agent):
    """The slots in which an arm clicked."""

    async def run(self) -> list[int]:
        await self.send("charlie", kind="ready")
        return (await self.detect("charlie")).slots.tolist()


class Eve(Agent):
    """Measures what comes and sends it on."""

    async def run(self) -> int:
        return len(await self.intercept("alice", "bob"))


class Splitter(Agent):
    """Keeps photons, and measures them."""

    async def run(self) -> list[int]:
        stored = await self.split("alice", "bob")
        await self.compute("1 ms")
        bits: list[int] = (
            await stored.measure(np.zeros(len(stored.slots), dtype=np.uint8))
        ).tolist()
        return bits


def nodes(**more: tuple[type[Agent], str]) -> str:
    rows = [
        f"  {name}: {{program: '{program(kind)}', {rest}}}" for name, (kind, rest) in more.items()
    ]
    return "nodes:\n" + "\n".join(rows) + "\n"


def links(*pairs: str, fibre: str = FIBRE) -> str:
    rows = [
        f"  - {{between: [{pair}], quantum: {fibre}, classical: {{latency: 1 ms}}}}"
        for pair in pairs
    ]
    return "links:\n" + "\n".join(rows) + "\n"


SINGLE = "source: {kind: single_photon}"
CLICKS = "detector: {efficiency: 1}"


def test_the_spread_is_the_one_that_dispersion_gives() -> None:
    assert pytest.approx(0.6269, abs=2e-4) == KEPT
    topology = parse_topology("name: x\nnodes: {alice: , bob: }\n" + links("alice, bob"))
    found = functions(topology)["transmittance"]("alice-bob")
    assert found == pytest.approx(KEPT, rel=1e-3)


def test_a_train_of_pulses_passes_the_gate_as_photons_do() -> None:
    text = nodes(alice=(Sender, SINGLE), bob=(Receiver, CLICKS)) + links("alice, bob")
    assert_frequency(play(text).results["bob"], SLOTS, KEPT)


def test_both_arms_of_pairs_pass_the_gates_of_their_links() -> None:
    ends = dict.fromkeys(("alice", "bob"), (End, CLICKS))
    source = "source: {kind: spdc, mean_pairs: 0.2, statistics: poisson, rate: 1 GHz}"
    ran = play(
        nodes(charlie=(Charlie, source), **ends)
        + links("charlie, alice", "charlie, bob")
        + "  - {between: [alice, bob], quantum: none, classical: {latency: 1 ms}}\n"
    )
    slots = {name: set(ran.results[name]) for name in ("alice", "bob")}
    for name in ("alice", "bob"):
        assert_frequency(len(slots[name]), SLOTS, -math.expm1(-0.2 * KEPT))
    lone = [math.exp(-0.2 * KEPT), math.exp(-0.2 * (1 - (1 - KEPT) ** 2))]
    assert_frequency(len(slots["alice"] & slots["bob"]), SLOTS, 1 - 2 * lone[0] + lone[1])


def test_an_eavesdropper_gets_what_passes_and_her_light_passes_the_next_gate() -> None:
    eve = "kind: eavesdropper"
    ran = play(
        nodes(
            alice=(Sender, f"with: {{to: eve}}, {SINGLE}"),
            eve=(Eve, eve),
            bob=(Receiver, CLICKS),
        )
        + links("alice, eve", "eve, bob")
        + "  - {between: [alice, bob], quantum: none, classical: {latency: 1 ms}}\n"
    )
    assert_frequency(ran.results["eve"], SLOTS, KEPT)
    assert_frequency(ran.results["bob"], SLOTS, KEPT**2)


def split(memory: str) -> Any:
    laser = "source: {kind: weak_coherent, intensities: [2.0]}"
    return play(
        nodes(
            alice=(Sender, f"with: {{to: eve}}, {laser}"),
            eve=(Splitter, f"kind: eavesdropper, memory: {{{memory}}}"),
            bob=(Receiver, CLICKS),
        )
        + links("alice, eve", "eve, bob")
        + "  - {between: [alice, bob], quantum: none, classical: {latency: 1 ms}}\n"
    )


def test_kept_photons_have_passed_the_gate_and_relax_in_her_memory() -> None:
    """Pulses of mean 2; all she keeps is |0> once it has relaxed, whatever was sent."""
    ran, mean = split("t1: 1 us"), 2 * KEPT
    assert_frequency(len(ran.results["eve"]), SLOTS, 1 - math.exp(-mean) * (1 + mean))
    assert not any(ran.results["eve"])
    assert_frequency(sum(split("").results["eve"]), len(ran.results["eve"]), 0.5)


def test_a_memory_with_a_cutoff_keeps_no_photons_of_trains() -> None:
    with pytest.raises((OperationError, AssertionError), match="cutoff"):
        split("cutoff: 1 ms")


def test_stray_light_passes_the_gate_too() -> None:
    """Backscattered Raman light alone, in free-running detectors: the gate leaves 60 ps of a slot of 1 ns."""
    raman = "coexistence: {filter: 1 nm, channels: [{power: 6 dBm, direction: counter, rho: 3e-9 /km/nm}]}"
    clicks = []
    for gate in ("gate: 60 ps", "gate: none"):
        fibre = FIBRE.replace("gate: 60 ps", f"{gate}, {raman}").replace("0 dB/km", "0.2 dB/km")
        dark = "source: {kind: weak_coherent, intensities: [0]}"
        text = nodes(alice=(Sender, dark), bob=(Receiver, CLICKS)) + links(
            "alice, bob", fibre=fibre
        )
        clicks.append(-math.log1p(-play(text).results["bob"] / SLOTS))
    assert clicks[0] * SLOTS > 400
    spread = 3 * math.sqrt(1 / (SLOTS * clicks[0]) + 1 / (SLOTS * clicks[1]))
    assert clicks[0] / clicks[1] == pytest.approx(0.06, rel=spread)
