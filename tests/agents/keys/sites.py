"""Two sites with key services, in one process: their topology, and programs that use keys."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import qnetem
from qnetem import Agent
from qnetem.agents.keys.audit import Entry
from qnetem.agents.keys.changes import Content
from qnetem.agents.keys.database import KeyDatabase, read_audit
from qnetem.agents.keys.denied import Denied
from qnetem.agents.keys.key_service import KeyService
from qnetem.agents.keys.sealing import Sealer, key_of_run
from qnetem.emulator.kernel.streams import hash_key

APPLICATIONS = {
    "app-a": {"site": "alice"},
    "app-b": {"site": "bob"},
    "app-c": {"site": "bob"},
}


class User(Agent):
    """An application of its site: it asks for keys as a master, and fetches those whose ids it is told."""

    async def run(self, peer: str, keys: int = 5, every: float = 0.3, begins: float = 1.5) -> Any:
        mine, theirs = f"app-{self.name[0]}", f"app-{peer[0]}"
        service = self.service(KeyService)
        fetching = asyncio.create_task(self.fetch(service, mine, theirs))
        await asyncio.sleep(max(0.0, begins - self.now_ns / 1e9))
        while self.now_ns / 1e9 < begins + keys * every:
            try:
                for key in await service.enc_keys(theirs, 2, sae=mine):
                    self.record("got", {"id": key.id, "key": key})
                    await self.send(peer, key.id)
            except Denied as denied:
                self.record("denied", denied.reason)
            await asyncio.sleep(every)
        await asyncio.sleep(5.0)
        fetching.cancel()
        return {**service.summary(), "pool": service.pool(peer)}

    async def fetch(self, service: Any, mine: str, theirs: str) -> None:
        while True:
            id = (await self.receive()).body
            try:
                (key,) = await service.dec_keys(theirs, [id], sae=mine)
                self.record("fetched", {"id": id, "key": key})
            except Denied as denied:
                self.record("not_fetched", denied.reason)


class Waits(Agent):
    """It does nothing."""

    async def run(self, lasts: float = 1.0) -> None:
        await asyncio.sleep(lasts)


def two_sites(
    alice: Any = User,
    bob: Any = User,
    *,
    options: Any = (),
    link: Any = (),
    use: Any = (),
    **more: Any,
) -> dict[str, Any]:
    """The topology as data; `options` of the key services, `link` of the sources, `use` of both programs."""

    def site(program: Any, peer: str) -> dict[str, Any]:
        keys = {
            "program": "qnetem.agents.keys.key_service:KeyService",
            "needs": ["link"],
            "with": {"sources": ["link"], "applications": APPLICATIONS, **dict(options)},
        }
        source = {
            "program": "qnetem.agents.keys.drawn_keys:DrawnKeys",
            "with": {"peer": peer, "bits": 4000, **dict(link)},
        }
        given = {"peer": peer} if program is User else {}
        return {
            "program": program,
            "with": {**given, **dict(use)},
            "services": {"keys": keys, "link": source},
        }

    return {
        "name": "sites",
        "seed": 3,
        "nodes": {"alice": site(alice, "bob"), "bob": site(bob, "alice")},
        "links": [{"between": ["alice", "bob"], "length": "10 km"}],
        **more,
    }


def ran(folder: Path, source: Any, **keywords: Any) -> qnetem.Run:
    """The run, in one process, with its stores in files."""
    run = qnetem.run(source, in_process=True, runs_folder=folder, **keywords)
    assert run.problem is None, run.problem
    return run


def recorded(run: qnetem.Run, node: str, name: str) -> list[Any]:
    """What a program has recorded under a name."""
    events = run.events(node, "note")
    return [event.fields[1] for event in events if event.fields[0] == name]


def content(run: qnetem.Run, node: str) -> Content:
    """What the store of a site holds after the run."""
    sealer = Sealer(key_of_run(hash_key(run.outcome.seed), node))
    database = KeyDatabase(run.run_folder / "stores" / f"{node}.keys.sqlite", sealer)
    try:
        return database.content()
    finally:
        database.close()


def trail(run: qnetem.Run, node: str) -> list[Entry]:
    """The audit trail of a site."""
    return read_audit(run.run_folder / "stores" / f"{node}.keys.sqlite")


def delivered(entries: Sequence[Entry], role: str) -> list[str]:
    """The ids of keys that a trail says were delivered so."""
    return [
        each.facts["key"]
        for each in entries
        if each.what == "delivered" and each.facts["role"] == role
    ]
