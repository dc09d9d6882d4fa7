"""Pairs without a clock from program to program: time tags, BBM92 and E91 in a window, what is refused."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import numpy as np
import pytest

from qnetem import Agent
from qnetem.agents.protocols.qkd import bbm92, e91
from qnetem.agents.protocols.qkd.coincidences import coincidences
from qnetem.emulator.closed_forms.pair_streams import PairStream
from qnetem.emulator.errors import OperationError

from ..physics.bench import Ran, assert_frequency, attempt, play, program
from .test_pair_pulses import LINKS, PLAIN, detecting, nothing, sending, three
from .test_pulses import Script, between

SECOND = 10**12
PASSIVE = "detector: {splitting: [0.5, 0.5]}"


def source(rate: str, **more: Any) -> str:
    keys = "".join(f", {key}: {value}" for key, value in more.items())
    return f"source: {{kind: spdc_cw, pair_rate: {rate}{keys}}}"


def streamed(rate: str, slots: int, more: str = "", **others: tuple[str, Script]) -> Ran:
    """Charlie's pairs to two ends behind beam splitters."""
    ends = {name: (PASSIVE, detecting()) for name in ("alice", "bob")} | others
    return three((source(rate), sending(slots)), PLAIN, more, **ends)


# --- trains ---------------------------------------------------------------------------------------


def test_time_tags_are_picoseconds_of_the_same_pairs_at_both_ends() -> None:
    """Three chunks of pairs: blocks follow the pairs, so that few operations carry much time."""
    ran = streamed("1 MHz", SECOND // 5)
    alice, bob = ran.results["alice"], ran.results["bob"]
    assert alice["seen"] == bob["seen"] == SECOND // 5
    assert alice["slots"] == bob["slots"]
    assert alice["slots"][-1] > 1 << 37 and np.all(np.diff(alice["slots"]) > 0)
    assert abs(alice["clicks"] - 2e5) < 3 * math.sqrt(2e5)
    assert ran.results["charlie"] == SECOND // 5


def test_handles_say_when_in_time_a_click_was() -> None:
    async def alice(me: Agent) -> list[Any]:
        await me.send("charlie")
        clicks = await me.detect("charlie")
        same = np.array_equal(clicks.times_ps, clicks.slots * clicks.period_ps)
        return [clicks.period_ps, clicks.lasts_ns, same]

    ran = streamed("10 kHz", SECOND // 100, alice=(PASSIVE, alice))
    assert ran.results["alice"] == [1, 10_000_000, True]


@pytest.mark.parametrize("lengths", [(0, 300), (300, 0)])
def test_lengths_of_the_arms_are_out_of_the_time_tags(lengths: tuple[int, int]) -> None:
    links = [
        between("charlie", name, length=f"{km} km", attenuation="0 dB/km")
        for name, km in zip(("alice", "bob"), lengths, strict=True)
    ]
    ends = {name: (PASSIVE, detecting()) for name in ("alice", "bob")}
    ran = three((source("1 MHz"), sending(SECOND // 200)), f"[{', '.join(links)}]", **ends)
    alice, bob = ran.results["alice"], ran.results["bob"]
    assert alice["slots"] == bob["slots"]
    assert abs(alice["start_ns"] - bob["start_ns"]) == 1_469_016


def test_a_cut_and_blind_detectors_darken_one_arm_and_leave_the_other_as_it_was() -> None:
    faults = """faults:
  - {at: 3 ms, for: 2 ms, cut: charlie-bob, only: quantum}
  - {at: 8 ms, for: 2 ms, blind: bob}
"""
    slots = SECOND // 80
    calm, struck = (streamed("1 MHz", slots, more).results for more in ("", faults))
    assert calm["alice"] == struck["alice"]
    tags = np.array(struck["bob"]["slots"])
    assert len(tags) == pytest.approx(8500, rel=0.05)
    assert set(tags.tolist()) < set(calm["bob"]["slots"])
    for begin_ms, end_ms in ((3, 5), (8, 10)):
        assert not np.any((tags > begin_ms * 1.01e9) & (tags < end_ms * 0.99e9))


def test_what_had_left_of_a_cancelled_train_arrives_at_both() -> None:
    async def charlie(me: Agent) -> None:
        for _ in range(2):
            await me.receive()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2e-3):
                await me.pair_pulses("alice", "bob", SECOND)

    ends = {name: (PASSIVE, detecting()) for name in ("alice", "bob")}
    ran = three((source("1 MHz"), charlie), PLAIN, **ends)
    alice, bob = ran.results["alice"], ran.results["bob"]
    assert alice["seen"] == bob["seen"] == pytest.approx(2e9, rel=0.01)
    assert alice["slots"] == bob["slots"] and len(alice["slots"]) > 1500


def test_lazy_bases_choose_among_any_axes_for_each_click() -> None:
    """S of Phi+ at a = Z, X and b = Z + X, Z - X: 2 sqrt 2."""
    turned = [[1, 0, 1], [-1, 0, 1]]
    ends = {
        "alice": ("detector: {}", detecting(lazy=True)),
        "bob": ("detector: {}", detecting(axes=turned, lazy=True)),
    }
    ran = three((source("500 kHz"), sending(SECOND // 25)), PLAIN, **ends)
    one, other = (
        {key: np.array(value) for key, value in ran.results[name].items()} for name in ends
    )
    mine, its = coincidences(one["slots"], other["slots"])
    same = 1 - 2.0 * (one["bits"][mine] != other["bits"][its])
    kinds = 2 * one["bases"][mine] + other["bases"][its]
    e = [float(same[kinds == kind].mean()) for kind in range(4)]
    assert e[0] + e[1] + e[2] - e[3] == pytest.approx(2 * math.sqrt(2), abs=0.06)


# --- key ------------------------------------------------------------------------------------------


def keyed(module: Any, detector: str, options: str, fidelity: float, seconds: str) -> str:
    return f"""
nodes:
  charlie:
    program: '{program(module.Source)}'
    with: {{alice: alice, bob: bob, duration: {seconds}}}
    source: {{kind: spdc_cw, pair_rate: 1 MHz, fidelity: {fidelity}}}
  alice:
    program: '{program(module.Alice)}'
    with: {{peer: bob, source: charlie, sample: 1{options}}}
    detector: {detector}
  bob: {{program: '{program(module.Bob)}', with: {{peer: alice, source: charlie}}, detector: {detector}}}
links: [{", ".join(LINKS)}]
"""


def both(ran: Ran) -> dict[str, Any]:
    alice, bob = ran.results["alice"], ran.results["bob"]
    assert alice == bob and alice["status"] == "confirmed"
    found: dict[str, Any] = alice
    return found


def test_bbm92_on_time_tags_has_the_rate_and_the_errors_of_a_stream_of_pairs() -> None:
    """10 % an arm, 200 kHz of darks an end, 40 ns dead, 500 ps of jitter a detector, a window of 800 ps."""
    eyes = (
        "{efficiency: 0.1, dark_count_rate: 50 kHz, dead_time: 40 ns, jitter: 500 ps, "
        "splitting: [0.5, 0.5]}"
    )
    found = both(play(keyed(bbm92, eyes, ", window: 800 ps", 0.97, "500 ms")))
    sigma_ns = 0.5 / (2 * math.sqrt(2 * math.log(2))) * math.sqrt(2)
    theory = PairStream(1e6, 0.1, 0.1, 2e5, 2e5, 0.02, 0.8, sigma_ns, 40.0)
    expected = theory.raw_hz() / 2
    assert abs(found["sifted"] - expected) < 3 * math.sqrt(expected)
    assert found["sifted_hz"] == 2 * found["sifted"]
    assert_frequency(found["errors"], found["compared"], theory.qber())
    for singles, rate_hz in zip(found["singles"], theory.singles_hz(), strict=True):
        # darks, too, meet detectors that are dead
        assert singles == pytest.approx(rate_hz / 2, rel=0.01)
    first, second = found["singles"]
    assert found["car"] == pytest.approx(found["coincidences"] / (first * second * 800e-12 / 0.5))


def test_e91_on_time_tags_has_its_shares_and_its_violation() -> None:
    found = both(play(keyed(e91, "{}", ", window: 100 ps", 0.955, "30 ms")))
    assert_frequency(found["sifted"], found["coincidences"], 2 / 9)
    assert_frequency(found["tested"], found["coincidences"], 4 / 9)
    assert found["compared"] == found["sifted"]
    assert_frequency(found["errors"], found["compared"], 0.03)
    assert found["s"] == pytest.approx(2 * math.sqrt(2) * 0.94, abs=0.06)


def test_time_tags_end_in_a_secret_key() -> None:
    text = keyed(bbm92, "{splitting: [0.5, 0.5]}", ", window: 100 ps, distil: {}", 0.99, "60 ms")
    text = text.replace("source: charlie}", "source: charlie, distil: {}}")
    alice, bob = (play(text).results[name] for name in ("alice", "bob"))
    assert alice["status"] == bob["status"] == "confirmed"
    assert alice["key"]["secret"] == bob["key"]["secret"]
    assert alice["key"]["gain"] == alice["key"]["secret"]["bits"] > 3000


def test_the_source_may_stand_at_alices() -> None:
    text = f"""
nodes:
  alice:
    program: '{program(bbm92.Alice)}'
    with: {{peer: bob, duration: 10 ms, sample: 1, window: 10 ps}}
    {source("1 MHz")}
    {PASSIVE}
  bob: {{program: '{program(bbm92.Bob)}', with: {{peer: alice}}, {PASSIVE}}}
links: [{between("alice", "bob", length="5 km", attenuation="0 dB/km")}]
"""
    found = both(play(text))
    assert found["slots"] == 10**10
    assert found["coincidences"] > 9500
    assert_frequency(found["sifted"], found["coincidences"], 0.5)
    assert found["errors"] == 0


def test_pulses_with_slots_take_a_window_too() -> None:
    """Jitter of 2 ns in slots of 1 ns: the same slot misses most of what 12 slots find."""
    text = keyed(bbm92, "{jitter: 2 ns}", "WINDOW", 1, "2 ms").replace(
        "kind: spdc_cw, pair_rate: 1 MHz", "kind: spdc, rate: 1 GHz, mean_pairs: 0.002"
    )
    narrow, wide = (
        both(play(text.replace("WINDOW", window))) for window in ("", ", window: 12 ns")
    )
    assert narrow["coincidences"] < 0.5 * wide["coincidences"]
    assert wide["coincidences"] > 3600


# --- what is refused ------------------------------------------------------------------------------


def test_time_tags_without_a_window_are_refused() -> None:
    _, outcome = attempt(keyed(bbm92, PASSIVE.removeprefix("detector: "), "", 1, "1 ms"))
    assert "expected a `window` for coincidences" in str(outcome.problem)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (", window: 0 ns", "window: expected a time above 0"),
        (", window: 3 km", "expected a short time"),
        (", pairs: 10", "pairs: expected at least 1, without a source and a window"),
    ],
)
def test_options_that_say_nothing_are_refused(options: str, says: str) -> None:
    _, outcome = attempt(keyed(bbm92, "{}", options, 1, "1 ms"))
    assert says in str(outcome.problem)


async def explicit(me: Agent) -> str:
    await me.send("charlie")
    with pytest.raises(OperationError, match="not in slots with a basis each"):
        await me.detect("charlie")
    return "refused"


def test_a_basis_for_each_picosecond_is_refused() -> None:
    ran = streamed("1 MHz", 10**9, bob=("detector: {}", explicit))
    assert ran.results["bob"] == "refused"
    assert ran.results["alice"]["seen"] == 10**9


def test_an_eavesdropper_who_takes_slots_is_refused() -> None:
    async def eve(me: Agent) -> str:
        with pytest.raises(OperationError, match="come at any time, not in slots: expected detect"):
            await me.intercept("charlie", "bob")
        return "refused"

    links = [LINKS[0], between("charlie", "eve"), between("eve", "bob")]
    ran = three(
        (source("1 MHz"), sending(10**9, listeners=1)),
        f"[{', '.join(links)}]",
        alice=(PASSIVE, detecting()),
        bob=(PASSIVE, nothing),
        eve=("kind: eavesdropper", eve),
    )
    assert ran.results["eve"] == "refused"


def test_single_photons_and_endless_trains_are_refused() -> None:
    async def charlie(me: Agent) -> str:
        with pytest.raises(OperationError, match="is spdc_cw: it sends pairs"):
            await me.pulses("alice", 10)
        with pytest.raises(OperationError, match="expected at most 4611686018427387904"):
            await me.pair_pulses("alice", "bob", 1 << 63)
        return "refused"

    ran = three((source("1 MHz"), charlie), alice=(PASSIVE, nothing), bob=(PASSIVE, nothing))
    assert ran.results["charlie"] == "refused"


def test_a_receiver_that_dies_leaves_the_other_arm_as_it_was() -> None:
    calm, killed = (
        streamed("1 MHz", SECOND // 20, more).results["alice"]
        for more in ("", "faults: [{at: 10 ms, kill: bob}]")
    )
    assert calm == killed
