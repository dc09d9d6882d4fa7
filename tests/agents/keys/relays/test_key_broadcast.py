"""Two stations get the same keys from a satellite that both have keys with, whatever befalls them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

import qnetem
from qnetem.agents.keys.key_service import KeyService
from qnetem.agents.keys.relays.casts import Cast, CastStore
from qnetem.agents.keys.relays.key_broadcast import KeyBroadcast
from qnetem.agents.roles.eavesdropper import Eavesdropper
from qnetem.emulator.errors import TopologyError
from qnetem.keys.listing import keys_of_run
from qnetem.keys.reach import reach_of
from qnetem.runs.recorded import open_run

from .... import counts
from ..sites import Waits, content, ran
from .networks import DRAWN, KEYS

CAST = "qnetem.agents.keys.relays.key_broadcast:KeyBroadcast"
BLOCK = 8192


class Station(Waits):
    """It says at the end what it shares with the other station."""

    async def run(self, lasts: float = 8.0) -> Any:  # type: ignore[override]
        await super().run(lasts)
        other = "b" if self.name == "a" else "a"
        return {
            "pool": self.service(KeyService).pool(other),
            "cast": self.service(KeyBroadcast).summary(),
        }


def star(
    *, drawn: Any = (), cast: Any = (), lasts: float = 8.0, faults: Any = (), **more: Any
) -> dict[str, Any]:
    """Satellite s with the stations a and b, which have a link on the ground."""
    applications = {f"app-{each}": {"site": each} for each in "ab"}

    def node(name: str, links: list[str]) -> dict[str, Any]:
        services: dict[str, Any] = {
            f"s-{end}": {
                "program": DRAWN,
                "with": {
                    "peer": end if name == "s" else "s",
                    "bits": 20_000,
                    "most": 6,
                    **dict(drawn),
                },
            }
            for end in links
        }
        sources = [*services]
        options = {"relays": True, "sources": sources, "applications": applications, "low": 0}
        services["keys"] = {"program": KEYS, "needs": sources, "with": options}
        given = {"pairs": [["a", "b"]], **dict(cast)} if name == "s" else {}
        given["block"] = BLOCK
        services["cast"] = {"program": CAST, "needs": ["keys"], "with": given}
        if name == "s":
            return {"kind": "satellite", "services": services}
        return {"program": Station, "with": {"lasts": lasts}, "services": services}

    return {
        "name": "star",
        "seed": 4,
        "nodes": {"s": node("s", ["a", "b"]), "a": node("a", ["a"]), "b": node("b", ["b"])},
        "links": [
            {"name": "-".join(ends), "between": [*ends], "length": "500 km"}
            for ends in ("sa", "sb", "ab")
        ],
        "faults": list(faults),
        **more,
    }


def casts(run: qnetem.Run) -> list[Cast]:
    """All that the satellite has broadcast."""
    entries = CastStore(run.run_folder / "stores" / "s.cast.jsonl").content()
    return [entry.cast for entry in entries if hasattr(entry, "cast")]


def agree(run: qnetem.Run) -> int:
    """No key is in two broadcasts, and blocks that both stations have are the same; how many."""
    made = casts(run)
    ids = [id for cast in made for of_station in cast.ids for id in of_station]
    assert len(set(ids)) == len(ids)
    pools = [
        {block["id"]: block for block in run.results[end]["pool"] if block["ready"]} for end in "ab"
    ]
    shared = set(pools[0]) & set(pools[1])
    assert all(pools[0][id]["check"] == pools[1][id]["check"] for id in shared)
    names = {cast.block for cast in made}
    assert {id.partition("/")[2] for pool in pools for id in pool} <= names
    return len(shared)


def test_both_stations_have_the_same_blocks_in_the_same_order(tmp_path: Path) -> None:
    run = ran(tmp_path, star())
    # 6 blocks of 20000 bits with each station are 14 keys of 8192 bits
    assert agree(run) == 14
    pools = [run.results[end]["pool"] for end in "ab"]
    assert [block["id"] for block in pools[0]] == [block["id"] for block in pools[1]]
    assert [cast.block for cast in casts(run)] == [
        block["id"].partition("/")[2] for block in pools[0]
    ]
    for end, other in ("ab", "ba"):
        for block in content(run, end).blocks:
            if block.peer == other:
                assert block.origin["path"] == ["a", "s", "b"]
                assert len(block.bits) == BLOCK - 384
    first = run.results["a"]["cast"]
    assert (first["blocks"], first["bits"], first["refused"]) == (14, 14 * (BLOCK - 384), 0)


def test_the_satellite_has_no_key_left_of_what_it_broadcast(tmp_path: Path) -> None:
    run = ran(tmp_path, star())
    blocks = [block for block in content(run, "a").blocks if block.peer == "b"]
    assert len(blocks) == 14
    needles = [
        block.bits.reveal_bytes()[at : at + 8] for block in blocks for at in range(0, 900, 60)
    ]
    held = b"".join(each.bits.reveal_bytes() for each in content(run, "s").keys)
    files = [path for path in run.run_folder.rglob("*") if path.is_file()]
    for data in (held, *(path.read_bytes() for path in files)):
        assert not any(form in data for n in needles for form in (n, n.hex().encode()))


def test_lost_late_doubled_and_damaged_broadcasts_cost_time_and_no_key(tmp_path: Path) -> None:
    faults = [
        {"at": "0 s", "loss": "s-a", "probability": 0.2},
        {"at": "0 s", "duplicate": "s-b", "probability": 0.4},
        {"at": "0 s", "jitter": "s-a", "by": "100 ms"},
        {"at": "0 s", "corrupt": "s-b", "probability": 0.1},
    ]
    run = ran(tmp_path, star(faults=faults, lasts=40.0))
    assert agree(run) > 8  # what a request of the key service cut in vain is lost
    assert {run.results[end]["cast"]["blocks"] for end in "ab"} == {len(casts(run))}


def test_a_station_out_of_reach_gets_its_broadcasts_later(tmp_path: Path) -> None:
    faults = [{"at": "4 s", "for": "10 s", "cut": "s-b"}]
    run = ran(tmp_path, star(drawn={"every": "2 s"}, faults=faults, lasts=30.0))
    assert agree(run) == 14


def test_a_killed_satellite_repeats_what_it_had_stored(tmp_path: Path) -> None:
    """It is killed while b cannot be reached: the broadcasts of before are the same afterwards."""
    faults = [
        {"at": "2.02 s", "for": "4 s", "cut": "s-b"},
        {"at": "3.5 s", "kill": "s", "restart": "1 s"},
    ]
    run = ran(tmp_path, star(faults=faults, lasts=40.0))
    assert agree(run) == len(casts(run)) > 8
    assert {cast.block.rpartition("/")[2].partition(".")[0] for cast in casts(run)} == {"1", "2"}


def test_a_station_that_begins_anew_costs_the_other_one_no_block(tmp_path: Path) -> None:
    """a gets its broadcast while b is dead; b begins anew while the satellite is."""
    faults = [
        {"at": "5.5 s", "kill": "b", "restart": "3 s"},
        {"at": "6.5 s", "kill": "s", "restart": "15 s"},
    ]
    data = star(faults=faults, lasts=45.0)
    data["nodes"]["b"]["program"] = Until
    for end in "as":  # the keys of b are there first
        data["nodes"][end]["services"]["s-a"]["with"]["every"] = "3 s"
    run = ran(tmp_path, data)
    assert agree(run) == len(casts(run)) > 0


@pytest.mark.campaign
def test_kills_of_satellite_and_stations_lose_no_broadcast_and_use_no_key_twice(
    tmp_path: Path,
) -> None:
    kills = counts.count(60)
    draw, at_s, faults = random.Random(7), 1.5, []
    for _ in range(kills):
        at_s += draw.uniform(0.3, 0.9)
        restart = f"{draw.uniform(1, 300):.3f} ms"
        faults.append({"at": f"{at_s:.6f} s", "kill": draw.choice("sab"), "restart": restart})
    data = star(drawn={"most": kills}, faults=faults, lasts=at_s + 20)
    for end in "ab":  # a program that begins anew waits until the same time
        data["nodes"][end]["program"] = Until
    run = ran(tmp_path, data)
    assert agree(run) == len(casts(run)) >= kills


class Until(Station):
    """The same, also after a restart."""

    async def run(self, lasts: float = 8.0) -> Any:  # type: ignore[override]
        return await super().run(max(0.0, lasts - self.now_ns / 1e9))


def test_a_forged_or_changed_broadcast_is_refused(tmp_path: Path) -> None:
    data = star(faults=[{"at": "0 s", "eavesdrop": "s-b", "by": "eve", "classical": "intercept"}])
    data["nodes"]["eve"] = {"kind": "eavesdropper", "program": Changes, "service": True}
    run = ran(tmp_path, data)
    found = run.results["b"]["cast"]
    assert found["refused"] > 8
    assert agree(run) == found["blocks"] > 8  # what she passed unchanged


class Changes(Eavesdropper):
    """Passes all messages on; before each broadcast to b it sends a changed one."""

    async def run(self) -> None:
        count = 0
        while True:
            message = await self.receive()
            where = {"kind": message.kind, "port": message.port}
            ends = message.source, message.destination
            body = message.body
            if message.port == "cast" and message.destination == "b":
                count += 1
                await self.forge(*ends, changed(body, count), **where)
            await self.forge(*ends, body, **where)


def changed(body: dict[str, Any], kind: int) -> dict[str, Any]:
    """One of its fields is another one."""
    cast = msgspec.convert(body, Cast)
    flipped = bytes([cast.cipher[0] ^ 1]) + cast.cipher[1:]
    others: list[dict[str, Any]] = [
        {"cipher": flipped},
        {"block": cast.block + "0"},
        {"failure": 0.0},
        {"second_tag": bytes(16)},
        {"cipher": cast.cipher[:-1]},
        {"ids": (cast.ids[1], cast.ids[0])},
    ]
    forged = msgspec.structs.replace(cast, **others[kind % len(others)])
    return msgspec.to_builtins(forged)  # type: ignore[no-any-return]


def test_what_a_compromised_satellite_broadcasts_is_known(tmp_path: Path) -> None:
    run = ran(tmp_path, star(faults=[{"at": "3.5 s", "compromise": "s"}]))
    recorded = open_run(run.run_folder)
    found = reach_of(recorded, keys_of_run(recorded))
    known = {cast.block for cast in casts(run) if cast.block in found.known}
    assert 0 < len(known) < 14


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"block": 1000}, "block is 1000, expected a multiple of 8192"),
        ({"pairs": [["a", "a"]]}, "expected two other nodes"),
        ({"pairs": [["a", "c"]]}, "expected two other nodes"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(
    tmp_path: Path, options: dict[str, Any], problem: str
) -> None:
    data = star()
    data["nodes"]["s"]["services"]["cast"]["with"] |= options
    run = qnetem.run(data, in_process=True, runs_folder=tmp_path)
    assert run.problem is not None and problem in run.problem.text
    assert (run.problem.node, run.problem.service) == ("s", "cast")


def test_a_source_that_the_other_end_has_under_another_name_is_refused_by_name(
    tmp_path: Path,
) -> None:
    data = star()
    services = data["nodes"]["b"]["services"]
    data["nodes"] = {name: data["nodes"][name] for name in "bas"}  # the first one is named
    services["down"] = services.pop("s-b")
    services["keys"] |= {
        "needs": ["down"],
        "with": {**services["keys"]["with"], "sources": ["down"]},
    }
    with pytest.raises(TopologyError, match="s has no service 'down'"):
        qnetem.run(data, in_process=True, runs_folder=tmp_path)
