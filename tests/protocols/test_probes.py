"""What a probe sees when the other end is broken, or ahead; and that the program never learns of it."""

from __future__ import annotations

import asyncio

from qnetem import Agent

from ..physics.bench import Ran, play, program

PAIR_MS = 10


class Prober(Agent):
    """Asks for `pairs` pairs, probes each, and measures it after `keeps_ms`."""

    async def run(self, peer: str, pairs: int = 4, keeps_ms: float = 0) -> int:
        for _ in range(pairs):
            pair = await self.entangle(peer)
            await asyncio.sleep(keeps_ms / 1e3)
            await self.probe("pair", pair)
            await pair.measure()
        return pairs


def run(fault: str, alice: str = "", bob: str = "") -> Ran:
    return play(f"""
nodes:
  alice: {{program: "{program(Prober)}", with: {{peer: bob{alice}}}}}
  bob: {{program: "{program(Prober)}", with: {{peer: alice{bob}}}}}
links:
  - {{between: [alice, bob], quantum: {{entangle: {{success: 1, fidelity: 0.9, attempt: {PAIR_MS} ms}}}}}}
faults:
  - {fault}
""")


def test_who_comes_late_because_it_was_paused_finds_its_half_left_over() -> None:
    ran = run("{at: 15 ms, for: 10 ms, pause: bob}")
    assert ran.results == {"alice": 4, "bob": 4}
    assert ran.exact("alice.pair.fidelity") == 0.9 and ran.count("alice.pair.fidelity") == 4
    assert ran.count("bob.pair.fidelity") == 3
    assert ran.outcome.metrics["bob.pair.left_over"]["count"] == 1


def test_who_keeps_a_half_of_a_pair_whose_other_end_dies_has_a_quarter() -> None:
    fault = "{at: 12 ms, kill: bob, restart: 1 ms}"
    ran = run(fault, alice=", pairs: 2, keeps_ms: 5", bob=", pairs: 1, keeps_ms: 5")
    series = ran.series("alice.pair.fidelity")
    assert (series["count"], series["min"], series["max"]) == (2, 0.25, 0.9)
    assert ran.exact("bob.pair.fidelity") == 0.9, "of his second life"
