"""How long chains of repeaters take, by emulation: parallel links, cut-offs, and joins that fail.

The expectation is exact in units of attempts: links have no length, so messages take no time and all links
attempt in step. Spreads come of the distributions, worked out here step by step, by no formula of qnetem's.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qnetem.agents.agent import Agent
from qnetem.agents.protocols.swap_orders import swap_rules
from qnetem.agents.protocols.swapping import LongPairs
from qnetem.agents.qubits import Pair
from qnetem.emulator.closed_forms import waiting

from ..counts import rounds_of
from ..protocols.test_expiry import markov
from .bench import Ran, assert_mean, play, program

ATTEMPT_NS = 1000


class Counter(Agent):
    """Gets long pairs one after the other, and counts for how many attempts it has waited for each."""

    async def run(self, peer: str, rounds: int) -> None:
        pairs = LongPairs(self, peer)
        for _ in range(rounds):
            begun_ns = self.now_ns
            pair = await pairs.obtain()
            self.record("attempts", (self.now_ns - begun_ns) / ATTEMPT_NS)
            self.record("stored", (self.now_ns - pair.emitted_ns) / ATTEMPT_NS)
            await self.probe("pair", pair, parties=pair.ends)
            await self.send(peer, kind="seen")
            await self.receive(peer, kind="seen")
            await pair.discard()


class Controlled(Agent):
    """Holds a half with either neighbour; makes, joins and discards them as the controller says."""

    async def run(self) -> None:
        self._halves: dict[str, Pair] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                message = await self.receive()
                group.create_task(self._do(message.source, *message.body))

    async def _do(self, controller: str, number: int, verb: str, peers: list[str]) -> None:
        done: Any = True
        if verb == "entangle":
            self._halves[peers[0]] = await self.entangle(peers[0])
        elif verb == "join":
            left, right = (self._halves.pop(peer) for peer in peers)
            done = (await self.join(left, right)).ok
        else:
            await self._halves.pop(peers[0]).discard()
        await self.send(controller, [number, done])


class Controller(Agent):
    """Makes a pair along a path by nested joins, from one place: whatever fails is begun anew as a whole."""

    async def run(self, path: list[str], rounds: int) -> None:
        self._path, self._number = path, 0
        #: Stretch, by the places of its ends -> where it is joined.
        self._middles = {
            (path.index(rule.left), path.index(rule.right)): path.index(name)
            for name, rule in swap_rules(path, "nested").items()
        }
        for _ in range(rounds):
            begun_ns = self.now_ns
            await self._span(0, len(path) - 1)
            self.record("attempts", (self.now_ns - begun_ns) / ATTEMPT_NS)
            await self._drop(0, len(path) - 1)

    async def _order(self, node: int, verb: str, *peers: int) -> Any:
        self._number += 1
        number = self._number
        body = [number, verb, [self._path[peer] for peer in peers]]
        await self.send(self._path[node], body)
        answer = await self.receive(where=lambda reply: reply[0] == number)
        return answer.body[1]

    async def _span(self, first: int, last: int) -> None:
        if last - first == 1:
            await asyncio.gather(
                self._order(first, "entangle", last), self._order(last, "entangle", first)
            )
            return
        at = self._middles[first, last]
        while True:
            await asyncio.gather(self._span(first, at), self._span(at, last))
            if await self._order(at, "join", at - 1, at + 1):
                return
            await self._drop(first, last)

    async def _drop(self, first: int, last: int) -> None:
        await asyncio.gather(
            self._order(first, "discard", first + 1), self._order(last, "discard", last - 1)
        )


def links_of(path: list[str], success: float) -> str:
    quantum = f"{{entangle: {{success: {success}, fidelity: 1, attempt: {ATTEMPT_NS} ns}}}}"
    return "links:\n" + "".join(
        f"  - {{between: [{one}, {other}], quantum: {quantum}}}\n"
        for one, other in itertools.pairwise(path)
    )


def repeated(
    hops: int,
    success: float,
    swap: float,
    rounds: int,
    order: str = "nested",
    cutoff: int = 0,
    ends_memory: str = "",
) -> Ran:
    """By repeaters and their notices."""
    path = ["alice", *(f"r{number}" for number in range(1, hops)), "bob"]
    options: dict[str, object] = {"path": path, "order": order}
    if cutoff:
        options["timeout"] = f"{cutoff * ATTEMPT_NS} ns"
    repeaters = "".join(
        f"  {name}: {{kind: repeater, bell_measurement: {{success: {swap}}}, "
        f"with: {json.dumps(options)}}}\n"
        for name in path[1:-1]
    )
    ends = "".join(
        f'  {name}: {{program: "{program(Counter)}", {ends_memory}'
        f"with: {{peer: {peer}, rounds: {rounds}}}}}\n"
        for name, peer in (("alice", "bob"), ("bob", "alice"))
    )
    ran = play(f"nodes:\n{ends}{repeaters}{links_of(path, success)}")
    assert ends_memory or ran.exact("bob.pair.fidelity") == pytest.approx(1)
    return ran


def controlled(hops: int, success: float, swap: float, rounds: int) -> Ran:
    """By a controller that gives every order."""
    path = [f"n{number}" for number in range(hops + 1)]
    nodes = "".join(
        f'  {name}: {{program: "{program(Controlled)}", service: true, '
        f"bell_measurement: {{success: {swap}}}}}\n"
        for name in path
    )
    options = json.dumps({"path": path, "rounds": rounds})
    nodes += f'  controller: {{program: "{program(Controller)}", with: {options}}}\n'
    wires = "".join(
        f"  - {{between: [controller, {name}], classical: {{latency: 0 s}}}}\n" for name in path
    )
    return play(f"nodes:\n{nodes}{links_of(path, success)}{wires}")


# --- what must come out ---------------------------------------------------------------------------


def joined(
    left: NDArray[np.float64], right: NDArray[np.float64], swap: float
) -> NDArray[np.float64]:
    """P(T = n) of both halves of a stretch, again and again until their join succeeds."""
    slower = np.diff(np.cumsum(left) * np.cumsum(right), prepend=0.0)
    found = np.zeros_like(slower)
    for n in range(1, len(slower)):
        again = slower[1:n] @ found[n - 1 : 0 : -1] if n > 1 else 0.0
        found[n] = swap * slower[n] + (1 - swap) * again
    return found


def moments(success: float, swap: float, hops: int) -> tuple[float, float]:
    """Mean and standard deviation of the attempts of a path that is halved, and halved again."""
    times = np.arange(round(25 * (1.5 / swap) ** (hops - 1).bit_length() / success))
    link = np.where(times > 0, success * (1 - success) ** (times - 1.0), 0.0)

    def stretch(length: int) -> NDArray[np.float64]:
        if length == 1:
            return link
        return joined(stretch(length // 2), stretch(length - length // 2), swap)

    masses = stretch(hops)
    assert masses.sum() == pytest.approx(1, abs=1e-6)
    mean = float(times @ masses)
    return mean, float(np.sqrt(times**2 @ masses - mean**2))


@pytest.mark.papers
@pytest.mark.parametrize(
    ("hops", "success", "swap", "attempts"),
    [(2, 0.1, 1.0, 14.736842), (2, 0.1, 0.5, 29.473684), (4, 0.1, 0.5, 84.817580)],
)
def test_joins_that_fail_take_their_time(
    hops: int, success: float, swap: float, attempts: float
) -> None:
    """(3 - 2p)/(p (2 - p) a) for two links. 100 pairs each, 2000 in `make papers`."""
    rounds = rounds_of(100, 2000)
    mean, spread = moments(success, swap, hops)
    assert mean == pytest.approx(attempts, rel=1e-6)
    levels = hops.bit_length() - 1
    assert waiting.mean_attempts_of_chain(success, swap, levels) == pytest.approx(attempts)
    series = repeated(hops, success, swap, rounds).series("alice.attempts")
    assert_mean(series["mean"], rounds, attempts, spread)


@pytest.mark.papers
def test_the_earlier_pair_waits_for_the_later_one_and_decays() -> None:
    """E|d| and E[exp(-r |d|)], p = 0.1: F = (1 + exp(-r |d|))/2. 200 pairs, 2000 in `make papers`."""
    rounds, rate = rounds_of(200, 2000), 0.05
    ran = repeated(2, 0.1, 1.0, rounds, ends_memory=f"memory: {{t2: {ATTEMPT_NS / rate} ns}}, ")
    lags = np.arange(1000)
    chances = np.where(lags > 0, 2.0, 1.0) * 0.1 * 0.9**lags / 1.9
    waited = sum(
        ran.series(f"{end}.stored")["mean"] for end in ("alice", "bob")
    )  # one of them is 0
    lag = waiting.mean_lag(0.1)
    assert_mean(waited, rounds, lag, float(np.sqrt(chances @ lags**2 - lag**2)))
    kept = (1 + np.exp(-rate * lags)) / 2
    fidelity = (1 + waiting.mean_decay_of_lag(0.1, rate)) / 2
    spread = float(np.sqrt(chances @ kept**2 - fidelity**2))
    assert_mean(ran.series("bob.pair.fidelity")["mean"], rounds, fidelity, spread)


@pytest.mark.papers
@pytest.mark.parametrize("order", ["nested", "sequential"])
def test_three_links_are_halved_as_well_as_they_can_be(order: str) -> None:
    """Three links: two of them first, then the third. 100 pairs, 2000 in `make papers`."""
    rounds = rounds_of(100, 2000)
    mean, spread = moments(0.3, 0.6, 3)
    series = repeated(3, 0.3, 0.6, rounds, order).series("bob.attempts")
    assert_mean(series["mean"], rounds, mean, spread)


@pytest.mark.papers
def test_eight_links_under_one_controller() -> None:
    """Nothing is made ahead, as the closed form has it. 30 pairs, 500 in `make papers`."""
    rounds = rounds_of(30, 500)
    mean, spread = moments(0.1, 0.9, 8)
    assert mean == pytest.approx(37.365644, rel=1e-6)
    series = controlled(8, 0.1, 0.9, rounds).series("controller.attempts")
    assert_mean(series["mean"], rounds, mean, spread)


@pytest.mark.papers
@pytest.mark.parametrize(
    ("cutoff", "attempts", "stored"), [(5, 20.7512, 2.45697), (20, 15.3534, 6.80176)]
)
def test_a_cut_off_costs_attempts_and_spares_storage(
    cutoff: int, attempts: float, stored: float
) -> None:
    """Two links, p = 0.1; the repeater gives up what has waited so long. 200 pairs, 2000 in `make papers`.

    By its `timeout`, which ends with an attempt: a memory's cut-off must come a little later, to leave time
    for the join, and then links do not attempt in step.
    """
    rounds = rounds_of(200, 2000)
    ran = repeated(2, 0.1, 1.0, rounds, cutoff=cutoff)
    mean, spread = markov(0.1, cutoff)
    assert mean == pytest.approx(attempts, abs=5e-5)
    series = ran.series("bob.attempts")
    assert_mean(series["mean"], rounds, attempts, spread)
    lags = {k: waiting.lag_probability(0.1, k) for k in range(cutoff + 1)}
    square = sum(k * k * chance for k, chance in lags.items()) / sum(lags.values())
    kept = sum(ran.series(f"{end}.stored")["mean"] for end in ("alice", "bob"))  # one of them is 0
    assert_mean(kept, rounds, stored, math.sqrt(square - stored**2))
