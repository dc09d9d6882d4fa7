"""BB84: what a fibre does to photons shows in the QBER and in the detected fraction, as theory says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qnetem.agents.agent import Agent
from qnetem.agents.protocols.qkd import bb84
from qnetem.emulator import closed_forms

from ..physics.bench import Ran, assert_frequency, attempt, play, program


class Late(Agent):
    """A receiver that has something else to do first."""

    async def run(self, peer: str) -> dict[str, Any]:
        await self.compute("20 ms")
        result: dict[str, Any] = await self.perform(bb84.Receiver, peer=peer)
        return result


def text(
    quantum: str,
    qubits: int = 1000,
    receiver: type[Agent] = bb84.Receiver,
    devices: str = "",
    classical: str = "{latency: auto}",
    timeout: str | None = None,
    faults: tuple[str, ...] = (),
    **options: object,
) -> str:
    retry = {} if timeout is None else {"timeout": timeout}
    sender = json.dumps({"peer": "bob", "qubits": qubits, "sample": 1.0} | retry | options)
    receiving = json.dumps({"peer": "alice"} | retry)
    return f"""
faults: [{", ".join(f"{{{fault}}}" for fault in faults)}]
nodes:
  alice: {{program: "{program(bb84.Sender)}", with: {sender}, {devices}}}
  bob: {{program: "{program(receiver)}", with: {receiving}, {devices}}}
links:
  - {{between: [alice, bob], quantum: {quantum}, classical: {classical}}}
"""


def exchanged(quantum: str, qubits: int = 1000, seed: int = 1, **rest: Any) -> Ran:
    ran = play(text(quantum, qubits, **rest), seed)
    alice, bob = ran.results["alice"], ran.results["bob"]
    for count in ("sent", "detected", "sifted", "compared", "qber", "by_basis"):
        assert alice[count] == bob[count]
    assert ran.left_in_slots() == {}
    return ran


def errors(ran: Ran, basis: str) -> tuple[int, int]:
    counts = ran.results["bob"]["by_basis"][basis]
    return counts["errors"], counts["compared"]


def test_without_noise_the_qber_is_zero_and_both_ends_have_the_same_bits() -> None:
    result = exchanged("{length: 10 km, attenuation: 0 dB/km}", sample=0.25)
    alice, bob = result.results["alice"], result.results["bob"]
    assert alice["qber"] == bob["qber"] == 0
    assert alice["sifted_bits"] == bob["sifted_bits"]
    assert len(alice["sifted_bits"]) == alice["sifted"] - alice["compared"]
    assert alice["compared"] == round(0.25 * alice["sifted"])
    assert alice["detected"] == 1000
    assert_frequency(alice["sifted"], 1000, 0.5)
    assert_frequency(alice["sifted_bits"].count("1"), len(alice["sifted_bits"]), 0.5)


def test_lost_photons_do_not_shift_the_slots() -> None:
    ran = exchanged("{length: 25 km}", sample=0.5)
    assert ran.results["alice"]["qber"] == 0
    assert ran.results["alice"]["sifted_bits"] == ran.results["bob"]["sifted_bits"]
    assert ran.results["alice"]["detected"] < 500


@pytest.mark.parametrize("probability", [0.08, 0.4])
def test_depolarising_fibre_gives_half_of_it_as_qber_in_both_bases(probability: float) -> None:
    ran = exchanged(f"{{attenuation: 0 dB/km, depolarising: {probability}}}", 3000)
    for basis in "ZX":
        wrong, compared = errors(ran, basis)
        assert compared > 600
        assert_frequency(wrong, compared, closed_forms.depolarising_qber(probability))


def test_dephasing_fibre_errs_in_x_alone() -> None:
    ran = exchanged("{attenuation: 0 dB/km, dephasing: 0.1}", 3000)
    assert errors(ran, "Z")[0] == 0
    assert_frequency(*errors(ran, "X"), 0.1)
    wrong, compared = (sum(both) for both in zip(errors(ran, "Z"), errors(ran, "X"), strict=True))
    assert_frequency(wrong, compared, 0.1 / 2)


@pytest.mark.parametrize(
    ("quantum", "loss_db"),
    [
        ("{length: 20 km, attenuation: 0.2 dB/km}", 4.0),
        ("{length: 10 km, attenuation: 0.35 dB/km, insertion_loss: 1.5 dB}", 5.0),
        ("{insertion_loss: 3 dB}", 3.0),
    ],
)
def test_detected_fraction_is_the_transmittance(quantum: str, loss_db: float) -> None:
    detected = exchanged(quantum, 2000).results["bob"]["detected"]
    assert_frequency(detected, 2000, 10 ** (-loss_db / 10))


def test_measurement_errors_add_to_the_qber() -> None:
    ran = exchanged("{attenuation: 0 dB/km}", 2000, devices="measurement: {error: 0.05}")
    wrong, compared = (sum(both) for both in zip(errors(ran, "Z"), errors(ran, "X"), strict=True))
    assert_frequency(wrong, compared, 0.05)


def test_no_photon_leaves_before_the_receiver_listens() -> None:
    """Neither a receiver that comes late nor slow messages cost photons."""
    late = exchanged("{attenuation: 0 dB/km}", 100, receiver=Late)
    slow = exchanged("{attenuation: 0 dB/km}", 100, classical="{latency: 5 ms}")
    for ran in (late, slow):
        assert ran.results["bob"]["detected"] == 100
        assert ran.results["bob"]["qber"] == 0


def test_photons_that_came_in_time_are_measured_even_if_measuring_is_slow() -> None:
    devices = "measurement: {duration: 30 us}, memory: {slots: 200}"
    ran = exchanged("{attenuation: 0 dB/km}", 100, devices=devices)
    assert ran.results["bob"]["detected"] == 100
    assert ran.results["bob"]["qber"] == 0


def test_gates_slower_than_a_slot_are_refused_by_name() -> None:
    _, outcome = attempt(text("{}", 10, devices="gates: {single: 20 us}", slot="10 us"))
    assert outcome.problem is not None
    assert "a slot of 10000 ns is too short" in outcome.problem.text


def test_a_key_of_nothing_is_no_error() -> None:
    result = exchanged("{insertion_loss: 200 dB}", 20).results["alice"]
    assert (result["detected"], result["qber"], result["sifted_bits"]) == (0, None, "")


@pytest.mark.parametrize("node", ["alice", "bob"])
@pytest.mark.parametrize("at_us", range(0, 4000, 370))
def test_an_end_that_is_killed_at_any_moment_leads_to_another_session(
    node: str, at_us: int
) -> None:
    """All is over at about 4 ms: the slots are 1 to 3 ms."""
    fault = f"at: {at_us} us, kill: {node}, restart: 200 us"
    ran = exchanged("{length: 10 km}", 200, timeout="500 us", faults=(fault,))
    alice, bob = ran.results["alice"], ran.results["bob"]
    assert alice["status"] == bob["status"] == "confirmed"
    assert alice["session"] == bob["session"]
    assert alice["qber"] == 0
    assert ran.left_in_slots() == {}


def test_no_photon_leaves_unless_the_receiver_is_known_to_know_when() -> None:
    """The word of the start gets through, its answer never does."""
    cut = "at: 140 us, for: 1 s, loss: alice-bob, probability: 1"
    _, outcome = attempt(text("{length: 10 km}", 200, timeout="500 us", faults=(cut,)))
    assert outcome.problem is None
    assert {end["status"] for end in outcome.results.values()} == {"incomplete"}
    assert "links.alice-bob.photons_sent" not in outcome.metrics


def test_a_sender_that_was_paused_leaves_slots_empty_and_shifts_none() -> None:
    pause = "at: 3 ms, for: 500 us, pause: alice"
    ran = exchanged("{attenuation: 0 dB/km}", 200, timeout="500 us", faults=(pause,), sample=1.0)
    assert ran.results["bob"]["status"] == "confirmed"
    assert 140 <= ran.results["bob"]["detected"] <= 151
    assert ran.results["bob"]["qber"] == 0


def test_same_seed_same_digest_other_seed_other_bits() -> None:
    first, again, other = (exchanged("{length: 5 km}", 200, seed=seed) for seed in (1, 1, 2))
    assert first.digest == again.digest != other.digest
