"""How long heralded links take: geometric attempts, and the slowest of several links."""

from __future__ import annotations

import asyncio
import itertools
import math

import pytest

from qnetem.agents.agent import Agent
from qnetem.agents.qubits import Pair
from qnetem.emulator import closed_forms

from .bench import Ran, assert_frequency, assert_mean, play, program

ATTEMPT_NS = 1000
ROUNDS = 1000


class Hub(Agent):
    """Asks all leaves for a pair at once, round after round; records how many attempts that took."""

    async def run(self, rounds: int) -> None:
        for _ in range(rounds):
            started_ns = self.now_ns
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._one(leaf, started_ns)) for leaf in self.neighbours]
            count = (self.now_ns - started_ns) / ATTEMPT_NS
            self.record("attempts", count)
            self.record("all_at_once", float(count == 1))
            await self.memory.discard(*(task.result() for task in tasks))

    async def _one(self, leaf: str, started_ns: int) -> Pair:
        pair = await self.entangle(leaf)
        count = (self.now_ns - started_ns) / ATTEMPT_NS
        self.record("single", count)
        self.record("at_once", float(count == 1))
        return pair


class Leaf(Agent):
    """Always ready for the next pair."""

    async def run(self) -> None:
        while True:
            pair = await self.entangle("hub")
            await pair.discard()


def waited(leaves: int, success: float, rounds: int = ROUNDS, seed: int = 1) -> Ran:
    names = [f"leaf{number}" for number in range(leaves)]
    nodes = "".join(f'  {name}: {{program: "{program(Leaf)}", service: true}}\n' for name in names)
    quantum = f"{{entangle: {{success: {success}, fidelity: 1, attempt: {ATTEMPT_NS} ns}}}}"
    links = "".join(f"  - {{between: [hub, {name}], quantum: {quantum}}}\n" for name in names)
    return play(
        f'nodes:\n  hub: {{program: "{program(Hub)}", with: {{rounds: {rounds}}}}}\n{nodes}'
        f"links:\n{links}",
        seed,
    )


def spread_of_all(success: float, links: int) -> float:
    """Standard deviation of the slowest of several links, from P(max <= k) = (1 - q^k)^n."""
    upto = [(1 - (1 - success) ** k) ** links for k in range(round(60 / success))]
    weights = [late - early for early, late in itertools.pairwise(upto)]
    mean = sum(k * weight for k, weight in enumerate(weights, 1))
    return math.sqrt(sum((k - mean) ** 2 * weight for k, weight in enumerate(weights, 1)))


@pytest.mark.parametrize("success", [0.5, 0.1, 0.01])
def test_attempts_until_success_are_geometric(success: float) -> None:
    ran = waited(1, success)
    series = ran.series("hub.attempts")
    spread = math.sqrt(1 - success) / success
    mean = closed_forms.mean_attempts(success)
    assert_mean(series["mean"], series["count"], mean, spread)
    # The sample variance of a geometric number has itself a relative spread of about sqrt(8 / n).
    assert abs(series["std"] ** 2 / spread**2 - 1) < 3 * math.sqrt(8 / series["count"])
    at_once = ran.series("hub.at_once")
    assert_frequency(round(at_once["mean"] * at_once["count"]), ROUNDS, success)


@pytest.mark.parametrize(
    ("success", "links", "mean"),
    [
        (0.1, 2, 14.736842),
        (0.1, 3, 17.900563),
        (0.1, 4, 20.273378),
        (0.1, 8, 26.295784),
        (0.5, 2, 2.666667),
        (0.5, 4, 3.504762),
        (0.01, 2, 149.748744),
    ],
)
def test_the_slowest_of_several_links(success: float, links: int, mean: float) -> None:
    assert closed_forms.mean_attempts_of_all(success, links) == pytest.approx(mean, abs=1e-6)
    series = waited(links, success).series("hub.attempts")
    assert_mean(series["mean"], series["count"], mean, spread_of_all(success, links))


def test_links_do_not_share_their_luck() -> None:
    """Both succeed in the first attempt with p^2, not p."""
    ran = waited(2, 0.5)
    both = ran.series("hub.all_at_once")
    assert_frequency(round(both["mean"] * both["count"]), ROUNDS, 0.25)


def test_another_seed_waits_for_another_time() -> None:
    assert waited(1, 0.1, 50, seed=1).digest == waited(1, 0.1, 50, seed=1).digest
    assert waited(1, 0.1, 50, seed=1).digest != waited(1, 0.1, 50, seed=2).digest


def test_services_that_hold_pairs_when_the_run_ends_leave_nothing_behind() -> None:
    assert waited(3, 0.1, 20).left_in_slots() == {}
