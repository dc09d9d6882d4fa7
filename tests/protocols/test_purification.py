"""Purification between two ends: they keep the same pairs or none, whatever becomes of pairs and messages."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

import pytest

from qnetem.agents.agent import Agent
from qnetem.agents.protocols.purification import (
    End,
    Protocol,
    drop,
    is_dropped,
    nested,
    pump,
    purify,
)
from qnetem.agents.qubits import Pair
from qnetem.agents.service import Service, offered
from qnetem.emulator import closed_forms
from qnetem.emulator.closed_forms import purification

from ..physics.bench import Ran, attempt, play, program

SOURCE = "success: 1, fidelity: 0.8, attempt: 10 us"
BETTER = purification.bbpssw(0.8)[0]


class Purifying(Agent):
    """Purifies so many times two fresh pairs; returns the ids of those that are kept."""

    async def run(
        self,
        peer: str,
        rounds: int,
        protocol: Protocol = "dejmps",
        frames: bool = False,
        raw: bool = False,
        timeout: str | None = None,
    ) -> list[str]:
        kept = []
        for _ in range(rounds):
            keep, spend = [await self.entangle(peer, raw=raw) for _ in range(2)]
            if frames:
                await self._frame(keep, spend)
            if await purify(self, keep, spend, protocol, timeout=timeout):
                kept.append(keep.id)
                await self.probe("pair", keep, parties=keep.ends)
                await keep.discard()
        return kept

    async def _frame(self, *pairs: Pair) -> None:
        """Err by a Pauli and take note of it."""
        for pair in pairs:
            z, x = (int(bit) for bit in self.rng.integers(2, size=2))
            if z:
                await pair.qubit.z()
            if x:
                await pair.qubit.x()
            pair.shift(z, x)


class Timed(Agent):
    """Purifies two pairs; returns how many ns that took."""

    async def run(self, peer: str) -> int:
        keep, spend = await self.entangle(peer), await self.entangle(peer)
        begun_ns = self.now_ns
        if await purify(self, keep, spend):
            await keep.discard()
        return self.now_ns - begun_ns


class Policy(Agent):
    """Gets pairs by a policy until the time is up; returns their ids."""

    async def run(
        self, peer: str, pairs: int, levels: int = 1, rounds: int | None = None, **retry: Any
    ) -> list[str]:
        source, ids = partial(self.entangle, peer), []
        for _ in range(pairs):
            if rounds is None:
                pair = await nested(self, source, levels, **retry)
            else:
                pair = await pump(self, source, rounds, **retry)
            ids.append(pair.id)
            await self.probe("pair", pair, parties=pair.ends)
            await pair.discard()
        return ids


class Interrupted(Agent):
    """Purifies under deadlines that come at any moment, and then once more in peace."""

    async def run(self, peer: str, deadlines_us: list[int]) -> int:
        interrupted = 0
        for deadline in deadlines_us:
            try:
                async with asyncio.timeout(deadline / 1e6):
                    pair = await nested(self, partial(self.entangle, peer), 2)
                    await pair.discard()
            except TimeoutError:
                interrupted += 1
            await asyncio.sleep(1e-3)
        return interrupted


class Wrong(Agent):
    """Asks for what is no purification; returns the problems."""

    async def run(self, peer: str) -> list[str]:
        one, two = await self.entangle(peer), await self.entangle(peer)
        problems = []
        protocol: Any = "dejmp"
        for ask in (
            partial(purify, self, one, one),
            partial(purify, self, one, two, protocol),
            partial(pump, self, partial(self.entangle, peer), -1),
        ):
            try:
                await ask()
            except Exception as error:  # noqa: BLE001 its text is looked at
                problems.append(str(error))
        await self.memory.discard(one, two)
        return problems


class Dropping(Agent):
    """Alice drops the pair that bob wants to purify; bob learns of it."""

    async def run(self, peer: str) -> list[Any]:
        keep, spend = await self.entangle(peer), await self.entangle(peer)
        if self.name == "alice":
            await drop(self, keep)
            await spend.discard()
            return []
        before = await is_dropped(self, keep)
        await asyncio.sleep(1e-3)
        after = await is_dropped(self, keep)
        await self.memory.discard(keep, spend)
        return [before, after, self.memory.free]


def two(
    kind: type[Agent],
    options: dict[str, Any],
    *,
    source: str = SOURCE,
    length: str = "10 km",
    alice: str = "",
    bob: str = "",
    rest: str = "",
) -> str:
    nodes = "".join(
        f'  {name}: {{program: "{program(kind)}", {more}with: {json.dumps({"peer": peer} | options)}}}\n'
        for name, peer, more in (("alice", "bob", alice), ("bob", "alice", bob))
    )
    link = f"{{between: [alice, bob], length: {length}, quantum: {{entangle: {{{source}}}}}}}"
    return f"nodes:\n{nodes}links:\n  - {link}\n{rest}"


def faults(*entries: str) -> str:
    return "faults:\n" + "".join(f"  - {{at: 0 s, {entry}}}\n" for entry in entries)


def agreed(ran: Ran) -> list[str]:
    assert ran.results["alice"] == ran.results["bob"]
    assert ran.left_in_slots() == {}
    kept: list[str] = ran.results["bob"]
    assert len(set(kept)) == len(kept)
    return kept


# --- one round ------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["bbpssw", "dejmps"])
@pytest.mark.parametrize("frames", [False, True])
def test_both_keep_the_same_pairs_and_frames_change_nothing(
    protocol: Protocol, frames: bool
) -> None:
    options = {"rounds": 40, "protocol": protocol, "frames": frames}
    ran = play(two(Purifying, options))
    assert 15 < len(agreed(ran)) < 40
    assert ran.exact("alice.pair.fidelity") == pytest.approx(BETTER)


@pytest.mark.parametrize("protocol", ["bbpssw", "dejmps"])
def test_raw_pairs_are_purified_as_what_they_were_heralded_as(protocol: Protocol) -> None:
    """A single click heralds Psi+ or Psi-: the better pair is Phi+ up to its frame, at either end."""
    source = "preset: delft_nv_2019, alpha: 0.05"
    options = {"rounds": 20, "protocol": protocol}
    means = {}
    for raw in (False, True):
        ran = play(two(Purifying, options | {"raw": raw}, source=source, length="2 m"))
        assert len(agreed(ran)) > 10
        series = ran.series("bob.pair.fidelity")
        means[raw] = series["mean"]
    assert means[True] == pytest.approx(means[False], abs=0.02)
    assert means[True] > 0.85


def test_gates_readout_and_light_take_their_time() -> None:
    """A rotation, a CNOT, a readout, and then the other end's outcome comes by the light's time."""
    devices = "gates: {single: 1 us, two: 10 us}, measurement: {duration: 100 us}, "
    ran = play(two(Timed, {}, alice=devices, bob=devices))
    assert ran.results["bob"] == ran.results["alice"]
    assert ran.results["bob"] == 111_000 + closed_forms.fibre_latency_ns(10)


def test_a_half_past_its_cut_off_costs_the_round_at_both_ends() -> None:
    """Alice's memory discards the pair to keep while her readout is under way."""
    slow = "measurement: {duration: 100 us}, "
    ran = play(
        two(
            Purifying,
            {"rounds": 4},
            alice=f"{slow}memory: {{cutoff: 105 us}}, ",
            bob=slow,
            length="0 km",
        )
    )
    assert agreed(ran) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_messages_that_are_lost_doubled_and_overtaken_change_no_verdict(seed: int) -> None:
    noise = faults(
        "loss: alice-bob, probability: 0.3",
        "duplicate: alice-bob, probability: 0.3",
        "reorder: alice-bob, probability: 0.3, by: 300 us",
    )
    ran = play(two(Purifying, {"rounds": 30, "timeout": "400 us"}, rest=noise), seed)
    assert len(agreed(ran)) > 10
    assert ran.exact("bob.pair.fidelity") == pytest.approx(BETTER)


def test_an_end_that_hears_nothing_drops_the_pair_in_time() -> None:
    """A cut takes all messages, and no herald: pairs come, their outcomes do not."""
    ran = play(two(Policy, {"pairs": 2, "timeout": "300 us", "tries": 3}, rest=faults(
        "loss: alice-bob, probability: 1, for: 3 ms"
    )))  # fmt: skip
    assert len(agreed(ran)) == 2
    assert ran.exact("bob.pair.fidelity") == pytest.approx(BETTER)


def test_a_pair_that_the_other_end_has_dropped_is_known_to_be() -> None:
    ran = play(two(Dropping, {}, bob="memory: {slots: 2}, "))
    assert ran.results["bob"] == [False, True, 2]


def test_what_is_no_purification_is_refused() -> None:
    ran = play(two(Wrong, {}))
    same, unknown, negative = ran.results["alice"]
    assert "two pairs with one peer" in same
    assert "'dejmp' is no purification protocol: bbpssw or dejmps" in unknown
    assert "expected 0 or more" in negative


# --- policies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"levels": 2}, {"rounds": 3}])
def test_policies_give_both_ends_the_same_pairs(options: dict[str, Any]) -> None:
    ran = play(two(Policy, {"pairs": 8} | options))
    assert len(agreed(ran)) == 8
    pair = closed_forms.werner_weights(0.8)
    pumped, made = purification.pumped_dejmps(pair, 3), purification.nested_dejmps(pair, 2)
    expected = pumped if "rounds" in options else made
    assert ran.exact("bob.pair.fidelity") == pytest.approx(expected[0])


def test_a_herald_that_only_one_end_hears_puts_neither_out_of_step_for_long() -> None:
    """One end has a half more than the other: they find each other again by what each says it has dropped."""
    lost = faults("lost_herald: alice-bob, probability: 0.1")
    options = {"pairs": 12, "levels": 2, "timeout": "300 us", "tries": 3}
    ran = play(two(Policy, options, rest=lost), 2)
    series = ran.series("bob.pair.fidelity")
    good = purification.nested_dejmps(closed_forms.werner_weights(0.8), 2)
    assert series["max"] == pytest.approx(good[0])
    assert series["count"] >= 10


@pytest.mark.parametrize("node", ["alice", "bob"])
def test_an_end_that_is_killed_finds_the_other_one_again(node: str) -> None:
    kill = f"faults:\n  - {{at: 900 us, kill: {node}, restart: 200 us}}\n"
    options = {"pairs": 15, "levels": 2, "timeout": "300 us", "tries": 3}
    nodes = two(Policy, options, rest="time: {until: 60 ms}\n" + kill)
    _, outcome = attempt(nodes)
    survivor = {"alice": "bob", "bob": "alice"}[node]
    assert outcome.nodes[survivor].state == "finished", outcome.problem
    assert outcome.metrics[f"{survivor}.pair.fidelity"]["count"] >= 10


def test_interrupting_at_any_moment_leaves_nothing_behind() -> None:
    ran = play(two(Interrupted, {"deadlines_us": list(range(20, 900, 40))}))
    assert ran.left_in_slots() == {}
    assert ran.results["alice"] > 0


# --- the program ----------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [{"levels": 2}, {"pumped": 1}])
def test_the_ends_agree_on_correlators_of_what_they_have_purified(policy: dict[str, int]) -> None:
    ran = play(two(End, {"rounds": 40} | policy))
    alice, bob = ran.results["alice"], ran.results["bob"]
    assert alice == bob
    assert (alice["status"], alice["rounds"]) == ("confirmed", 40)
    assert alice["correlators"]["Z.Z"] > 0.5
    assert ran.exact("bob.purified.fidelity") > 0.8
    assert ran.left_in_slots() == {}


class Purifier(Service):
    """A service that makes better pairs for the program beside it."""

    async def run(self, peer: str) -> None:
        self._peer = peer

    @offered
    async def better(self) -> Pair:
        """A purified pair, which is the caller's."""
        return await self.hand_over(await nested(self, partial(self.entangle, self._peer), 1))


class Customer(Agent):
    """Asks the service for pairs while its own messages are under way."""

    async def run(self, peer: str) -> list[str]:
        await self.send(peer, "mine")
        pairs = [await self.services.purifier.better() for _ in range(3)]
        assert (await self.receive()).body == "mine"
        for pair in pairs:
            await self.probe("pair", pair, parties=pair.ends)
            await pair.discard()
        return [pair.id for pair in pairs]


def test_a_service_purifies_on_a_port_of_its_own() -> None:
    text = two(Customer, {})
    for name, peer in (("alice", "bob"), ("bob", "alice")):
        service = f'{{purifier: {{program: "{program(Purifier)}", with: {{peer: {peer}}}}}}}'
        text = text.replace(f"  {name}: {{", f"  {name}: {{services: {service}, ")
    ran = play(text)
    assert len(agreed(ran)) == 3
    assert ran.exact("bob.pair.fidelity") == pytest.approx(BETTER)
