"""Intercept and resend at any fraction, in any basis, on trains and on single photons."""

from __future__ import annotations

import math

import pytest

from qnetem.closed_forms import breidbart_guess, intercept_resend_qber

from ..physics.bench import Ran, assert_frequency, assert_mean, attempt, play

QKD = "qnetem.agents.protocols.qkd"
#: Of each basis: its error rates in Z and in X, and how often it guesses a bit at full attack.
ATTACKS = {
    "random": (0.25, 0.25, 0.75),
    "Z": (0.0, 0.5, 0.75),
    "X": (0.5, 0.0, 0.75),
    "breidbart": (0.25, 0.25, breidbart_guess()),
}


def attacked(protocol: str, options: str, eve: str, both: str = "") -> Ran:
    return play(f"""
nodes:
  alice:
    program: "{QKD}.{protocol}:Sender"
    with: {{peer: bob, sample: 1.0, {options}{both}}}
    source: {{rate: 1 GHz, kind: single_photon, brightness: 1, g2: 0}}
  bob:
    program: "{QKD}.{protocol}:Receiver"
    with: {{peer: alice{both}}}
    detector: {{}}
  eve:
    kind: eavesdropper
    program: "qnetem.agents.roles.eavesdropper:InterceptResend"
    with: {{first: alice, second: bob, {eve}}}
    service: true
links: [{{between: [alice, bob], quantum: {{length: 10 km, attenuation: 0 dB/km}}}}]
faults: [{{at: 0 s, eavesdrop: alice-bob, by: eve, classical: tap}}]
""")


def check(ran: Ran, fraction: float, basis: str) -> None:
    """Errors in Z and X, and the share of the bits that Eve guesses, within 3 sigma of theory."""
    in_z, in_x, guess = ATTACKS[basis]
    found = ran.results["bob"]["by_basis"]
    for letter, error in (("Z", in_z), ("X", in_x)):
        assert_frequency(found[letter]["errors"], found[letter]["compared"], fraction * error)
    assert intercept_resend_qber(fraction) == pytest.approx(fraction * (in_z + in_x) / 2)
    compared = found["Z"]["compared"] + found["X"]["compared"]
    guessed = ran.series("eve.guessed")["mean"]
    assert_mean(guessed, compared, 0.5 + fraction * (guess - 0.5), 0.5 * math.sqrt(fraction))


@pytest.mark.parametrize("basis", ATTACKS)
@pytest.mark.parametrize("fraction", [0.1, 0.5, 1.0])
def test_a_share_f_leaves_f_quarters_of_the_bits_wrong(fraction: float, basis: str) -> None:
    ran = attacked("prepared", "pulses: 40000", f"fraction: {fraction}, basis: {basis}")
    assert ran.results["bob"]["sifted"] > 19_000
    check(ran, fraction, basis)


@pytest.mark.parametrize(("fraction", "basis"), [(0.5, "random"), (1.0, "Z"), (1.0, "breidbart")])
def test_it_does_the_same_to_single_photons(fraction: float, basis: str) -> None:
    ran = attacked("bb84", "qubits: 600", f"fraction: {fraction}, basis: {basis}")
    assert ran.results["bob"]["sifted"] > 250
    check(ran, fraction, basis)


def test_ends_shorten_their_key_by_what_they_estimate_and_abort_when_it_is_too_much() -> None:
    found = {
        fraction: attacked(
            "prepared", "pulses: 60000", f"fraction: {fraction}", ", distil: {secrecy: 1.0e-6}"
        ).results
        for fraction in (0.0, 0.1, 1.0)
    }
    lengths = [ends["bob"]["key"]["length"] for ends in found.values()]
    assert lengths == [ends["alice"]["key"]["length"] for ends in found.values()]
    assert lengths[0] > 1.5 * lengths[1] > 1000
    assert (lengths[2], found[1.0]["bob"]["key"]["why"]) == (0, "nothing is secret")


def test_a_fraction_that_is_none_is_refused() -> None:
    _, outcome = attempt("""
nodes:
  alice: {program: "qnetem.agents.roles.endpoint:Endpoint"}
  bob: {program: "qnetem.agents.roles.endpoint:Endpoint"}
  eve:
    kind: eavesdropper
    program: "qnetem.agents.roles.eavesdropper:InterceptResend"
    with: {first: alice, second: bob, fraction: 1.5}
links: [{between: [alice, bob], quantum: {length: 10 km}}]
""")
    assert outcome.problem is not None
    assert "fraction must be in [0, 1], not 1.5" in str(outcome.problem)
