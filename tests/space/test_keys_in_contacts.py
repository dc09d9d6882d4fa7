"""Keys are made while both ends track, in blocks of several passes; clouds and kills shift them to others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import qnetem
from qnetem import Agent, Seconds
from qnetem.agents.protocols.qkd.key_link import KeyLink
from qnetem.agents.space.tracking import Tracking
from qnetem.emulator.loading import build_topology
from qnetem.emulator.places import planned_contacts

LINK = "qnetem.agents.protocols.qkd.key_link:KeyLink"
QUICK = {"slew": "3 s", "acquisition": {"least": "2 s", "mean": "2 s"}}
BEAM = {
    "medium": "free_space",
    "beam": {"wavelength": "850 nm", "divergence": {"half_angle": "5 urad"}},
    "telescope": {"aperture": "1 m"},
    "depolarising": 0.01,
}
LASER = {"rate": "100 MHz", "intensities": [0.8, 0.1, 0.0], "probabilities": [0.5, 0.25, 0.25]}
DETECTOR = {"efficiency": 0.5, "dark_count_rate": "25 Hz", "gate": "2 ns"}


class Keeps(Agent):
    """Waits, and returns what came of the keys and of the tracking."""

    async def run(self, lasts: Seconds) -> Any:
        await asyncio.sleep(max(0.0, lasts - self.now_ns / 1e9))
        tracked = self.service(Tracking).summary() if "tracking" in [*self.services] else {}
        return {"keys": self.service(KeyLink).summary(), "tracking": tracked}


def beam(
    lasts: float = 60.0,
    *,
    keys: Any = (),
    track: bool = True,
    stays: bool = True,
    faults: Any = (),
    sends: Any = (),
    loss: str = "16 dB",
    **more: Any,
) -> dict[str, Any]:
    """`up` sends to `down`: over a link that stays, or from an orbit."""

    def node(peer: str, devices: dict[str, Any], link: dict[str, Any]) -> dict[str, Any]:
        tracking = {"with": {**QUICK, **({"peers": [peer]} if stays else {})}}
        services: dict[str, Any] = {"tracking": tracking} if track else {}
        needs = {"needs": ["tracking"]} if track else {}
        services["keys"] = {"program": LINK, **needs, "with": {"peer": peer, **link}}
        return {"program": Keeps, "with": {"lasts": f"{lasts} s"}, "services": services, **devices}

    options = {"interval": "5 s", "z": 0.7, **dict(keys)}
    ground = {"latitude": "47.0 deg", "longitude": "15.0 deg", "minimum_elevation": "15 deg"}
    orbit = {"altitude": "500 km", "inclination": "97.4 deg", "anomaly": "20 deg"}
    place = {"position": {**ground, "longitude": "15.4 deg"}} if stays else {"orbit": orbit}
    link = {**BEAM, "insertion_loss": "18 dB" if stays else loss}
    return {
        "name": "beam",
        "seed": 2,
        "time": {"until": f"{lasts + 1} s", "epoch": "2026-03-20T00:00:00Z"},
        "nodes": {
            "up": node("down", {"source": {**LASER, **dict(sends)}, **place}, options),
            "down": node(
                "up", {"detector": DETECTOR, "position": ground}, dict(more.pop("taker", {}))
            ),
        },
        "links": [{"between": ["up", "down"], "quantum": link}],
        "faults": list(faults),
        **more,
    }


def ran(folder: Path, data: dict[str, Any]) -> qnetem.Run:
    run = qnetem.run(data, in_process=True, runs_folder=folder)
    assert run.problem is None, run.problem
    return run


def contacts_of(data: dict[str, Any]) -> list[int]:
    """Begins and ends in turn."""
    left = ("program", "with", "services")
    nodes = {
        name: {key: value for key, value in node.items() if key not in left}
        for name, node in data["nodes"].items()
    }
    topology = build_topology({**data, "nodes": nodes})
    contacts = planned_contacts(topology, topology.links["up-down"])
    assert contacts is not None and len(contacts) >= 4
    return contacts


def log(run: qnetem.Run, node: str) -> str:
    return "".join(path.read_text() for path in (run.run_folder / "logs").glob(f"{node}.*"))


def test_light_is_sent_under_lock_only_and_a_train_that_lost_it_does_not_count(
    tmp_path: Path,
) -> None:
    """From 5 s on, 5 s each: the third train is under way at 16 s, when the receiver stands still."""
    faults = [{"at": "16 s", "pause": "down", "for": "1 s"}]
    plain, paused = (ran(tmp_path, beam(31.0, faults=each)) for each in ((), faults))
    blocks = [run.results["up"]["keys"]["blocks"] for run in (plain, paused)]
    assert blocks == [5, 4]
    assert paused.results["down"]["keys"] == paused.results["up"]["keys"]
    sent = [run.metrics["links.up-down.trains"] for run in (plain, paused)]
    assert sent[0] == sent[1], "that train was sent, too"
    assert ran(tmp_path, beam(31.0, track=False)).results["up"]["keys"]["blocks"] == 6


def test_nothing_is_sent_that_no_beacon_comes_through_with(tmp_path: Path) -> None:
    faults = [{"at": "0 s", "loss_db": "up-down", "by": "20 dB"}]
    run = ran(tmp_path, beam(31.0, faults=faults))
    assert run.results["up"]["keys"]["blocks"] == 0
    assert "links.up-down.trains" not in run.metrics


def test_a_block_from_pulses_is_given_up_when_the_lock_is_lost(tmp_path: Path) -> None:
    keys = {"producer": "pulses", "interval": "2 s", "tries": 3}
    weak = {"rate": "100 kHz", "intensities": [0.5], "probabilities": [1.0]}
    faults = [{"at": "6 s", "pause": "down", "for": "1 s"}]
    data = beam(14.0, keys=keys, sends=weak, faults=faults, taker={"producer": "pulses"})
    data["links"][0]["quantum"]["insertion_loss"] = "1 dB"
    run = ran(tmp_path, data)
    assert "down is not tracked any more" in log(run, "up")
    assert run.results["up"]["keys"]["blocks"] == run.results["down"]["keys"]["blocks"] > 0


def test_blocks_without_key_are_said_once(tmp_path: Path) -> None:
    keys = {"interval": "100 ms"}
    run = ran(tmp_path, beam(12.0, keys=keys))
    assert run.results["up"]["keys"]["without_key"] > 20
    for end in ("up", "down"):
        assert log(run, end).count("the first 3 blocks with") == 1
    assert "hold no key" not in log(ran(tmp_path, beam(31.0)), "up")


def test_a_block_gathers_what_several_passes_bring(tmp_path: Path) -> None:
    data = beam(45_000.0, stays=False, keys={"interval": "20 s", "block_bits": 3_000_000})
    run = ran(tmp_path, data)
    contacts = contacts_of(data)
    (block,) = [e.t_ns for e in run.events("up", "note") if e.fields[0] == "keys.sifted_rate"][:1]
    sent = [e.t_ns for e in run.events("up", "operation") if e.fields[1] == "counted_pulses"]
    before = [t for t in sent if t < block]
    passes = {next(i for i in range(0, len(contacts), 2) if t < contacts[i + 1]) for t in before}
    assert len(passes) > 1
    assert run.results["up"]["keys"] == run.results["down"]["keys"]
    for t in sent:  # in contact, after acquisition, with room for the train
        i = next(i for i in range(0, len(contacts), 2) if t < contacts[i + 1])
        assert contacts[i] + 2 * 10**9 < t < contacts[i + 1] - 20 * 10**9


def test_clouds_over_the_station_shift_keys_to_the_next_pass(tmp_path: Path) -> None:
    data = beam(45_000.0, stays=False, keys={"interval": "10 s"}, loss="8 dB")
    contacts = contacts_of(data)
    clouds = [{"at": "0 s", "loss": "20 dB"}, {"at": f"{contacts[1] / 1e9} s", "loss": "0 dB"}]
    data["nodes"]["down"]["weather"] = {"record": clouds}
    run = ran(tmp_path, data)
    made = [e.t_ns for e in run.events("up", "note") if e.fields[0] == "keys.sifted_rate"]
    assert made and made[0] > contacts[2], "no light is wasted on clouds"
    found = run.results["up"]
    assert found["tracking"]["down"]["contacts"] == 1 + found["tracking"]["down"]["locks"]
    assert found["keys"]["stock"] > 0 and found["keys"]["without_key"] < found["keys"]["blocks"]


def test_a_station_that_is_killed_in_a_pass_serves_the_rest_of_it_and_the_next(
    tmp_path: Path,
) -> None:
    data = beam(45_000.0, stays=False, keys={"interval": "10 s"}, loss="8 dB")
    contacts = contacts_of(data)
    middle_s = (contacts[0] + contacts[1]) / 2e9
    faults = [{"at": f"{middle_s} s", "kill": "down", "restart": "30 s"}]
    run = ran(tmp_path, {**data, "faults": faults})
    made = [e.t_ns / 1e9 for e in run.events("up", "note") if e.fields[0] == "keys.sifted_rate"]
    assert [t for t in made if t < middle_s]
    assert not [t for t in made if middle_s < t < middle_s + 35]
    assert [t for t in made if middle_s + 35 < t < contacts[1] / 1e9 + 1]
    assert [t for t in made if t > contacts[2] / 1e9]
    found = run.results["up"]["keys"]
    assert found["dropped"] > 0, "a key link keeps its stock in memory; a key service stores it"
    assert found["stock"] == run.results["down"]["keys"]["stock"] > 0
