"""Networks of trusted nodes, in one process: their topology, and programs that use relayed keys."""

from __future__ import annotations

import asyncio
from typing import Any

from qnetem.agents.keys.denied import Denied
from qnetem.agents.keys.key_service import KeyService
from qnetem.agents.keys.relays.key_relay import KeyRelay
from qnetem.agents.keys.site import Site

from ..sites import User, Waits

DIAMOND = (("alice", "r1"), ("alice", "r2"), ("bob", "r1"), ("bob", "r2"))
LINE = (("alice", "r1"), ("r1", "r2"), ("bob", "r2"))
KEYS = "qnetem.agents.keys.key_service:KeyService"
RELAY = "qnetem.agents.keys.relays.key_relay:KeyRelay"
DRAWN = "qnetem.agents.keys.drawn_keys:DrawnKeys"


class Delivers(Waits):
    """It makes blocks with bob over relays, and notes each."""

    async def run(
        self, blocks: int = 5, paths: int = 1, bits: int = 4096, every: float = 0.1
    ) -> Any:  # type: ignore[override]
        relay = self.service(KeyRelay)
        await asyncio.sleep(2.5)
        for _ in range(blocks):
            try:
                self.record("block", await relay.deliver("bob", bits, paths))
            except Denied as denied:
                self.record("denied", denied.details)
            await asyncio.sleep(every)
        await asyncio.sleep(2.0)
        return {
            **relay.summary(),
            "pool": self.service(KeyService).pool("bob"),
            "route": sorted(relay.route("bob", paths=2)),
        }


class Ends(Waits):
    """It says at the end what has come from alice."""

    async def run(self, lasts: float = 5.0) -> Any:  # type: ignore[override]
        await asyncio.sleep(lasts)
        return {"pool": self.service(KeyService).pool("alice")}


def network(
    alice: Any = Delivers,
    bob: Any = Ends,
    *,
    edges: Any = DIAMOND,
    use: Any = (),
    targets: Any = (),
    relay: Any = (),
    keys: Any = (),
    drawn: Any = (),
    lasts: float = 5.0,
    **more: Any,
) -> dict[str, Any]:
    """The topology as data; `use` of alice's program, `relay`, `keys` and `drawn` options of services."""
    nodes = sorted({node for edge in edges for node in edge})
    applications = {f"relay-{node}": {"site": node} for node in nodes}
    applications |= {"app-a": {"site": "alice"}, "app-b": {"site": "bob"}}

    def site(name: str) -> dict[str, Any]:
        hops = sorted({other for edge in edges if name in edge for other in edge if other != name})
        services: dict[str, Any] = {
            "-".join(sorted((name, hop))): {
                "program": DRAWN,
                "with": {"peer": hop, "bits": 40_000, **dict(drawn)},
            }
            for hop in hops
        }
        services["keys"] = {
            "program": KEYS,
            "needs": [*services],
            "with": {"sources": [*services], "applications": applications, "low": 0, **dict(keys)},
        }
        services["relay"] = {
            "program": RELAY,
            "needs": ["keys"],
            "with": {
                "hops": hops,
                **dict(relay),
                **({"targets": dict(targets)} if name == "alice" else {}),
            },
        }
        program = {"alice": alice, "bob": bob}.get(name, Site)
        given = {"alice": dict(use), "bob": {"lasts": lasts} if bob is Ends else {}}.get(name, {})
        if User in (alice, bob) and name in ("alice", "bob"):
            given = {"peer": "bob" if name == "alice" else "alice", **dict(use)}
        service = {"service": True} if program is Site else {}
        return {"program": program, "with": given, "services": services, **service}

    return {
        "name": "relays",
        "seed": 4,
        "nodes": {name: site(name) for name in nodes},
        "links": [{"between": [*edge], "length": "10 km"} for edge in edges],
        **more,
    }
