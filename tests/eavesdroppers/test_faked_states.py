"""Faked states between two ends: what the receiver's own program can see of them."""

from __future__ import annotations

from typing import Any

import pytest

from qnetem.agents.agent import Agent

from ..physics.bench import Ran, assert_frequency, play, program

SLOTS = 200_000
MEAN = 0.5


class Alice(Agent):
    async def run(self) -> None:
        await self.receive("bob")
        await self.pulses("bob", SLOTS, lazy=True)


class Bob(Agent):
    async def run(self, lazy: bool) -> dict[str, Any]:
        await self.send("alice")
        clicks = await self.detect("alice", lazy=lazy)
        return {
            "clicks": len(clicks),
            "doubles": int(clicks.doubles.sum()),
            "bright": clicks.bright,
            "seen": clicks.seen,
        }


def bob(attacked: bool, lazy: bool = False, splitting: str = "") -> tuple[dict[str, Any], Ran]:
    fault = "{at: 0 s, eavesdrop: alice-bob, by: eve}" if attacked else ""
    ran = play(f"""
nodes:
  alice: {{program: "{program(Alice)}", source: {{rate: 1 GHz, intensities: [{MEAN}]}}}}
  bob: {{program: "{program(Bob)}", with: {{lazy: {lazy}}}, detector: {{{splitting}}}}}
  eve:
    kind: eavesdropper
    program: "qnetem.agents.roles.eavesdroppers.faked_states:FakedStates"
    with: {{first: alice, second: bob}}
    service: true
links: [{{between: [alice, bob], quantum: {{length: 1 km, attenuation: 0 dB/km}}}}]
faults: [{fault}]
""")
    return ran.results["bob"], ran


def test_double_clicks_are_gone_and_a_monitor_sees_light_in_every_slot() -> None:
    honest, ran = bob(False)
    assert honest["doubles"] > 0.01 * SLOTS  # of several photons in the other basis
    assert honest["bright"] == 0
    assert "bob.bright_slots" not in ran.outcome.metrics
    found, ran = bob(True)
    assert found["doubles"] == 0
    assert found["bright"] == found["seen"] == ran.count("bob.bright_slots") == SLOTS


@pytest.mark.parametrize("lazy", [False, True])
def test_half_of_what_she_saw_clicks(lazy: bool) -> None:
    found, ran = bob(True, lazy)
    faked = int(ran.series("eve.faked")["mean"])
    assert_frequency(found["clicks"], faked, 0.5)


def test_behind_a_beam_splitter_all_of_it_does() -> None:
    found, ran = bob(True, splitting="splitting: [0.5, 0.5]")
    assert found["clicks"] == ran.series("eve.faked")["mean"]
