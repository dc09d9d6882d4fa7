"""BBM92 and E91 over heralded pairs: the same programs and results as on trains, and what befalls pairs."""

from __future__ import annotations

import math
from typing import Any

import pytest

from qnetem.agents.protocols.qkd import bbm92, e91
from qnetem.emulator.closed_forms import werner_join

from ..physics.bench import Ran, assert_frequency, attempt, play, program

PAIRS = 1500
FIDELITY = 0.91
#: Of a Werner pair: (1 - V)/2.
VISIBILITY = (4 * FIDELITY - 1) / 3


def heralded(
    module: Any,
    pairs: int = PAIRS,
    fidelity: float = FIDELITY,
    alice: str = "",
    bob: str = "",
    nodes: str = "",
    success: float = 1.0,
) -> str:
    entangle = f"{{fidelity: {fidelity}, attempt: 10 us, success: {success}}}"
    return f"""
nodes:
  alice:
    program: '{program(module.Alice)}'
    with: {{peer: bob, pairs: {pairs}, sample: 1{alice}}}
    {nodes}
  bob: {{program: '{program(module.Bob)}', with: {{peer: alice{bob}}}}}
links: [{{between: [alice, bob], length: 2 km, quantum: {{entangle: {entangle}}}}}]
"""


def both(ran: Ran) -> dict[str, Any]:
    alice, bob = ran.results["alice"], ran.results["bob"]
    assert alice == bob and alice["status"] == "confirmed"
    found: dict[str, Any] = alice
    return found


def test_bbm92_sifts_half_of_the_pairs_and_errs_by_their_fidelity() -> None:
    ran = play(heralded(bbm92))
    found = both(ran)
    assert found["slots"] == found["coincidences"] == PAIRS
    assert found["singles"] == [PAIRS, PAIRS]
    assert_frequency(found["sifted"], PAIRS, 0.5)
    assert_frequency(found["errors"], found["compared"], (1 - VISIBILITY) / 2)
    assert [*found["by_basis"]] == ["Z", "X"]
    assert found["car"] is None
    # each attempt succeeds, and begins 10 us after the one before
    assert found["sifted_hz"] == pytest.approx(found["sifted"] / PAIRS * 1e5, rel=0.02)
    assert ran.count("links.alice-bob.pairs") == PAIRS


def test_e91_violates_by_the_visibility_of_its_pairs() -> None:
    found = both(play(heralded(e91)))
    assert_frequency(found["sifted"], PAIRS, 2 / 9)
    assert_frequency(found["tested"], PAIRS, 4 / 9)
    spread = 2 * math.sqrt((1 - VISIBILITY**2 / 2) / (found["tested"] / 4))
    assert found["s"] == pytest.approx(2 * math.sqrt(2) * VISIBILITY, abs=3 * spread)
    assert_frequency(found["errors"], found["sifted"], (1 - VISIBILITY) / 2)


def test_results_have_the_keys_of_a_train() -> None:
    trained = """
nodes:
  alice:
    program: 'PROGRAM:Alice'
    with: {peer: bob, slots: 1000}
    source: {kind: spdc, mean_pairs: 0.1}
    detector: {}
  bob: {program: 'PROGRAM:Bob', with: {peer: alice}, detector: {}}
links: [{between: [alice, bob], length: 1 km, quantum: {}}]
"""
    for module in (bbm92, e91):
        text = trained.replace(
            "PROGRAM", f"qnetem.agents.protocols.qkd.{module.__name__.split('.')[-1]}"
        )
        assert both(play(text)).keys() == both(play(heralded(module, 20))).keys()


# --- over the network -----------------------------------------------------------------------------


def networked(module: Any, pairs: int, both_ends: str = "", faults: str = "") -> str:
    """Two ends whose pairs a repeater joins."""
    return f"""
defaults:
  services: {{link: {{}}, network: {{}}}}
  quantum: {{entangle: {{fidelity: 0.97, attempt: 10 us, success: 0.5}}}}
nodes:
  alice:
    program: '{program(module.Alice)}'
    with: {{peer: bob, pairs: {pairs}, over: network, sample: 1{both_ends}}}
  r1: {{kind: repeater}}
  bob: {{program: '{program(module.Bob)}', with: {{peer: alice{both_ends}}}}}
links:
  - {{between: [alice, r1], length: 2 km, quantum: {{}}}}
  - {{between: [r1, bob], length: 2 km, quantum: {{}}}}
{faults}
"""


@pytest.mark.parametrize(("module", "sifted"), [(bbm92, 1 / 2), (e91, 2 / 9)])
def test_pairs_of_the_network_are_as_good_as_joined_links(module: Any, sifted: float) -> None:
    found = both(play(networked(module, 600)))
    assert found["singles"] == [600, 600]
    assert found["coincidences"] == 600
    assert_frequency(found["sifted"], 600, sifted)
    qber = 2 / 3 * (1 - werner_join(0.97, 0.97))
    assert_frequency(
        found["errors"], found["compared"] if module is bbm92 else found["sifted"], qber
    )


@pytest.mark.parametrize("killed", ["bob", "r1"])
def test_ends_agree_over_a_network_that_loses_messages_and_a_node(killed: str) -> None:
    faults = f"""faults:
  - {{at: 0 ms, loss: alice-r1, probability: 0.05, for: 30 ms}}
  - {{at: 8 ms, restart: {killed}, after: 500 us}}
"""
    _, outcome = attempt(networked(bbm92, 100, ", timeout: 5 ms, tries: 20", faults))
    alice, bob = outcome.results["alice"], outcome.results["bob"]
    assert alice == bob
    assert alice["status"] == "confirmed"
    assert alice["coincidences"] > 50


def test_a_network_without_pairs_is_refused() -> None:
    _, outcome = attempt(networked(bbm92, 10).replace("pairs: 10, ", ""))
    assert "over: network needs pairs" in str(outcome.problem)


# --- what befalls pairs ---------------------------------------------------------------------------


def test_a_pair_that_expires_at_one_end_shifts_no_bit_of_the_others() -> None:
    """Alice stands still three times, for longer than her memory keeps a half."""
    nodes = "memory: {cutoff: 100 us}"
    pauses = "".join(
        f"  - {{at: {at} us, pause: alice, for: 200 us}}\n" for at in (333, 1444, 2555)
    )
    ran = play(heralded(bbm92, 200, 1.0, nodes=nodes) + f"faults:\n{pauses}")
    found = both(ran)
    lost = int(ran.count("alice.expired"))
    assert lost > 0
    assert found["singles"] == [200 - lost, 200]
    assert found["coincidences"] == 200 - lost
    assert found["errors"] == 0 < found["compared"]


@pytest.mark.parametrize("seed", range(3))
def test_ends_that_lose_messages_and_restart_hold_the_same_bits(seed: int) -> None:
    retry = ", timeout: 1 ms, tries: 8"
    text = heralded(bbm92, 100, 1.0, retry, retry).replace("sample: 1", "sample: 0.5")
    faults = """faults:
  - {at: 0 ms, loss: alice-bob, probability: 0.3, for: 30 ms}
  - {at: 300 us, restart: bob, after: 50 us}
"""
    _, outcome = attempt(text + faults, seed)
    alice, bob = outcome.results["alice"], outcome.results["bob"]
    assert alice["status"] == bob["status"] == "confirmed"
    assert alice == bob
    assert alice["errors"] == 0 < alice["compared"]
    assert alice["kept"] == alice["sifted"] - alice["compared"]


def test_an_end_without_its_peer_gives_up_and_holds_nothing() -> None:
    retry = ", timeout: 1 ms, tries: 4"
    faults = "faults: [{at: 300 us, kill: bob}]\n"
    _, outcome = attempt(heralded(e91, 100, 1.0, retry, retry) + faults)
    assert outcome.results["alice"] == {"status": "incomplete", "session": None}
    assert outcome.results.get("bob") is None


@pytest.mark.parametrize(
    ("pairs", "more"), [(0, ""), (-3, ""), (10, ", source: bob"), (10, ", window: 2 ns")]
)
def test_pairs_that_are_none_are_refused(pairs: int, more: str) -> None:
    _, outcome = attempt(heralded(bbm92, pairs, alice=more))
    assert "pairs: expected at least 1, without a source and a window" in str(outcome.problem)
