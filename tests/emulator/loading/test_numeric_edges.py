"""Every number of a topology at its edges: refused with what was expected, or a run that ends soon.

Rule: no value of any numeric key is our bug, takes memory without end, or seconds.
"""

from __future__ import annotations

import asyncio
import copy
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import qnetem
from qnetem import Agent
from qnetem.emulator.errors import InputError, QnetemError, TopologyError
from qnetem.emulator.loading import build_topology
from tests.counts import count

_NUMBER = re.compile(r"\s*[-+]?[\d.]+(?:e[-+]?\d+)?\s*(.*)\Z")
_SIZES = ["0", "-1", "1e-300", "1e-9", "0.5", "1e9", "1e18", "9.2e18", "1e300", "-0", "1e-323"]
_SIZES += ["5e-324", "1e-400", "1e400", "inf", "nan", "1" * 1000]
_KINDS: list[Any] = [True, None, "", "x", [], {}]
_WHOLE: list[Any] = [0, -1, 10**5, 10**12, 2**63 - 1, 2**63, 10**400, 1.0, 1e3, "3"]
_FLOATS: list[Any] = [0, -1, 1e-300, 1e300, -0.0, 5e-324, 1 + 1e-9, 0.5, 200, 10**400, "50 %"]
_FLOATS += [float("inf"), float("nan")]
#: Keys whose values are no numbers, though they may look like one.
_WORDS = ("name", "program", "with", "between", "kind", "encoding", "kinds", "mode", "statistics")


class Everything(Agent):
    """Does a little of all: pairs, photons, a train and a message, each for a short time."""

    async def run(self, peer: str, first: bool = False) -> str:
        await asyncio.gather(
            *(
                self._tried(each)
                for each in (self._pairs, self._photons, self._train, self._message)
            )
        )
        return f"{peer} {first}"

    async def _tried(self, part: Any) -> None:
        peer, first = ("b", True) if self.name == "a" else ("a", False)
        try:
            async with asyncio.timeout(0.0005):
                await part(peer, first)
        except (QnetemError, TimeoutError):
            return

    async def _pairs(self, peer: str, _first: bool) -> None:
        for _ in range(3):
            await (await self.entangle(peer)).measure("X")

    async def _photons(self, peer: str, first: bool) -> None:
        for _ in range(3):
            if first:
                qubit = await self.qubit()
                await qubit.x()
                await self.transmit(qubit, peer)
            else:
                await (await self.receive_qubit(peer)).measure("Z")

    async def _train(self, peer: str, first: bool) -> None:
        await (self.pulses(peer, 1000) if first else self.detect(peer))

    async def _message(self, peer: str, first: bool) -> None:
        if first:
            await self.send(peer, {"a": 1}, kind="k")
        else:
            await self.receive(kind="k")


def net(quantum: dict[str, Any], node: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    ends = {
        name: {"program": Everything, "with": {"peer": peer}, **copy.deepcopy(node or {})}
        for name, peer in (("a", "b"), ("b", "a"))
    }
    classical = {"latency": "5 us", "bandwidth": "1 Mbit/s"}
    link = {"between": ["a", "b"], "length": "1 km", "quantum": quantum, "classical": classical}
    return {"name": "m", "time": {"until": "2 ms"}, "nodes": ends, "links": [link], **more}


_DEVICES = {
    "memory": {"slots": 16, "t1": "10 s", "t2": "1 s", "initialisation": "2 us"}
    | {"initialisation_error": 0.01, "cutoff": "100 ms"},
    "gates": {"single": "1 us", "two": "10 us", "single_error": 0.001, "two_error": 0.01},
    "measurement": {"duration": "5 us", "error": 0.01},
}
_DETECTOR = {"efficiency": 0.8, "dark_count_rate": "100 Hz", "dead_time": "50 ns"}
_DETECTOR |= {"afterpulse": 0.01, "afterpulse_decay": "100 ns", "jitter": "50 ps"}
_DETECTOR |= {"gate": "500 ps", "transmittance": 0.9}
_ENVIRONMENT = {
    "grid": "100 us",
    "polarisation_drift": "0.1 rad2/s",
    "phase_drift": "1 rad2/s",
    "vibrations": [{"amplitude": "0.3 rad", "frequency": "50 Hz"}],
    "temperature": {"swing": "5 K", "period": "24 h", "fluctuation": "0.5 K"}
    | {"correlation": "10 min"},
}
_CHANNEL = {"power": "0 dBm", "count": 8, "wavelength": "1550 nm", "attenuation": "0.2 dB/km"}
_CHANNEL |= {"rho": "3e-9 /km/nm"}
_FIBRE = {
    "attenuation": "0.2 dB/km",
    "insertion_loss": "1 dB",
    "group_index": 1.468,
    "depolarising": 0.02,
    "dephasing": 0.01,
    "dispersion": "17 ps/nm/km",
    "dispersion_slope": "0.058 ps/nm2/km",
    "pmd": "0.2 ps/sqrt(km)",
    "misalignment": "10 deg",
    "thermal_delay": "38 ps/km/K",
    "pulse": {"wavelength": "1550 nm", "duration": "50 ps", "linewidth": "0.1 nm"},
    "gate": "1 ns",
    "environment": _ENVIRONMENT,
    "coexistence": {"filter": "0.2 nm", "channels": [_CHANNEL]},
}
_SIMPLE = {"success": 0.5, "fidelity": 0.95, "attempt": "10 us", "multiplexing": 1}
_EMITTER = {"emission": 1.0, "zero_phonon": 0.03, "collection": 0.4, "lifetime": "12 ns"}
_SINGLE = {
    "kind": "single_click",
    "alpha": 0.1,
    "emitter": _EMITTER,
    "detector": {"efficiency": 0.8, "dark_count_rate": "20 Hz", "window": "25 ns"},
    "preparation": "5.5 us",
    "station": 0.5,
    "visibility": 0.9,
    "phase_noise": "15 deg",
    "stabilisation": "10 ms",
    "double_excitation": 0.04,
}
_DOUBLE = {
    "kind": "double_click",
    "detection": {"first": 0.28, "second": 0.42},
    "detector": {"dark_count_rate": "20 Hz", "window": "25 ns"},
    "depolarising": 0.01,
}
_MIDPOINT = {
    "kind": "midpoint_source",
    "clock": "1 us",
    "pair_probability": 0.01,
    "pair_fidelity": 0.98,
    "latching": {"first": 0.8, "second": 0.8, "window": "10 ns"},
    "dark_probability": 1e-6,
}
_LASER = {"rate": "1 GHz", "intensities": [0.5, 0.1, 0.0], "probabilities": [0.8, 0.1, 0.1]}
_SOURCES = [
    {"kind": "single_photon", "rate": "1 GHz", "brightness": 0.3, "g2": 0.01},
    {"kind": "emitter", "rate": "20 MHz", "collection": 0.1, "lifetime": "12 ns"}
    | {"window": "25 ns", "double_excitation": 0.04},
    {"kind": "spdc", "rate": "100 MHz", "mean_pairs": 0.05, "fidelity": 0.98},
]
_WHEN = {"at": "10 us", "for": "50 us"}
_FAULTS: list[dict[str, Any]] = [
    {"every": "100 us", "until": "1 ms", "at": "10 us", "cut": "a-b", "for": "1 us"},
    {"at": "10 us", "kill": "a", "restart": "20 us"},
    {"at": "10 us", "kill": {"pick": 0.5}},
    {"at": "10 us", "restart": "a", "after": "20 us"},
    {**_WHEN, "loss": "a-b", "probability": 0.5},
    {**_WHEN, "delay": "a-b", "by": "1 us"},
    {**_WHEN, "jitter": "a-b", "by": "1 us"},
    {**_WHEN, "duplicate": "a-b", "probability": 0.5, "after": "1 us"},
    {**_WHEN, "reorder": "a-b", "probability": 0.5, "by": "1 us"},
    {**_WHEN, "corrupt": "a-b", "probability": 0.5, "bits": 2},
    {**_WHEN, "bandwidth": "a-b", "to": "1 Mbit/s"},
    {**_WHEN, "loss_db": "a-b", "by": "3 dB"},
    {**_WHEN, "misalignment": "a-b", "by": "0.1 rad"},
    {**_WHEN, "dark_counts": "b", "rate": "100 Hz"},
    {**_WHEN, "decohere": "a", "t2": "1 ms"},
    {**_WHEN, "lost_herald": "a-b", "probability": 0.5},
    {**_WHEN, "clouds": "a-b", "loss": "3 dB", "cover": 0.5, "passage": "10 us"},
    {**_WHEN, "clock_skew": "a", "offset": "1 us", "ppm": 10.0},
]
_CAMPAIGN = {"rate": "5000 Hz", "from": "10 us", "until": "1 ms", "for": ["1 us", "20 us"]}
BASES = [
    net(_FIBRE, {**_DEVICES, "source": _LASER, "detector": _DETECTOR}, seed=3),
    *(net({}, {"source": source, "detector": {"splitting": [0.5, 0.5]}}) for source in _SOURCES),
    net({"entangle": _SIMPLE}, _DEVICES, time={"until": "2 ms", "speed": 2.0}),
    net({"entangle": _SINGLE, "environment": _ENVIRONMENT}),
    net({"entangle": _DOUBLE}),
    net({"entangle": _MIDPOINT}),
    *(net({"entangle": _SIMPLE}, {"source": {}, "detector": {}}, faults=[f]) for f in _FAULTS),
    net({"entangle": _SIMPLE}, faults={"random": {**_CAMPAIGN, "kinds": ["cut", "loss", "kill"]}}),
]
Path_ = tuple[str | int, ...]


def numbers(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every number and quantity below `value`, with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in _WORDS and not (path[:1] == ("nodes",) and key == "b"):
                yield from numbers(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from numbers(item, (*path, index))
    elif isinstance(value, (int, float)) or _NUMBER.match(str(value)):
        yield path, value


def edges(value: Any) -> list[Any]:
    """What may stand instead of a number."""
    if isinstance(value, int):
        return _WHOLE + _KINDS
    if isinstance(value, float):
        return _FLOATS + _KINDS
    match = _NUMBER.match(value)
    assert match is not None
    return [f"{size} {match[1]}" for size in _SIZES] + [1, 1.5, *_KINDS]


def replaced(data: dict[str, Any], path: Path_, value: Any) -> dict[str, Any]:
    """A copy with another value at `path`, at both nodes if it is one's."""
    data = copy.deepcopy(data)
    for each in (path, tuple("b" if step == "a" else step for step in path)):
        here: Any = data
        for step in each[:-1]:
            here = here[step]
        here[each[-1]] = value
    return data


def cases(most: int | None = None) -> list[dict[str, Any]]:
    """A tenth of them (in a campaign all), or a tenth of `most`, mixed and always in the same order."""
    found = [
        (base, path, edge)
        for base in BASES
        for path, value in numbers(base)
        for edge in edges(value)
    ]
    random.Random(7).shuffle(found)
    return [replaced(*each) for each in found[: count(most or len(found))]]


def without_programs(data: dict[str, Any]) -> dict[str, Any]:
    data = copy.deepcopy(data)
    for node in data["nodes"].values():
        del node["program"], node["with"]
    return data


@pytest.mark.parametrize("base", BASES, ids=range(len(BASES)))
def test_what_the_edges_are_tried_on_is_valid(base: dict[str, Any]) -> None:
    build_topology(without_programs(base))


@pytest.mark.campaign
def test_a_number_at_its_edge_is_taken_or_refused_at_its_place() -> None:
    found = cases(1000)
    refused: list[str] = []
    for data in found:
        began = time.process_time()
        try:
            build_topology(without_programs(data))
        except TopologyError as error:
            refused.append(str(error))
        assert time.process_time() - began < 3.0, data
    assert len(refused) > len(found) / 3
    assert all(re.search(r"nodes|links|faults|time|seed", told) for told in refused)


@pytest.mark.campaign
def test_a_run_with_a_number_at_its_edge_ends_soon_and_well(tmp_path: Path) -> None:
    for number, data in enumerate(cases(400)):
        began = time.process_time()
        try:
            found = qnetem.run(data, in_process=True, runs_folder=tmp_path / str(number))
        except InputError:
            continue
        assert found.exit_code in (0, 3), data
        assert time.process_time() - began < 5.0, data
