"""Teleportation over repeaters that are killed: later, but never wrong, and nothing is left behind."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

import qnetem
from qnetem.agents.protocols import teleportation
from qnetem.emulator import closed_forms
from qnetem.emulator.loading import load_topology, with_seed
from qnetem.inprocess.network import InProcessNetwork

from ..physics.bench import Ran, attempt, play, program

ROUNDS = 6
SHOWN = Path(__file__).parents[2] / "topologies" / "broken-repeater.yaml"


def chain(repeaters: int, faults: list[str], timeout: str | None = "8 ms") -> str:
    names = ["alice", *(f"r{number}" for number in range(1, repeaters + 1)), "bob"]
    lines = []
    for before, name, after in zip(names, names[1:], names[2:], strict=False):
        routes = f"routes: [[{before}, {after}]], ends: [alice, bob]"
        lines.append(f"  {name}: {{kind: repeater, with: {{{routes}}}}}")
    retry = f", timeout: {timeout}" if timeout else ""
    for name, peer, kind in (
        ("alice", "bob", teleportation.Sender),
        ("bob", "alice", teleportation.Receiver),
    ):
        options = f"{{peer: {peer}, rounds: {ROUNDS}{retry}}}"
        lines.append(f'  {name}: {{program: "{program(kind)}", with: {options}}}')
    quantum = "{length: 20 km, entangle: {success: 0.2, fidelity: 0.97, attempt: 150 us}}"
    links = [
        f"  - {{between: [{one}, {other}], quantum: {quantum}}}"
        for one, other in itertools.pairwise(names)
    ]
    broken = "".join(f"  - {{{fault}}}\n" for fault in faults)
    return (
        "time: {until: 20 s}\nnodes:\n" + "\n".join(lines) + "\nlinks:\n" + "\n".join(links)
        + (f"\nfaults:\n{broken}" if broken else "\n")
    )  # fmt: skip


def assert_all_arrived(ran: Ran, links: int) -> None:
    """Both ends agree, no state came over a pair that was not one, and all slots are free."""
    assert ran.results["alice"]["teleported"] == ran.results["bob"]["received"] == ROUNDS
    expected = closed_forms.teleported(closed_forms.werner_join(*[0.97] * links))
    assert ran.exact("bob.teleported.fidelity") == pytest.approx(expected)
    assert ran.count("bob.teleported.fidelity") == ROUNDS
    assert ran.left_in_slots() == {}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("at_us", range(0, 9000, 900))
def test_a_kill_at_any_moment_is_survived(at_us: int, seed: int) -> None:
    ran = play(chain(1, [f"at: {at_us} us, kill: r1, restart: 700 us"]), seed)
    assert_all_arrived(ran, 2)


@pytest.mark.parametrize("seed", range(1, 6))
def test_kills_of_each_repeater_in_a_chain_are_survived(seed: int) -> None:
    faults = [
        "at: 1 ms, kill: r2, restart: 1 ms",
        "at: 4 ms, kill: r1, restart: 3 ms",
        "at: 5 ms, kill: r3, restart: 1 ms",
        "at: 12 ms, kill: r2, restart: 9 ms",
        "at: 22 ms, kill: r2, restart: 1 ms",
        "at: 25 ms, kill: r3, restart: 2 ms",
    ]
    assert_all_arrived(play(chain(3, faults), seed), 4)


@pytest.mark.parametrize("seed", range(1, 6))
def test_lost_messages_are_survived_too(seed: int) -> None:
    faults = [
        "at: 0 ms, for: 60 ms, loss: alice-r1, probability: 0.3",
        "at: 0 ms, for: 60 ms, loss: r1-bob, probability: 0.3",
        "at: 3 ms, kill: r1, restart: 1 ms",
    ]
    assert_all_arrived(play(chain(1, faults), seed), 2)


@pytest.mark.parametrize("seed", range(1, 4))
def test_notices_that_come_twice_are_taken_once(seed: int) -> None:
    links = ("alice-r1", "r1-r2", "r2-r3", "r3-bob")
    twice = [f"at: 0 ms, duplicate: {link}, probability: 1, after: 30 us" for link in links]
    ran = play(chain(3, twice), seed)
    assert_all_arrived(ran, 4)
    assert ran.outcome.t_ns == play(chain(3, []), seed).outcome.t_ns  # no pair was given up


@pytest.mark.parametrize(("node", "whole"), [("alice", True), ("bob", False)])
@pytest.mark.parametrize("at_us", range(500, 9000, 1700))
def test_an_end_that_is_killed_counts_anew_or_says_that_it_has_not_all(
    node: str, whole: bool, at_us: int
) -> None:
    """A new sender is a new session; a new receiver cannot know what the old one had."""
    ran = play(chain(1, [f"at: {at_us} us, kill: {node}, restart: 700 us"]), 2)
    alice, bob = ran.results["alice"], ran.results["bob"]
    assert ran.left_in_slots() == {}
    assert ran.outcome.t_ns < 2_000_000_000
    if whole or alice["status"] == "confirmed":  # the first state had not arrived
        assert (alice["teleported"], bob["received"]) == (ROUNDS, ROUNDS)
        assert alice["status"] == bob["status"] == "confirmed"
        assert alice["session"] == bob["session"]
    else:
        assert (alice["status"], bob["status"]) == ("incomplete", "incomplete")


@pytest.mark.parametrize("probability", [0.2, 0.5])
def test_with_attempts_that_always_succeed_the_ends_do_not_miss_each_other_for_ever(
    probability: float,
) -> None:
    """Equal timeouts at both ends and no luck in the links: the ends must still find together."""
    text = chain(
        1,
        [
            f"at: 0 ms, for: 30 ms, loss: r1-bob, probability: {probability}",
            "at: 1 ms, kill: r1, restart: 100 us",
        ],
    ).replace("success: 0.2", "success: 1.0")
    ran = play(text)
    assert_all_arrived(ran, 2)
    assert ran.outcome.t_ns < 1_000_000_000


@pytest.mark.parametrize("repeaters", [1, 3])
def test_no_repeater_keeps_a_half_whose_partner_was_given_up(repeaters: int) -> None:
    """Alice gives up again and again while bob's link is cut: when it heals, nothing stale is joined."""
    last = f"r{repeaters}-bob"
    text = chain(repeaters, [f"at: 0 ms, for: 45 ms, cut: {last}, only: quantum"])
    ran = play(text.replace("success: 0.2", "success: 1.0"))
    assert_all_arrived(ran, repeaters + 1)
    assert ran.count("links.alice-r1.pairs") > ROUNDS  # she did give up
    assert ran.results["alice"]["repeated"] == 0
    assert ran.outcome.t_ns < 45_000_000 + 8_000_000 * (1 + repeaters // 3)


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("repeaters", [1, 3])
def test_a_cut_off_in_the_repeaters_costs_halves_and_no_correctness(
    repeaters: int, seed: int
) -> None:
    """A half waits 750 us for its neighbour on average, and is kept for 500."""
    text = chain(repeaters, [], timeout="20 ms")
    ran = play(text.replace("{kind: repeater,", "{kind: repeater, memory: {cutoff: 500 us},"), seed)
    assert_all_arrived(ran, repeaters + 1)
    assert ran.count("r1.expired") > 0


def test_a_cut_is_only_a_delay() -> None:
    ran = play(chain(1, ["at: 2 ms, for: 40 ms, cut: r1-bob"]))
    assert_all_arrived(ran, 2)
    assert ran.outcome.t_ns > 40_000_000


def test_without_a_timeout_the_run_is_stuck_and_says_what_is_waited_for() -> None:
    """r1 dies while bob holds its half of a pair that is not joined yet."""
    stuck = []
    for at_us in range(300, 3300, 300):
        fault = f"at: {at_us} us, kill: r1, restart: 100 us"
        _, outcome = attempt(chain(1, [fault], timeout=None))
        if outcome.problem is not None:
            stuck.append(outcome.problem)
    assert stuck
    assert {problem.kind for problem in stuck} == {"StuckError"}
    assert all("a message on port swapping" in problem.text for problem in stuck)


def test_ends_that_cannot_speak_end_without_a_result_and_say_so() -> None:
    """A correction without a reply ends in no success, neither of both ends nor of one alone."""
    text = chain(1, ["at: 2 ms, for: 5 s, cut: r1-bob, only: classical"], timeout="5 ms")
    ran = play(text)
    assert ran.outcome.t_ns < 1_000_000_000
    assert [ran.results[end]["status"] for end in ("alice", "bob")] == ["incomplete"] * 2
    assert ran.left_in_slots() == {}


def test_faults_change_nothing_about_determinism() -> None:
    faults = ["at: 3 ms, kill: r1, restart: 1 ms", "at: 9 ms, kill: r1, restart: 1 ms"]
    assert play(chain(1, faults), 5).digest == play(chain(1, faults), 5).digest


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_shown_topology_survives_with_any_seed(seed: int) -> None:
    network = InProcessNetwork(with_seed(load_topology(SHOWN), seed))
    outcome = network.run()
    assert outcome.problem is None
    assert outcome.results["alice"]["teleported"] == outcome.results["bob"]["received"] == 30
    assert network.world.quantum.at_end() == {}


@pytest.mark.processes
def test_the_shown_topology_with_processes_that_are_really_killed(
    mosquitto: str, tmp_path: Path
) -> None:
    real = qnetem.run(SHOWN, runs_folder=tmp_path)
    assert real.ok, real.verdicts
    assert real.digest == qnetem.run(SHOWN, in_process=True, runs_folder=tmp_path).digest
