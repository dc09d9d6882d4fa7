"""Protocols that share one exchange, up to the sifted key: shares and error rates against closed forms."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import qutip

from qnetem.agents.protocols.qkd import b92, e91, efficient_bb84, sarg04, six_state
from qnetem.agents.protocols.qkd import prepared as bb84
from qnetem.agents.protocols.qkd.sifting import MOST_BYTES, slots_as_bytes, slots_of
from qnetem.agents.protocols.session_messages import SessionBroken
from qnetem.emulator.errors import ProgramError

from ..physics.bench import Ran, assert_frequency, attempt, play, program
from .test_pulses import between

PULSES = 200_000
NOISE = 0.08


def prepared(
    module: Any, noise: float = NOISE, pulses: int = PULSES, lazy: bool = False, **more: Any
) -> str:
    both = {"lazy": str(lazy).lower(), **more}
    alice = {"peer": "bob", "pulses": pulses, "sample": 1, **both}
    bob = {"peer": "alice", **both}
    link = between("alice", "bob", length="1 km", attenuation="0 dB/km", depolarising=str(noise))

    def options(given: dict[str, Any]) -> str:
        return "{" + ", ".join(f"{key}: {value}" for key, value in given.items()) + "}"

    return f"""
nodes:
  alice: {{program: '{program(module.Sender)}', with: {options(alice)}, source: {{kind: single_photon}}}}
  bob: {{program: '{program(module.Receiver)}', with: {options(bob)}, detector: {{}}}}
links: [{link}]
"""


def counts(ran: Ran) -> dict[str, Any]:
    alice, bob = ran.results["alice"], ran.results["bob"]
    assert alice == bob
    assert alice["status"] == "confirmed"
    found: dict[str, Any] = alice
    return found


@pytest.mark.parametrize("lazy", [False, True])
def test_six_state_sifts_a_third_and_errs_alike_in_all_bases(lazy: bool) -> None:
    found = counts(play(prepared(six_state, lazy=lazy)))
    assert_frequency(found["sifted"], PULSES, 1 / 3)
    assert list(found["by_basis"]) == ["Z", "X", "Y"]
    for basis in found["by_basis"].values():
        assert_frequency(basis["errors"], basis["compared"], NOISE / 2)


def test_bb84_on_trains_sifts_half() -> None:
    found = counts(play(prepared(bb84)))
    assert_frequency(found["sifted"], PULSES, 1 / 2)
    for basis in found["by_basis"].values():
        assert_frequency(basis["errors"], basis["compared"], NOISE / 2)


def test_efficient_bb84_sifts_by_its_bias_and_counts_errors_by_basis() -> None:
    z = 0.9
    found = counts(play(prepared(efficient_bb84, z=z, lazy=True)))
    assert_frequency(found["sifted"], PULSES, z * z + (1 - z) ** 2)
    assert_frequency(found["by_basis"]["X"]["sifted"], PULSES, (1 - z) ** 2)
    for basis in found["by_basis"].values():
        assert_frequency(basis["errors"], basis["compared"], NOISE / 2)


def excluding(states: list[Any], measured: list[Any], noise: float) -> tuple[float, float]:
    """(share, QBER) where the receiver's outcome excludes one of two announced states: density matrices.

    `states`: what may be sent, each with the one that is announced beside it.
    """
    counted = wrong = 0.0
    for sent, beside in states:
        rho = (1 - noise) * sent.proj() + noise * qutip.qeye(2) / 2
        for first, second in measured:
            for outcome in (first, second):
                chance = float(qutip.expect(outcome.proj(), rho)) / len(states) / len(measured)
                overlaps = [abs(outcome.overlap(each)) < 1e-9 for each in (sent, beside)]
                counted += chance * any(overlaps)
                wrong += chance * overlaps[0]
    return counted, wrong / counted


def exclusion_states(four: bool) -> Iterator[tuple[Any, Any]]:
    zero, one = qutip.basis(2, 0), qutip.basis(2, 1)
    plus, minus = (zero + one).unit(), (zero - one).unit()
    in_z, in_x = ([zero, one], [plus, minus]) if four else ([zero], [plus])
    for first in in_z:
        for second in in_x:
            yield first, second
            yield second, first


@pytest.mark.parametrize("noise", [0.0, NOISE])
@pytest.mark.parametrize(("module", "four"), [(b92, False), (sarg04, True)], ids=["b92", "sarg04"])
def test_exclusion_has_the_share_and_the_errors_of_density_matrices(
    module: Any, four: bool, noise: float
) -> None:
    zero, one = qutip.basis(2, 0), qutip.basis(2, 1)
    measured = [(zero, one), ((zero + one).unit(), (zero - one).unit())]
    share, qber = excluding(list(exclusion_states(four)), measured, noise)
    assert share == pytest.approx((1 + noise) / 4)
    assert qber == pytest.approx(noise / (1 + noise))
    found = counts(play(prepared(module, noise, lazy=True)))
    assert_frequency(found["sifted"], PULSES, share)
    assert_frequency(found["errors"], found["compared"], qber)
    assert found["compared"] == found["sifted"]


def correlation(first_deg: float, second_deg: float, noise: float) -> float:
    """<ab> of Phi+ whose second half met a depolarising channel, by QuTiP."""
    zero, one = qutip.basis(2, 0), qutip.basis(2, 1)
    pair = (qutip.tensor(zero, zero) + qutip.tensor(one, one)).unit().proj()
    rho = (1 - noise) * pair + noise * qutip.tensor(pair.ptrace(0), qutip.qeye(2) / 2)
    first, second = (
        math.cos(angle) * qutip.sigmaz() + math.sin(angle) * qutip.sigmax()
        for angle in (math.radians(first_deg), math.radians(second_deg))
    )
    return float(qutip.expect(qutip.tensor(first, second), rho))


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_e91_sifts_two_ninths_and_violates_by_its_visibility(noise: float) -> None:
    mean = 0.005
    near, far = (
        between("charlie", name, length="1 km", attenuation="0 dB/km", depolarising=str(p))
        for name, p in (("alice", 0.0), ("bob", noise))
    )
    text = f"""
nodes:
  alice: {{program: '{program(e91.Alice)}', with: {{peer: bob, source: charlie, sample: 1}}, detector: {{}}}}
  bob: {{program: '{program(e91.Bob)}', with: {{peer: alice, source: charlie}}, detector: {{}}}}
  charlie:
    program: '{program(e91.Source)}'
    with: {{alice: alice, bob: bob, slots: 8_000_000}}
    source: {{kind: spdc, rate: 1 GHz, mean_pairs: {mean}}}
links: [{near}, {far}]
"""
    found = counts(play(text))
    assert_frequency(found["sifted"], found["coincidences"], 2 / 9)
    assert_frequency(found["tested"], found["coincidences"], 4 / 9)
    expected = (
        correlation(0, 45, noise)
        - correlation(0, 135, noise)
        + correlation(90, 45, noise)
        + correlation(90, 135, noise)
    )
    assert expected == pytest.approx(2 * math.sqrt(2) * (1 - noise))
    # of the slots that hold pairs, 3/4 of the mean hold two: what these are short of is below that share
    two = 0.75 * mean
    spread = 2 * math.sqrt((1 - (expected / 4) ** 2) / (found["tested"] / 4))
    assert expected * (1 - two) - 3 * spread < found["s"] < expected + 3 * spread
    qber, trials = noise / 2, found["compared"]
    spread = math.sqrt((qber + two) / trials)
    assert qber - 3 * spread <= found["errors"] / trials <= qber + two + 3 * spread


def test_e91_with_the_source_at_alices_keeps_an_arm() -> None:
    text = f"""
nodes:
  alice:
    program: '{program(e91.Alice)}'
    with: {{peer: bob, slots: 1_000_000}}
    source: {{kind: spdc, rate: 1 GHz, mean_pairs: 0.02}}
    detector: {{}}
  bob: {{program: '{program(e91.Bob)}', with: {{peer: alice}}, detector: {{}}}}
links: [{between("alice", "bob", length="1 km", attenuation="0 dB/km")}]
"""
    found = counts(play(text))
    assert found["s"] > 2.5
    assert_frequency(found["compared"], found["sifted"], 0.5)
    assert found["kept"] == found["sifted"] - found["compared"]


@pytest.mark.parametrize("z", [0, 1, -0.1])
def test_a_bias_that_leaves_a_basis_out_is_refused(z: float) -> None:
    _, outcome = attempt(prepared(efficient_bb84, z=z))
    assert "z must be above 0 and below 1" in str(outcome.problem)


def test_ends_that_lose_messages_and_restart_hold_the_same_bits() -> None:
    text = prepared(sarg04, 0.0, 20_000, timeout="1 ms").replace("sample: 1", "sample: 0.5")
    faults = """faults:
  - {at: 0 ms, loss: alice-bob, probability: 0.3, for: 30 ms}
  - {at: 20 us, restart: bob, after: 50 us}
"""
    seen = 0
    for seed in range(3):
        _, outcome = attempt(text + faults, seed)
        results = outcome.results
        if results["alice"].get("status") == "confirmed":
            seen += 1
            assert results["bob"] == results["alice"]
            assert results["bob"]["errors"] == 0 < results["bob"]["compared"]
    assert seen


def test_more_clicks_than_a_message_announces_are_refused_with_the_way_out() -> None:
    slots = np.cumsum(np.full(MOST_BYTES // 2 + 1, 128))
    with pytest.raises(ProgramError, match="KeyLink"):
        slots_as_bytes(Many(slots))


@pytest.mark.parametrize(
    "ways", [[], [0], [127], [128, 1], [16_383, 16_384], [1 << 40, 1, 1 << 61]]
)
def test_slots_come_back_from_their_bytes(ways: list[int]) -> None:
    slots = np.cumsum(np.array(ways, dtype=np.int64))
    assert np.array_equal(slots_of(slots_as_bytes(Many(slots)), len(slots)), slots)


def test_bytes_of_another_number_of_clicks_break_the_session() -> None:
    data = slots_as_bytes(Many(np.array([3, 500])))
    for wrong, count in ((data, 1), (data, 3), (data[:-1], 2), (data + b"\x80", 2)):
        with pytest.raises(SessionBroken):
            slots_of(wrong, count)


class Many:
    """Clicks by their slots alone."""

    def __init__(self, slots: Any) -> None:
        self.slots = slots

    def __len__(self) -> int:
        return len(self.slots)
