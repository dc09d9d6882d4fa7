"""A topology as a key-delivery network: its key services answer clients, in real time, until it is stopped.

Owns what is changed about a topology that is served, and the wait until its sites listen. Does not own the
server (agents/keys/server.py) nor the run (api.py). Rule: what is served has a seed that was drawn for it and
records hashes only, unless the caller wants a replay; without that, no file of the run gives a key away.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..agents.keys.database import KeyDatabase, file_name
from ..agents.keys.sealing import Sealer, read_key
from ..agents.keys.server import LOOPBACK
from ..emulator.errors import InputError
from ..emulator.loading import Topology
from ..emulator.topology.model.topology import NodeSpec
from .certificates import Certificates
from .key_sites import KeySite, key_sites

_SITE = "qnetem.agents.keys.site:Site"
MAX_PORT = 65535


@dataclass(frozen=True)
class Endpoint:
    """A site that answers clients."""

    site: KeySite
    port: int

    @property
    def url(self) -> str:
        """What paths of the standard come behind."""
        return f"https://{LOOPBACK}:{self.port}"


@dataclass(frozen=True)
class Served:
    """What is run, and where it answers."""

    topology: Topology
    endpoints: list[Endpoint]


def fresh_seed() -> int:
    """A seed that cannot be guessed."""
    return secrets.randbits(63)


def served(
    topology: Topology,
    certificates: Certificates,
    ports: Sequence[int],
    *,
    store: Path | None = None,
    record: str = "hashes",
) -> Served:
    """The topology with servers at these ports, one for each site. Raises InputError.

    The sites' own programs are replaced: clients outside are the applications.
    """
    sites = key_sites(topology)
    if len(ports) != len(sites) or not all(0 < port <= MAX_PORT for port in ports):
        raise InputError(f"{len(sites)} sites: expected as many ports, from 1 to {MAX_PORT}")
    if not certificates.authority.exists():
        raise InputError(f"{certificates.folder} holds no certificates: qnetem keys certs")
    endpoints = [Endpoint(site, port) for site, port in zip(sites, ports, strict=True)]
    for endpoint in endpoints:
        _check(endpoint, certificates, store)
    nodes = dict(topology.nodes)
    for endpoint in endpoints:
        name = endpoint.site.node
        nodes[name] = _serving(nodes[name], endpoint, certificates.folder.resolve(), store)
    now_ns = time.time_ns()  # ages, quotas and the audit trail count in calendar time
    timing = topology.time.model_copy(update={"mode": "real", "speed": 1.0, "epoch_ns": now_ns})
    update = {"nodes": nodes, "time": timing, "record": record, "expect": {}}
    return Served(topology.model_copy(update=update), endpoints)


def _check(endpoint: Endpoint, certificates: Certificates, store: Path | None) -> None:
    """Raises InputError for a port that is taken, and a store that cannot be opened."""
    site = endpoint.site
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server will
        try:
            probe.bind((LOOPBACK, endpoint.port))
        except OSError as error:
            why = f"{site.node} cannot answer at port {endpoint.port}: {error.strerror}"
            raise InputError(f"{why}; name another one with --port") from error
    if store is not None:
        sealer = Sealer(read_key(certificates.key_encryption_key(site.node)))
        file = store / file_name(site.node, site.service)
        if file.exists():
            KeyDatabase(file, sealer).close()


def _serving(
    node: NodeSpec, endpoint: Endpoint, certificates: Path, store: Path | None
) -> NodeSpec:
    spec = node.services[endpoint.site.service]
    options = {
        **spec.options,
        "serve": {"port": endpoint.port, "certificates": str(certificates)},
    }
    if store is not None:
        kek = Certificates(certificates).key_encryption_key(node.name)
        options |= {"store": str(store.resolve()), "kek": str(kek)}
    services = {
        **node.services,
        endpoint.site.service: spec.model_copy(update={"options": options}),
    }
    return node.model_copy(update={"program": _SITE, "options": {}, "services": services})


def free_ports(count: int) -> list[int]:
    """Ports at which nothing listens now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def listens(endpoint: Endpoint) -> bool:
    """Whether the site's server is there."""
    try:
        with socket.create_connection((LOOPBACK, endpoint.port), timeout=1.0):
            return True
    except OSError:
        return False
