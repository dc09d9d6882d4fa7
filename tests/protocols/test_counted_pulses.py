"""Trains that are only counted, from program to program: the same numbers as slot by slot."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import numpy as np
import pytest

from qnetem import Agent
from qnetem.emulator.errors import OperationError

from ..physics.bench import Ran
from .test_pulses import between, run

SLOTS = 1 << 22
WEIGHTS = (0.7, 0.3)
#: hardware of both ends, the link, and faults that begin and end while a train is under way
SYSTEMS = {
    "gys": (
        "hardware: gys",
        between("alice", "bob", length="10 km", attenuation="0.21 dB/km", depolarising="0.066"),
        """faults:
  - {at: 500 ms, for: 700 ms, cut: alice-bob}
  - {at: 1300 ms, for: 600 ms, dark_counts: bob, rate: 40 MHz}""",
    ),
    "lim_2014 with dead time": (
        "hardware: lim_2014, detector: {dead_time: 40 ns}",
        between("alice", "bob", length="5 km", depolarising="0.01"),
        """faults:
  - {at: 1 ms, for: 1 ms, loss_db: alice-bob, by: 10 dB}
  - {at: 3 ms, for: 500 us, source_off: alice}""",
    ),
    "drifting, beside traffic": (
        "hardware: fast",
        between(
            "alice",
            "bob",
            length="20 km",
            environment="{grid: 200 us, polarisation_drift: 300 rad2/s}",
            coexistence="{filter: 0.6 nm, channels: [{power: 3 dBm, wavelength: 1540 nm}]}",
        ),
        """faults: [{at: 2 ms, for: 1 ms, misalignment: alice-bob, by: 0.6 rad}]
hardware:
  fast:
    source: {rate: 1 GHz, intensities: [0.5, 0.1]}
    detector: {efficiency: 0.3, dark_count_rate: 5 kHz, splitting: [0.5, 0.5]}""",
    ),
}


def system(name: str, sends: Any, takes: Any) -> Ran:
    hardware, link, faults = SYSTEMS[name]
    return run({"alice": (hardware, sends), "bob": (hardware, takes)}, f"[{link}]", faults)


def cells(settings: np.ndarray, sent: np.ndarray, found: np.ndarray, many: int) -> np.ndarray:
    return np.bincount((settings * 2 + sent) * 2 + found, minlength=many * 4)


@pytest.mark.parametrize("name", SYSTEMS)
def test_counts_are_those_of_slots_in_drift_and_faults(name: str) -> None:
    passive = "splitting" in SYSTEMS[name][-1]
    shared: dict[str, Any] = {}

    async def pulses(me: Agent) -> None:
        shared["train"] = await me.pulses("bob", SLOTS, weights=WEIGHTS)

    async def detected(me: Agent) -> None:
        shared["clicks"] = await me.detect("alice", weights=None if passive else WEIGHTS)

    async def counted(me: Agent) -> None:
        await me.counted_pulses("bob", SLOTS, weights=WEIGHTS)

    async def counts(me: Agent) -> Any:
        found = await me.count_clicks("alice", weights=None if passive else WEIGHTS)
        return {"clicks": found.clicks.ravel().tolist(), "errors": found.errors.ravel().tolist()}

    system(name, pulses, detected)
    train, clicks = shared["train"], shared["clicks"]
    bases, bits, settings = (np.asarray(each) for each in train.at(clicks.slots))
    wrong = np.asarray(clicks.bits) != bits
    drawn = system(name, counted, counts).results["bob"]
    columns = (settings, bases, np.asarray(clicks.bases))
    many = len(train.means)
    seen = cells(*columns, many)
    seen_errors = cells(*(each[wrong] for each in columns), many)
    assert seen.sum() > 1000
    for ours, theirs in ((drawn["clicks"], seen), (drawn["errors"], seen_errors)):
        for one, other in zip(ours, theirs.tolist(), strict=True):
            assert abs(one - other) <= 4 * math.sqrt(one + other + 1), (ours, theirs)


async def _listens(me: Agent) -> Any:
    return (await me.count_clicks("alice")).slots


def test_both_ends_have_one_secret_and_it_is_in_no_message() -> None:
    async def sends(me: Agent) -> Any:
        return (await me.counted_pulses("bob", 10**12)).secret

    async def takes(me: Agent) -> Any:
        return (await me.count_clicks("alice")).secret

    ran = system("gys", sends, takes)
    assert ran.results["alice"] == ran.results["bob"]
    assert ran.results["alice"]["bits"] == 256


def test_a_sender_that_is_cancelled_has_sent_what_had_left() -> None:
    async def sends(me: Agent) -> None:
        async with asyncio.timeout(0.25):
            await me.counted_pulses("bob", 10**12)

    async def guarded(me: Agent) -> None:
        try:
            await sends(me)
        except TimeoutError:
            return

    assert system("gys", guarded, _listens).results["bob"] == 500_000


@pytest.mark.parametrize(
    ("sends", "takes", "why"),
    [
        (lambda me: me.counted_pulses("bob", 1000), lambda me: me.detect("alice"), "has no slots"),
        (lambda me: me.pulses("bob", 1000), _listens, "was not sent to be counted"),
        (lambda me: me.counted_pulses("bob", 0), _listens, "at least 1"),
        (
            lambda me: me.counted_pulses("bob", 10, weights=[1, 2, 3]),
            _listens,
            "weights: expected 2",
        ),
    ],
)
def test_what_does_not_fit_is_refused(sends: Any, takes: Any, why: str) -> None:
    refusals = []

    def noting(part: Any) -> Any:
        async def script(me: Agent) -> None:
            try:
                async with asyncio.timeout(1):
                    await part(me)
            except OperationError as error:
                refusals.append(str(error))
            except TimeoutError:
                return

        return script

    system("gys", noting(sends), noting(takes))
    assert [why in each for each in refusals] == [True]
