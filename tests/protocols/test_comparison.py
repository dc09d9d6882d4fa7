"""Measure and compare: correlators with errors at every end, whatever is lost on the way."""

from __future__ import annotations

import math
from typing import Any

import pytest

from qnetem import Agent
from qnetem.agents.protocols.comparison import compare, measure_and_compare
from qnetem.agents.protocols.correlations import Correlations, Outcomes, correlations
from qnetem.agents.protocols.session import CONFIRMED, INCOMPLETE
from qnetem.agents.protocols.swapping import LongPairs
from qnetem.emulator import closed_forms
from qnetem.emulator.closed_forms.limits import werner_chsh
from qnetem.emulator.errors import ProgramError

from .. import harness
from ..physics.bench import Ran, play, program

ALICE = {"a": "Z", "a'": "X"}
BOB = {"b": (1.0, 0.0, 1.0), "b'": (-1.0, 0.0, 1.0)}
#: Of S and of a correlator: what chance alone exceeds once in some 16,000 runs of this seed's kind.
SIGMAS = 4


class Bell(Agent):
    """One end of a test of CHSH; its result says what both ends must agree on."""

    async def run(
        self, peer: str, rounds: int = 200, timeout: str | None = None, far: bool = False
    ) -> dict[str, Any]:
        settings: Any = ALICE if self.name < peer else BOB
        pairs = LongPairs(self, peer, timeout=timeout).obtain if far else None
        found = await measure_and_compare(
            self, peer, settings, rounds, name="chsh", pairs=pairs, timeout=timeout
        )
        if found.status == INCOMPLETE:
            return {"status": INCOMPLETE, "all": found}
        value = found.chsh(("a", "a'"), ("b", "b'"))
        return {"status": found.status, "S": value.value, "error": value.error, "all": found}


def bell(options: str = "", fidelity: float = 0.95, faults: str = "[]", seed: int = 1) -> Ran:
    return play(
        f"""
nodes:
  alice: {{program: "{program(Bell)}", with: {{peer: bob{options}}}}}
  bob: {{program: "{program(Bell)}", with: {{peer: alice{options}}}}}
links:
  - between: [alice, bob]
    classical: {{latency: 100 us}}
    quantum: {{entangle: {{success: 1, fidelity: {fidelity}, attempt: 10 us}}}}
faults: {faults}
""",
        seed,
    )


def test_both_ends_find_the_chsh_value_with_its_error() -> None:
    ran = bell()
    alice, bob = ran.results["alice"], ran.results["bob"]
    assert alice["status"] == bob["status"] == CONFIRMED
    assert alice["all"]["correlators"] == bob["all"]["correlators"]
    assert alice["all"]["rounds"] == 200
    assert alice["error"] == pytest.approx(2 * math.sqrt(1 - 0.435) / math.sqrt(50), rel=0.1)
    assert abs(alice["S"] - werner_chsh(0.95)) < SIGMAS * alice["error"]
    for name, correlator in alice["all"]["correlators"].items():
        series = ran.series(f"bob.chsh.{name}")
        assert series["count"] == correlator["count"]
        assert series["mean"] == pytest.approx(correlator["value"])
        error = series["std"] / math.sqrt(series["count"])
        assert error == pytest.approx(correlator["error"], rel=0.02), "the error `expect` uses"


def test_pairs_over_a_repeater_are_compared_as_well() -> None:
    ran = play(f"""
nodes:
  alice: {{program: "{program(Bell)}", with: {{peer: bob, far: true, rounds: 100}}}}
  bob: {{program: "{program(Bell)}", with: {{peer: alice, far: true, rounds: 100}}}}
  r1: {{kind: repeater}}
links:
  - {{between: [alice, r1], quantum: {{entangle: {{success: 1, fidelity: 0.98, attempt: 1 us}}}}}}
  - {{between: [r1, bob], quantum: {{entangle: {{success: 1, fidelity: 0.98, attempt: 1 us}}}}}}
""")
    alice = ran.results["alice"]
    expected = werner_chsh(closed_forms.werner_join(0.98, 0.98))
    assert alice["all"]["rounds"] == 100
    assert abs(alice["S"] - expected) < SIGMAS * alice["error"]


@pytest.mark.parametrize(
    "fault",
    [
        "{at: 1 ms, for: 3 ms, cut: alice-bob, only: classical}",
        "{at: 0 s, for: 20 ms, loss: alice-bob, probability: 0.4}",
        "{at: 1 ms, for: 5 ms, duplicate: alice-bob, probability: 0.5}",
        "{at: 2 ms, kill: bob, restart: 1 ms}",
        "{at: 2 ms, kill: alice, restart: 1 ms}",
        "{at: 1 ms, for: 2 ms, source_off: alice-bob}",
        "{at: 0 s, for: 9 ms, lost_herald: alice-bob, probability: 0.03, end: bob}",
    ],
)
def test_faults_cost_time_and_no_agreement(fault: str) -> None:
    ran = bell(", rounds: 100, timeout: 2 ms", faults=f"[{fault}]")
    alice, bob = ran.results["alice"], ran.results["bob"]
    assert alice["status"] == bob["status"] == CONFIRMED
    assert alice["all"] == bob["all"]
    assert alice["all"]["session"] and alice["all"]["rounds"] >= 90
    counted = sum(ran.count(f"alice.chsh.{name}") for name in alice["all"]["correlators"])
    assert counted == alice["all"]["rounds"], "recorded once"


def test_an_end_whose_peer_stays_dead_is_incomplete_in_bounded_time() -> None:
    ran = bell(", rounds: 100, timeout: 2 ms", faults="[{at: 1 ms, kill: bob}]\non_error: continue")
    assert ran.results["alice"]["status"] == INCOMPLETE
    assert ran.results["alice"]["all"]["correlators"] == {}


class Greenberger(Agent):
    """One of three with a GHZ state, made by alice and sent; Mermin's correlators."""

    async def run(self, rounds: int = 120, timeout: str | None = None) -> dict[str, Any]:
        parties = ("alice", "bob", "carol")
        outcomes = Outcomes(self, "XY")
        for number in range(rounds):
            if self.name == "alice":
                mine, *others = [await self.qubit() for _ in parties]
                await mine.h()
                for peer, qubit in zip(parties[1:], others, strict=True):
                    await mine.cx(qubit)
                    await self.transmit(qubit, peer)
                await self.compute("1 us")
            else:
                mine = await self.receive_qubit("alice")
            await outcomes.measure(mine, label=str(number))
        found = await compare(self, parties, outcomes, name="ghz", timeout=timeout)
        m = found.mermin() if found.correlators else None
        return {"M": m, "all": found, "status": found.status}


def ghz(options: str = "", faults: str = "[]") -> Ran:
    return play(f"""
nodes:
  alice: {{program: "{program(Greenberger)}", with: {{{options}}}, memory: {{slots: 3}}}}
  bob: {{program: "{program(Greenberger)}", with: {{{options}}}, memory: {{slots: 4}}}}
  carol: {{program: "{program(Greenberger)}", with: {{{options}}}, memory: {{slots: 4}}}}
links:
  - {{between: [alice, bob], quantum: {{length: 1 km, attenuation: 0 dB/km}}}}
  - {{between: [alice, carol], quantum: {{length: 2 km, attenuation: 0 dB/km}}}}
faults: {faults}
""")


def test_three_parties_compare_parities() -> None:
    results = ghz().results
    for party in ("alice", "bob", "carol"):
        assert results[party]["M"] == {"value": 4.0, "error": 0.0}, "a GHZ state without noise"
        assert results[party]["status"] == CONFIRMED
        assert results[party]["all"]["correlators"] == results["alice"]["all"]["correlators"]
    assert results["alice"]["all"]["rounds"] == 120


def test_three_parties_compare_over_a_network_that_loses_messages() -> None:
    loss = "[{at: 0 s, for: 1 s, loss: alice-bob, probability: 0.3}]"
    results = ghz("timeout: 1 ms, rounds: 60", loss).results
    assert {results[party]["status"] for party in results} == {CONFIRMED}
    assert results["carol"]["M"]["value"] == 4.0


def test_only_rounds_that_all_ends_have_count_and_errors_are_the_binomial_ones() -> None:
    first = {"1": ("Z", 0), "2": ("Z", 1), "3": ("X", 1), "4": ("Z", 0)}
    second = {"2": ("Z", 1), "1": ("Z", 1), "3": ("X", 1), "9": ("Z", 0)}
    found, products = correlations(["alice", "bob"], [first, second])
    assert products == [("Z.Z", -1), ("Z.Z", 1), ("X.X", 1)]
    assert (found.rounds, found.at("Z", "Z").value, found.at("Z", "Z").count) == (3, 0.0, 2)
    assert found.at("Z", "Z").error == pytest.approx(math.sqrt(1 / 2))
    assert found.qber().value == pytest.approx(1 / 3) and found.qber("Z").value == 0.5
    with pytest.raises(ProgramError, match=r"no round was measured at 'Z.X'; there are X.X, Z.Z"):
        found.at("Z", "X")
    with pytest.raises(ProgramError, match="at the same setting"):
        Correlations(["a", "b"], {}, 0).qber()


def test_settings_are_given_or_drawn_with_weights_and_mistakes_are_named() -> None:
    async def alice(me: Agent) -> list[str]:
        outcomes = Outcomes(me, "XYZ", weights=[0, 3, 1])
        drawn = [outcomes.draw() for _ in range(200)]
        qubit = await me.qubit()
        assert await outcomes.measure(qubit, "Z", label="one") == 0
        assert outcomes.rounds == {"one": ("Z", 0)}
        for make, problem in (
            (lambda: Outcomes(me, []), "settings have names"),
            (lambda: Outcomes(me, {"a.b": "Z"}), "without a '.'"),
            (lambda: Outcomes(me, "XZ", [1]), "need as many weights"),
            (lambda: Outcomes(me, "XZ", [0, 0]), "not all 0"),
        ):
            with pytest.raises(ProgramError, match=problem):
                make()
        with pytest.raises(ProgramError, match="no setting 'W'; there are X, Y, Z"):
            await outcomes.measure(await me.qubit(), "W", label="two")
        with pytest.raises(ProgramError, match="needs a `label`"):
            await outcomes.measure(await me.qubit())
        for call, problem in (
            (measure_and_compare(me, "bob", "XZ", 0), "0 rounds"),
            (measure_and_compare(me, "bob", "XZ", 2, chosen="X"), "a setting chosen for each"),
            (compare(me, ["bob", "carol"], outcomes), "this one too"),
            (compare(me, ["alice", "alice"], outcomes), "two nodes or more"),
        ):
            with pytest.raises(ProgramError, match=problem):
                await call
        return drawn

    nodes = {"alice": harness.node("alice", alice, slots=4), "bob": harness.idle}
    drawn = harness.run_results(nodes, [harness.link("alice", "bob")])["alice"]
    assert set(drawn) == {"Y", "Z"} and 120 < drawn.count("Y") < 180
