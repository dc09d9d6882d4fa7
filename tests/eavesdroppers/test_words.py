"""What programs of eavesdroppers say to trains: blocks that belong together, and values that cannot be."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from qnetem.agents.agent import Agent
from qnetem.agents.roles.eavesdropper import Eavesdropper
from qnetem.emulator.errors import OperationError
from qnetem.emulator.wire import BLOCK_SLOTS

from ..physics.bench import Ran, play, program

SLOTS = BLOCK_SLOTS + 1000


def text(bits: np.ndarray) -> str:
    return base64.b64encode(np.packbits(bits).tobytes()).decode()


def bits(told: str) -> np.ndarray:
    return np.unpackbits(np.frombuffer(base64.b64decode(told), dtype=np.uint8))[:SLOTS]


class Alice(Agent):
    async def run(self) -> None:
        await self.receive("bob")
        await self.pulses("bob", np.zeros(SLOTS, dtype=np.uint8), bits=0)


class Bob(Agent):
    async def run(self) -> str:
        await self.send("alice")
        clicks = await self.detect("alice", np.zeros(SLOTS, dtype=np.uint8))
        clicked = np.zeros(SLOTS, dtype=np.uint8)
        clicked[clicks.slots] = 1
        return text(clicked)


class Shifts(Eavesdropper):
    async def run(self) -> str:
        return text(await self.shift("alice", "bob"))


class Splits(Eavesdropper):
    async def run(self) -> str:
        stored = await self.split_beam("alice", "bob", share=0.3)
        kept = np.zeros(SLOTS, dtype=np.uint8)
        kept[stored.slots] = 1
        return text(kept)


class Asks(Eavesdropper):
    """Asks for what cannot be."""

    async def run(self) -> list[str]:
        found = []
        for asked in (
            lambda: self.split_beam("alice", "bob", share=1.5),
            lambda: self.split("alice", "bob", forward_several=-0.5),
            lambda: self.split("alice", "bob", forward_singles=2),
        ):
            with pytest.raises(OperationError) as refused:
                await asked()
            found.append(str(refused.value))
        return found


def network(eve: type[Agent], alice: str = "", bob: str = "") -> Ran:
    return play(f"""
nodes:
  alice:
    {alice or f'program: "{program(Alice)}"'}
    source: {{rate: 1 GHz, kind: single_photon, brightness: 1, g2: 0}}
  bob: {{{bob or f'program: "{program(Bob)}"'}, detector: {{mismatch: 0}}}}
  eve: {{kind: eavesdropper, program: "{program(eve)}"}}
links: [{{between: [alice, bob], quantum: {{length: 1 km, attenuation: 0 dB/km}}}}]
faults: [{{at: 0 s, eavesdrop: alice-bob, by: eve}}]
""")


def outcome(eve: type[Agent]) -> tuple[Any, Any]:
    ran = network(eve)
    return bits(ran.results["eve"]), bits(ran.results["bob"])


def test_shifts_of_all_blocks_are_those_of_the_slots_they_name() -> None:
    late, clicked = outcome(Shifts)
    assert 0.49 < late.mean() < 0.51
    assert np.array_equal(clicked, 1 - late)  # detectors of bit 0 see no late light here


def test_a_single_photon_is_kept_or_sent_on_and_never_both() -> None:
    kept, clicked = outcome(Splits)
    assert 0.29 < kept.mean() < 0.31
    assert np.array_equal(clicked, 1 - kept)


def test_shares_that_are_none_are_refused() -> None:
    idle = 'program: "qnetem.agents.roles.endpoint:Endpoint"'
    ran = network(Asks, idle, idle)
    assert [each.rpartition("a share of ")[2] for each in ran.results["eve"]] == [
        "1.5, expected 0 to 1",
        "-0.5, expected 0 to 1",
        "2.0, expected 0 to 1",
    ]
