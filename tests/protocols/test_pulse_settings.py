"""Settings of pulse trains from program to program: any axes, weights, and columns that are lazy."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import numpy as np
import pytest

from qnetem import Agent
from qnetem.agents.protocols.qkd.decoy import Receiver, Sender
from qnetem.emulator.closed_forms import qkd as theory
from qnetem.emulator.errors import OperationError
from qnetem.emulator.quantum.pulses import reception
from qnetem.emulator.wire import BLOCK_SLOTS

from ..physics.bench import assert_frequency, play, program
from .test_pulses import IDEAL, PLAIN, Script, between, detecting, listed, run

EYES = "detector: {}"
SPREAD = [[math.sin(a), 0.0, math.cos(a)] for a in np.deg2rad([0, 45, 90, 135])]
PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


def born(prepared: np.ndarray, measured: np.ndarray, depolarising: float) -> float:
    """P(bit 0): density matrix, channel and projector as matrices."""
    state = (np.eye(2) + np.tensordot(prepared, PAULI, 1)) / 2
    state = (1 - depolarising) * state + depolarising * np.eye(2) / 2
    projector = (np.eye(2) + np.tensordot(measured, PAULI, 1)) / 2
    return float(np.trace(projector @ state).real)


def assert_one_of_many(hits: int, trials: int, probability: float) -> None:
    """As `assert_frequency`, for one of some 150 comparisons: 4.5 sigma by chance once in 1000 runs."""
    sigma = math.sqrt(trials * probability * (1 - probability))
    assert abs(hits - trials * probability) <= 4.5 * sigma, (hits, trials, probability)


def sending(slots: int, to: str = "bob", **how: Any) -> Script:
    async def script(me: Agent) -> dict[str, Any]:
        await me.receive()
        train = await me.pulses(to, slots, **how)
        whole = {} if slots > 3_000_000 else listed(bases=train.bases, bits=train.bits)
        return {**whole, "sent": train.sent.tolist(), "slots": len(train), "shown": repr(train)}

    return script


def trial(alice: Script, bob: Script, links: str = PLAIN, source: str = IDEAL) -> Any:
    ran = run({"alice": (source, alice), "bob": (EYES, bob)}, links)
    return ran.results["alice"], ran.results["bob"]


# --- axes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("axes", ["ZXY", SPREAD], ids=["six states", "angles"])
def test_every_basis_follows_the_born_rule(axes: Any, lazy: bool) -> None:
    noise, slots = 0.1, 120_000
    link = f"[{between('alice', 'bob', length='1 km', attenuation='0 dB/km', depolarising=str(noise))}]"
    how = {"axes": axes, "lazy": lazy}
    alice, bob = trial(sending(slots, **how), detecting(**how), link)
    letters = {"X": [1, 0, 0], "Y": [0, 1, 0], "Z": [0, 0, 1]}
    vectors = np.array([letters[name] for name in axes] if isinstance(axes, str) else axes)
    at = np.array(bob["slots"])
    prepared, bits = np.array(alice["bases"])[at], np.array(alice["bits"])[at]
    measured, found = np.array(bob["bases"]), np.array(bob["bits"])
    for first, one in enumerate(vectors):
        for second, other in enumerate(vectors):
            here = (prepared == first) & (measured == second)
            assert_one_of_many(int(here.sum()), len(at), 1 / len(vectors) ** 2)
            for bit in (0, 1):
                seen = found[here & (bits == bit)]
                chance = born(one * (1 - 2 * bit), other, noise)
                assert_one_of_many(int((seen == 0).sum()), len(seen), chance)


def test_bases_are_drawn_with_their_weights() -> None:
    slots = 100_000
    alice, bob = trial(
        sending(slots, weights=[3, 1]), detecting(axes="ZXY", weights=[0.5, 0.3, 0.2], lazy=True)
    )
    assert_frequency(sum(alice["bases"]), slots, 0.25)
    for basis, share in enumerate((0.5, 0.3, 0.2)):
        assert_frequency(bob["bases"].count(basis), slots, share)


def test_photons_that_are_kept_are_measured_along_any_axis() -> None:
    async def eve(me: Agent) -> dict[str, Any]:
        stored = await me.split("alice", "bob")
        bits = await stored.measure(np.full(len(stored), 2, dtype=np.uint8), axes="ZXY")
        return {**listed(slots=stored.slots, bits=bits)}

    async def alice(me: Agent) -> list[int]:
        await me.receive()
        train = await me.pulses("bob", np.full(4000, 2, dtype=np.uint8), None, 2.0, axes="ZXY")
        return train.bits.tolist()

    first, second = (
        between(*ends, length="1 km", attenuation="0 dB/km")
        for ends in (("alice", "eve"), ("eve", "bob"))
    )
    nodes = {
        "alice": ("source: {rate: 1 GHz}", alice),
        "eve": ("kind: eavesdropper", eve),
        "bob": (EYES, detecting()),
    }
    ran = run(nodes, f"[{first}, {second}]")
    kept, sent = ran.results["eve"], np.array(ran.results["alice"])
    assert len(kept["slots"]) > 1000
    assert np.array_equal(kept["bits"], sent[kept["slots"]])


def test_breidbart_basis_tells_an_eavesdropper_most_and_shows_as_often() -> None:
    slots = 100_000
    breidbart = [[math.sin(math.pi / 4), 0, math.cos(math.pi / 4)]]

    async def eve(me: Agent) -> dict[str, Any]:
        clicks = await me.intercept("alice", "bob", axes=breidbart)
        return listed(slots=clicks.slots, bits=clicks.bits)

    first, second = (
        between(*ends, length="1 km", attenuation="0 dB/km")
        for ends in (("alice", "eve"), ("eve", "bob"))
    )
    nodes = {
        "alice": (IDEAL, sending(slots, lazy=True)),
        "eve": ("kind: eavesdropper", eve),
        "bob": (EYES, detecting(lazy=True)),
    }
    results = run(nodes, f"[{first}, {second}]").results
    alice, bob, seen = results["alice"], results["bob"], results["eve"]
    bits, bases = np.array(alice["bits"]), np.array(alice["bases"])
    knows = int((bits[seen["slots"]] == np.array(seen["bits"])).sum())
    assert_frequency(knows, slots, math.cos(math.pi / 8) ** 2)
    agree = bases[bob["slots"]] == np.array(bob["bases"])
    wrong = (bits[bob["slots"]] != np.array(bob["bits"]))[agree]
    assert_frequency(int(wrong.sum()), int(agree.sum()), 0.25)


def test_a_decoy_session_with_lazy_settings_finds_the_same_gains() -> None:
    nodes = f"""
nodes:
  alice: {{program: '{program(Sender)}', with: {{peer: bob, pulses: 20_000_000, lazy: true}}, hardware: gys}}
  bob: {{program: '{program(Receiver)}', with: {{peer: alice, lazy: true}}, hardware: gys}}
links: [{between("alice", "bob", length="20 km", attenuation="0.21 dB/km", depolarising="0.066")}]
"""
    first, again = play(nodes), play(nodes)
    assert first.digest == again.digest
    bob, eta = first.results["bob"], theory.GYS.eta(20)
    assert bob == first.results["alice"]
    for name in ("signal", "decoy_1", "decoy_2"):
        found = bob[name]
        assert_frequency(
            found["clicks"], round(found["sent"]), theory.gain(found["mean"], eta, theory.GYS.y0)
        )
    qber = theory.qber(bob["signal"]["mean"], eta, theory.GYS.y0, theory.GYS.e_d)
    assert_frequency(bob["signal"]["errors"], bob["signal"]["compared"], qber)
    assert_frequency(bob["sifted"], bob["clicks"], 0.5)


# --- lazy columns ---------------------------------------------------------------------------------


def test_what_a_lazy_handle_says_is_what_was_sent_and_seen() -> None:
    slots = 300_000

    async def alice(me: Agent) -> dict[str, Any]:
        await me.receive()
        train = await me.pulses("bob", slots, lazy=True)
        some = np.array([0, 7, slots - 1])
        assert [each.tolist() for each in train.at(some)[:2]] == [
            train.bases[some].tolist(),
            train.bits[some].tolist(),
        ]
        return listed(bases=train.bases, bits=train.bits)

    sent, bob = trial(alice, detecting(lazy=True))
    at, agree = np.array(bob["slots"]), np.array(sent["bases"]) == np.array(bob["bases"])
    assert np.array_equal(at, np.arange(slots))
    assert np.array_equal(np.array(sent["bits"])[agree], np.array(bob["bits"])[agree])
    assert_frequency(int(agree.sum()), slots, 0.5)


def test_nodes_that_share_a_key_have_the_same_settings() -> None:
    key = b"sixteen bytes ok"
    alice, bob = trial(sending(50_000, lazy=key), detecting(lazy=key))
    assert alice["bases"] == bob["bases"]
    assert alice["bits"] == bob["bits"]


def test_keys_are_drawn_by_each_node_and_shown_by_none() -> None:
    one, other = trial(sending(1000, lazy=True), detecting(lazy=True))
    assert one["bases"] != other["bases"]
    assert one["shown"].startswith("<PulseTrain of 1000 slots")


@pytest.mark.parametrize("how", [{}, {"lazy": True}, {"lazy": True, "count": BLOCK_SLOTS + 77}])
def test_a_long_block_is_taken_in_pieces_however_it_is_asked_for(
    how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception, "PIECE_EVENTS", 1500)
    slots = 3 * BLOCK_SLOTS + 5
    source = "source: {rate: 1 GHz, intensities: [0.001]}"
    alice, bob = trial(sending(slots, lazy=True), detecting(**how), source=source)
    seen = how.get("count", slots)
    assert (alice["slots"], bob["seen"]) == (slots, seen)
    assert bob["slots"] == sorted(set(bob["slots"]))
    assert bob["slots"][-1] < seen
    assert_frequency(bob["clicks"], seen, -math.expm1(-0.001))


def test_cost_follows_clicks_not_slots() -> None:
    """A hundred thousand million slots, at a gain of one in a hundred million."""
    slots = 10**11
    link = f"[{between('alice', 'bob', length='1 km', attenuation='80 dB/km')}]"
    source = "source: {kind: single_photon, rate: 1 GHz}"
    ran = run(
        {
            "alice": (source, sending(slots, lazy=True)),
            "bob": (EYES, detecting(lazy=True)),
        },
        link,
    )
    bob = ran.results["bob"]
    assert bob["seen"] == slots
    assert abs(bob["clicks"] - 1000) < 4 * math.sqrt(1000)
    assert max(bob["slots"]) > 0.98 * slots
    assert ran.outcome.instants < 200


def test_eavesdroppers_take_lazy_trains_slot_by_slot() -> None:
    slots = BLOCK_SLOTS + 1000
    links = "[{}, {}, {}]".format(
        between("alice", "eve", length="1 km", attenuation="30 dB/km"),
        between("eve", "mallory", length="1 km", attenuation="0 dB/km"),
        between("mallory", "bob", length="1 km", attenuation="0 dB/km"),
    )

    async def eve(me: Agent) -> dict[str, Any]:
        clicks = await me.intercept("alice", "bob", fraction=0.5)
        return {"clicks": len(clicks), "seen": clicks.seen}

    async def mallory(me: Agent) -> dict[str, Any]:
        stored = await me.split("alice", "bob", forward_singles=1.0)
        return {"seen": stored.seen}

    nodes = {
        "alice": (IDEAL, sending(slots, lazy=True)),
        "eve": ("kind: eavesdropper", eve),
        "mallory": ("kind: eavesdropper", mallory),
        "bob": (EYES, detecting(lazy=True)),
    }
    results = run(nodes, links).results
    assert [results[name]["seen"] for name in ("eve", "mallory", "bob")] == [slots] * 3
    assert_frequency(results["eve"]["clicks"], slots, 0.0005)
    assert_frequency(results["bob"]["clicks"], slots, 0.001)


@pytest.mark.parametrize("call", ["intercept", "split"])
def test_an_ordinary_node_cannot_send_long_blocks_on(call: str) -> None:
    async def middle(me: Agent) -> None:
        await me.send("alice")
        with pytest.raises(OperationError, match="expected detect, or a node of kind eavesdropper"):
            await getattr(me, call)("alice", "bob")

    async def bob(me: Agent) -> None:
        del me

    links = (
        f"[{between('alice', 'middle', length='1 km')}, {between('middle', 'bob', length='1 km')}]"
    )
    nodes = {
        "alice": (IDEAL, sending(2 * BLOCK_SLOTS, to="middle", lazy=True)),
        "middle": (EYES, middle),
        "bob": (EYES, bob),
    }
    assert run(nodes, links).results["middle"] is None


def test_a_beam_splitter_takes_long_blocks_and_draws_nothing() -> None:
    slots = 2 * BLOCK_SLOTS
    link = f"[{between('alice', 'bob', length='1 km', attenuation='20 dB/km')}]"
    nodes = {
        "alice": (IDEAL, sending(slots, lazy=True)),
        "bob": ("detector: {splitting: [0.8, 0.2]}", detecting(lazy=True)),
    }
    bob = run(nodes, link).results["bob"]
    assert bob["seen"] == slots
    assert_frequency(bob["clicks"], slots, 0.01)
    assert_frequency(sum(bob["bases"]), bob["clicks"], 0.2)


def test_expected_numbers_stand_for_counts_of_a_lazy_train() -> None:
    source = "source: {rate: 1 GHz, intensities: [0.5, 0.1, 0], probabilities: [0.7, 0.2, 0.1]}"
    alice, bob = trial(sending(200_000, lazy=True), detecting(lazy=True), source=source)
    assert alice["sent"] == pytest.approx([140_000, 40_000, 20_000])
    gain = 0.7 * -math.expm1(-0.5) + 0.2 * -math.expm1(-0.1)
    assert_frequency(bob["clicks"], 200_000, gain)


def test_a_lazy_train_that_is_cancelled_has_sent_what_had_left() -> None:
    async def alice(me: Agent) -> None:
        await me.receive()
        task = asyncio.create_task(me.pulses("bob", 10**9, 0, 0, lazy=True))
        await me.compute("5 ms")
        task.cancel()
        await asyncio.wait([task])

    source = "source: {rate: 1 GHz, intensities: [0.00001, 0]}"
    _, bob = trial(alice, detecting(lazy=True), source=source)
    assert bob["seen"] == 5_000_000
    assert max(bob["slots"]) < 5_000_000


def test_light_is_cut_where_the_link_is_in_the_midst_of_a_long_block() -> None:
    source = "source: {rate: 1 GHz, intensities: [0.0001]}"
    ran = run(
        {
            "alice": (source, sending(20_000_000, lazy=True)),
            "bob": (EYES, detecting(lazy=True)),
        },
        PLAIN,
        "faults: [{at: 5 ms, cut: alice-bob, for: 10 ms}]",
    )
    slots = np.array(ran.results["bob"]["slots"])
    dark = (slots > 5_100_000) & (slots < 14_900_000)
    assert not dark.any()
    assert_frequency(int((slots < 4_900_000).sum()), 4_900_000, 1e-4)
    assert_frequency(int((slots >= 15_100_000).sum()), 4_900_000, 1e-4)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"axes": "ZQ"}, "axes: found 'ZQ', expected letters of X, Y and Z"),
        ({"axes": [[0, 0, 0]]}, "vectors that have a direction"),
        ({"axes": [[0, 1]]}, r"shape \(k, 3\)"),
        ({"axes": [[0, 0, 1]] * 17}, "found 17, expected 1 to 16"),
        ({"weights": [1, 1, 1]}, "weights: expected 2"),
        ({"weights": [-1, 2]}, "weights: expected numbers of at least 0"),
        ({"lazy": b"short"}, "a key of 5 bytes, expected 16"),
    ],
)
def test_settings_that_cannot_be_are_refused_at_both_ends(how: dict[str, Any], reason: str) -> None:
    async def alice(me: Agent) -> None:
        with pytest.raises(OperationError, match=reason):
            await me.pulses("bob", 10, **how)

    async def bob(me: Agent) -> None:
        with pytest.raises(OperationError, match=reason):
            await me.detect("alice", **how)

    trial(alice, bob)


def test_columns_that_are_given_are_not_drawn() -> None:
    async def alice(me: Agent) -> None:
        column = np.zeros(4, dtype=np.uint8)
        with pytest.raises(OperationError, match="lazy: expected bases that the node draws"):
            await me.pulses("bob", column, lazy=True)
        with pytest.raises(OperationError, match="weights: expected bases that the node draws"):
            await me.detect("bob", column, weights=[1, 2])
        with pytest.raises(OperationError, match="one bit for all slots"):
            await me.pulses("bob", 4, column, lazy=True)
        with pytest.raises(OperationError, match="found 2, expected 0 to 1"):
            await me.pulses("bob", column + 2)

    async def bob(me: Agent) -> None:
        del me

    ran = run({"alice": (f"{IDEAL}", alice), "bob": (EYES, bob)}, PLAIN)
    assert ran.results["alice"] is None
