"""Each network in space shows what it promises; programs wait for contacts."""

from __future__ import annotations

from pathlib import Path

import pytest

import qnetem
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.places import planned_contacts

from .. import harness

FILES = sorted(Path(__file__).parents[2].glob("topologies/space/*.yaml"))
PROGRAM = """
import asyncio

from qnetem import Agent
from qnetem.emulator.errors import LinkError


class Waits(Agent):
    async def run(self, peer: str):
        ends, begins = [], []
        for _ in range(2):
            ends.append(await self.contact(peer))
            begins.append(self.now_ns)
            if ends[-1] is not None:
                await self.send(peer, {})
                await asyncio.sleep((ends[-1] - self.now_ns) / 1e9)
        try:
            await self.contact(peer)
        except LinkError as error:
            return {"begins": begins, "ends": ends, "last": str(error)}
        return {"begins": begins, "ends": ends}


class Hears(Agent):
    async def run(self, count: int = 2):
        return {"came": [(await self.receive()) and self.now_ns for _ in range(count)]}
"""
NETWORK = """
name: contacts
time: {until: 13 h, epoch: 2026-03-20T00:00:00Z}
nodes:
  sat:
    orbit: {altitude: 500 km, inclination: 97.4 deg, anomaly: 20 deg}
    program: "./waits.py:Waits"
    with: {peer: ogs}
  ogs:
    position: {latitude: 40.4 deg, longitude: 180 deg}
    program: "./waits.py:Hears"
  home: {program: "./waits.py:Waits", with: {peer: ogs}}
links:
  - between: [sat, ogs]
    quantum:
      medium: free_space
      beam: {wavelength: 850 nm, divergence: {half_angle: 5 urad}}
      telescope: {aperture: 1 m}
  - {between: [ogs, home], length: 5 km}
"""


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_it_shows_what_it_promises(path: Path, tmp_path: Path) -> None:
    harness.expectations_hold(path, tmp_path)


def test_a_program_waits_for_the_next_contact_and_learns_when_it_ends(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(PROGRAM)
    (tmp_path / "net.yaml").write_text(NETWORK)
    topology = parse_topology(NETWORK)
    contacts = planned_contacts(topology, topology.links["sat-ogs"])
    assert contacts is not None and len(contacts) >= 4
    run = qnetem.run(tmp_path / "net.yaml", runs_folder=tmp_path, in_process=True)
    sat = run.results["sat"]
    assert (sat["begins"], sat["ends"]) == (contacts[:4:2], contacts[1:4:2])
    # a link that stays is in contact at once, without an end
    assert run.results["home"] == {"begins": [0, 0], "ends": [None, None]}
    for begin_ns, came_ns in zip(contacts[::2], run.results["ogs"]["came"], strict=False):
        assert 5_000_000 < came_ns - begin_ns < 6_000_000  # 1700 km


@pytest.mark.processes
def test_a_relay_in_orbit_is_the_same_in_processes(tmp_path: Path, mosquitto: str) -> None:
    """Until the first broadcasts are with both stations."""
    (path,) = [path for path in FILES if path.stem == "continents"]
    runs = [
        qnetem.run(path, runs_folder=tmp_path, until="175 h", in_process=alone)
        for alone in (True, False)
    ]
    assert runs[0].problem is None
    assert runs[0].metrics["micius.cast.relay_time"]["count"] > 2
    assert (runs[0].digest, runs[0].metrics) == (runs[1].digest, runs[1].metrics)


@pytest.mark.processes
def test_a_downlink_is_the_same_in_processes(tmp_path: Path, mosquitto: str) -> None:
    (path,) = [path for path in FILES if path.stem == "micius"]
    fewer = {"nodes.micius.with.pulses": 20_000_000}
    runs = [
        qnetem.run(path, runs_folder=tmp_path, overrides=fewer, in_process=alone)
        for alone in (True, False)
    ]
    assert runs[0].problem is None
    assert (runs[0].digest, runs[0].results) == (runs[1].digest, runs[1].results)
