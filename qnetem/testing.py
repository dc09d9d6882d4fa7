"""For tests of other software: a network of two sites whose key services answer clients on loopback.

    def test_my_client(tmp_path):
        with qnetem.testing.key_network(tmp_path) as keys:
            certificate, private_key = keys.certificate("app-a")
            client = MyClient(keys.url("app-a"), certificate, private_key, keys.authority)
            assert client.enc_keys("app-b")

Owns such a network's life. Does not own serving (keys/serving.py). Needs `pip install 'qnetem[keys]'`.
Rule: all processes are ended when the block is left.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .emulator.loading import with_seed
from .keys.certificates import Certificates, make_certificates
from .keys.key_sites import key_sites
from .keys.serving import Served, free_ports, fresh_seed, listens, served
from .sources import Source, read_source

if TYPE_CHECKING:
    from .emulator.loading import Topology
    from .network import Network

_PATIENCE_S, _PAUSE_S = 60.0, 0.05


def key_network(
    folder: str | Path,
    *,
    applications: Mapping[str, str] | None = None,
    bits: int = 1 << 16,
    every: str = "1 s",
    source: Source | None = None,
    record: str = "hashes",
    **options: Any,
) -> KeyNetwork:
    """Two sites, alice and bob, that share a block of `bits` key bits each `every`, or those of `source`.

    `folder`: for certificates and the run, such as pytest's tmp_path. `applications`: name -> site (app-a at
    alice, app-b at bob). `record`: "full" for a run that can be replayed, whose folder then has the keys.
    `options`: more of the key services' own, such as `read_back=True`. Raises InputError.
    """
    where = applications or {"app-a": "alice", "app-b": "bob"}
    topology = read_source(_two_sites(where, bits, every, options) if source is None else source)
    return KeyNetwork(Path(folder), topology, record)


def _two_sites(
    applications: Mapping[str, str], bits: int, every: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    sites = {name: {"site": site} for name, site in applications.items()}
    key_service = {
        "program": "qnetem.agents.keys.key_service:KeyService",
        "needs": ["link"],
        "with": {"sources": ["link"], "applications": sites, **options},
    }

    def site(peer: str) -> dict[str, Any]:
        link = {
            "program": "qnetem.agents.keys.drawn_keys:DrawnKeys",
            "with": {"peer": peer, "bits": bits, "every": every},
        }
        program = "qnetem.agents.keys.site:Site"
        return {"program": program, "services": {"link": link, "keys": key_service}}

    return {
        "name": "key-network",
        "nodes": {"alice": site("bob"), "bob": site("alice")},
        "links": [{"between": ["alice", "bob"], "length": "10 km"}],
    }


class KeyNetwork:
    """From `key_network`; `with` starts it, waits until it answers, and ends it."""

    def __init__(self, folder: Path, topology: Topology, record: str = "hashes") -> None:
        self._folder, self._topology, self._record = folder, topology, record
        self._thread = threading.Thread(target=self._work, name="key network")
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self.network: Network | None = None

    def __enter__(self) -> KeyNetwork:
        """Raises InputError and InfrastructureError."""
        sites = key_sites(self._topology)
        self._certificates: Certificates = make_certificates(self._folder / "certificates", sites)
        seeded = with_seed(self._topology, fresh_seed())
        self._served: Served = served(
            seeded, self._certificates, free_ports(len(sites)), record=self._record
        )
        self._thread.start()
        try:
            self._ready.result(_PATIENCE_S)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    @property
    def authority(self) -> str:
        """The file of the authority's certificate, by which clients know the servers."""
        return str(self._certificates.authority)

    @property
    def run_folder(self) -> Path:
        """Where the run is recorded."""
        assert self.network is not None
        return self.network.run_folder

    def url(self, application: str) -> str:
        """Where the site of an application answers: `https://127.0.0.1:PORT`."""
        for endpoint in self._served.endpoints:
            if application in endpoint.site.applications:
                return endpoint.url
        raise KeyError(application)

    def certificate(self, application: str) -> tuple[str, str]:
        """The files of an application's certificate and private key."""
        certificate, key = self._certificates.application(application)
        return str(certificate), str(key)

    def fault(self, entry: str | Mapping[str, Any]) -> None:
        """Begin a fault now, such as `"{cut: alice-bob, for: 2 s}"`. Raises InputError."""
        assert self._loop is not None and self.network is not None
        asyncio.run_coroutine_threadsafe(self.network.fault(entry), self._loop).result(_PATIENCE_S)

    def _work(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:  # noqa: BLE001 the caller's thread raises it
            if not self._ready.done():
                self._ready.set_exception(error)

    async def _live(self) -> None:
        from .emulator.errors import InfrastructureError
        from .network import launch

        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runs = self._folder / "runs"
        async with launch(self._served.topology, runs_folder=runs) as self.network:
            over = asyncio.ensure_future(self.network.finished())
            while not all([await asyncio.to_thread(listens, e) for e in self._served.endpoints]):
                if over.done():
                    problem = over.result().problem
                    why = problem.text if problem is not None else "it has ended"
                    raise InfrastructureError(f"the key network does not answer: {why}")
                await asyncio.sleep(_PAUSE_S)
            self._ready.set_result(None)
            await self._stop.wait()
            over.cancel()

    def _end(self) -> None:
        if self._loop is not None and self._stop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_PATIENCE_S)
