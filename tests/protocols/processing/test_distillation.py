"""From pulses to a secret key: the same at both ends or none, as long as its counts prove, at its price."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qnetem.agents.protocols.qkd import b92, bbm92, decoy, e91, efficient_bb84, prepared, six_state
from qnetem.agents.protocols.qkd.processing.estimation import (
    Counts,
    DecoyCounts,
    Epsilons,
    of_decoys,
    of_pairs,
    of_pulses,
)
from qnetem.agents.protocols.qkd.processing.pads import TAG_BITS
from qnetem.emulator.closed_forms.qkd import binary_entropy, several_photons

from ...physics.bench import Ran, assert_frequency, attempt, play, program
from ..test_pulses import between

SINGLE = "{kind: single_photon}"
NOISE = 0.04


def ends(
    module: Any,
    pulses: int,
    source: str = SINGLE,
    noise: float = NOISE,
    distil: str = "{}",
    receiver: str | None = None,
    rest: str = "",
    **more: Any,
) -> str:
    """`distil` of both ends, or of the sender where the `receiver` has another one."""
    both = "".join(f", {key}: {value}" for key, value in {"lazy": "true", **more}.items())
    link = between("alice", "bob", length="1 km", attenuation="0 dB/km", depolarising=str(noise))
    return f"""
nodes:
  alice:
    program: '{program(module.Sender)}'
    with: {{peer: bob, pulses: {pulses}, distil: {distil}{both}}}
    source: {source}
  bob:
    program: '{program(module.Receiver)}'
    with: {{peer: alice, distil: {receiver or distil}{both}}}
    detector: {{}}
links: [{link}]
{rest}
"""


def key(ran: Ran) -> dict[str, Any]:
    """The account, which both ends give alike."""
    alice, bob = ran.results["alice"], ran.results["bob"]
    assert alice["status"] == bob["status"] == "confirmed"
    mine, theirs = ({**each["key"], "latency": None} for each in (alice, bob))
    assert mine == theirs
    found: dict[str, Any] = alice["key"]
    return found


@pytest.mark.parametrize("method", ["cascade", "ldpc"])
def test_a_key_is_the_same_at_both_ends_and_as_long_as_its_counts_prove(method: str) -> None:
    ran = play(ends(prepared, 100_000, distil=f"{{correction: {method}}}"))
    found, alice = key(ran), ran.results["alice"]
    assert_frequency(round(found["qber"] * found["sifted"]), found["sifted"], NOISE / 2)
    assert 1.0 < found["efficiency"] < 1.35
    told = Counts(
        kept=found["sifted"],
        compared=alice["by_basis"]["X"]["sifted"],
        errors=alice["by_basis"]["X"]["errors"],
    )
    correctness = closed_forms_of_hash(found["sifted"])
    estimate = of_pulses(
        told,
        found["leaked"],
        Epsilons(1e-9, correctness),
        key_pulses=50_000,
        check_pulses=50_000,
        several=0,
    )
    assert found["length"] == estimate.length > 0
    assert found["secret"]["bits"] == found["gain"] == found["length"] - found["spent"]


def closed_forms_of_hash(bits: int) -> float:
    """Keys of so many bits that differ have the same 61-bit hash: blocks of seven bytes, and two more."""
    size = -(-bits // 8) + 8
    return (math.ceil(size / 7) + 2) / (2**61 - 1)


def test_a_finite_key_is_shorter_than_the_asymptotic_one_of_its_rates() -> None:
    found = key(play(ends(prepared, 60_000)))
    rate = NOISE / 2
    assert found["length"] < found["sifted"] * (1 - 2 * binary_entropy(rate))


@pytest.mark.parametrize("module", [efficient_bb84, six_state])
def test_kin_of_bb84_end_in_keys_too(module: Any) -> None:
    assert key(play(ends(module, 100_000)))["length"] > 0


def test_one_decoy_is_enough() -> None:
    source = "{kind: weak_coherent, intensities: [0.5, 0.1], probabilities: [0.7, 0.3]}"
    assert (
        key(play(ends(decoy, 1_000_000, source, 0.01, "{variant: original}", z=0.8)))["length"]
        > 10_000
    )


SPDC = "{kind: spdc, rate: 1 GHz, mean_pairs: 0.01, fidelity: 0.98}"


@pytest.mark.parametrize(
    ("alice", "link"),
    [
        (f"slots: 8_000_000, distil: {{}}}}, source: {SPDC}, detector: {{}}", "length: 2 km"),
        (
            "pairs: 5_000, distil: {secrecy: 1e-6}}",
            "length: 2 km, entangle: {success: 0.9, fidelity: 0.985, attempt: 20 us}",
        ),
    ],
    ids=["train", "heralded"],
)
def test_pairs_end_in_a_key_whatever_their_source(alice: str, link: str) -> None:
    ran = play(f"""
nodes:
  alice: {{program: '{program(bbm92.Alice)}', with: {{peer: bob, {alice}}}
  bob: {{program: '{program(bbm92.Bob)}', with: {{peer: alice, distil: {{}}}}, detector: {{}}}}
links: [{{between: [alice, bob], quantum: {{{link}}}}}]
""")
    found, alice_said = key(ran), ran.results["alice"]
    assert found["length"] > 100
    assert alice_said["by_basis"]["Z"]["compared"] == 0
    assert alice_said["compared"] + found["sifted"] == alice_said["sifted"]
    told = Counts(
        kept=found["sifted"], compared=alice_said["compared"], errors=alice_said["errors"]
    )
    epsilons = Epsilons(1e-6 if "secrecy" in alice else 1e-9, closed_forms_of_hash(found["sifted"]))
    assert found["length"] == of_pairs(told, found["leaked"], epsilons).length


def test_a_laser_without_decoys_pays_for_each_pulse_of_several_photons() -> None:
    """Over a lossless line some are left; behind 10 dB none are, whatever the error rate."""
    source = "{kind: weak_coherent, intensities: [0.1]}"
    near = ends(prepared, 1_000_000, source, 0.0)
    found = key(play(near))
    several = several_photons(0.1)
    clicks = found["sifted"]
    assert 0 < found["length"] < clicks * (1 - several / (1 - math.exp(-0.1)))
    far = key(play(near.replace("attenuation: 0 dB/km", "attenuation: 10 dB/km")))
    assert (far["length"], far["why"]) == (0, "nothing is secret")
    assert far["secret"] is None


def test_noise_above_the_threshold_ends_without_a_key_and_without_correction() -> None:
    found = key(play(ends(prepared, 40_000, noise=0.9)))
    assert (found["length"], found["leaked"], found["rounds"]) == (0, 0, 0)
    assert found["qber"] is None and found["secret"] is None


def test_noise_that_costs_more_than_there_is_ends_without_a_key() -> None:
    """15 % of errors: what correction tells is all that was secret."""
    found = key(play(ends(prepared, 20_000, noise=0.3)))
    assert_frequency(round(found["qber"] * found["sifted"]), found["sifted"], 0.15)
    assert (found["length"], found["why"]) == (0, "nothing is secret")


def test_steps_take_the_time_of_their_modules() -> None:
    """Virtual time: a slow module shows in the latency of its step."""
    slow = "{throughput: {correction: 1e6, amplification: 1e6}}"
    found = key(play(ends(prepared, 20_000, distil=slow)))
    seconds = found["sifted"] / 1e6
    assert seconds < found["latency"]["correction"] < seconds + 0.002
    assert seconds < found["latency"]["amplification"] < seconds + 1e-4


def test_a_protocol_without_a_bound_is_refused_by_name() -> None:
    _, outcome = attempt(ends(b92, 10_000))
    assert outcome.problem is not None
    assert "no bound here for the key of b92" in outcome.problem.text
    assert outcome.problem.exit_code == 1


def test_angles_of_e91_are_refused_by_name() -> None:
    _, outcome = attempt(f"""
nodes:
  alice: {{program: '{program(e91.Alice)}', with: {{peer: bob, pairs: 10, distil: {{}}}}}}
  bob: {{program: '{program(e91.Bob)}', with: {{peer: alice}}}}
links: [{{between: [alice, bob], quantum: {{length: 2 km,
  entangle: {{attempt: 1 ms, success: 0.5, fidelity: 0.9}}}}}}]
""")
    assert outcome.problem is not None
    assert "axes than Z and X" in outcome.problem.text


@pytest.mark.parametrize(
    ("distil", "said"),
    [
        ("{correction: turbo}", "turbo"),
        ("{variant: option9}", "option9"),
        ("{secrecy: 2}", "secrecy"),
        ("{page: 10}", "page"),
        ("{throughput: {correction: 0}}", "throughput"),
    ],
)
def test_options_that_make_no_sense_are_refused(distil: str, said: str) -> None:
    _, outcome = attempt(ends(prepared, 10_000, distil=distil))
    assert outcome.problem is not None
    assert said in outcome.problem.text


@pytest.mark.parametrize("intensities", ["[0.1, 0.5]", "[0.5, 0]", "[0.5]", "[0.5, 0.2, 0.1, 0]"])
def test_decoys_that_no_bound_is_for_are_refused(intensities: str) -> None:
    _, outcome = attempt(
        ends(decoy, 10_000, f"{{kind: weak_coherent, intensities: {intensities}}}")
    )
    assert outcome.problem is not None
    assert "a key needs a source with two decoys" in outcome.problem.text


def test_ends_with_different_secrets_have_no_key() -> None:
    """The opening is not genuine: nothing is sent that an impostor would see."""
    text = ends(
        prepared,
        10_000,
        distil="{preshared: aa}",
        receiver="{preshared: bb}",
        timeout="1 ms",
        tries=3,
    )
    ran = play(text)
    assert ran.results["alice"] == ran.results["bob"] == {"status": "incomplete", "session": None}


def test_a_small_page_is_enough_for_a_session() -> None:
    """A session has about ten tags of each direction, however many rounds correction takes."""
    page = 100 * TAG_BITS
    found = key(play(ends(prepared, 10_000, distil=f"{{page: {page}}}")))
    assert found["rounds"] > 50
    assert found["spent"] < 30 * TAG_BITS


def test_the_way_to_a_key_repeats_itself() -> None:
    text = ends(prepared, 20_000, distil="{correction: ldpc}")
    assert play(text).digest == play(text).digest


def test_the_bound_is_that_of_the_counts_of_all_intensities() -> None:
    """Counts by hand: what the program hands to the estimation is what was sent and seen."""
    source = (
        "{kind: weak_coherent, intensities: [0.5, 0.1, 0.0002], probabilities: [0.5, 0.3, 0.2]}"
    )
    ran = play(ends(decoy, 2_000_000, source, 0.01, "{variant: original}", z=0.8))
    found, alice = key(ran), ran.results["alice"]
    sent = np.array([alice[name]["sent"] for name in ("signal", "decoy_1", "decoy_2")])
    clicks = np.array([alice[name]["clicks"] for name in ("signal", "decoy_1", "decoy_2")])
    checked = np.array([alice[name]["compared"] for name in ("signal", "decoy_1", "decoy_2")])
    errors = np.array([alice[name]["errors"] for name in ("signal", "decoy_1", "decoy_2")])
    share = 0.8**2 / (0.8**2 + 0.2**2)
    kept = np.round(clicks / clicks.sum() * found["sifted"]).astype(int)
    wrong = np.round(kept * found["qber"]).astype(int)
    guess = of_decoys(
        DecoyCounts(
            intensities=[0.5, 0.1, 0.0002],
            probabilities=(sent / sent.sum()).tolist(),
            key_clicks=kept.tolist(),
            key_errors=wrong.tolist(),
            check_clicks=checked.tolist(),
            check_errors=errors.tolist(),
        ),
        found["leaked"],
        Epsilons(1e-9, closed_forms_of_hash(found["sifted"])),
    )
    assert found["sifted"] == alice["kept"] == alice["sifted"] - alice["compared"]
    assert found["sifted"] / alice["sifted"] == pytest.approx(share, abs=0.005)
    assert found["length"] > 10_000
    assert found["length"] == pytest.approx(guess.length, rel=0.03)
