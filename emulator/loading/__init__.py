"""From a file, a text or data to a `Topology` that can be run: what the rest of qnetem imports."""

from __future__ import annotations

from ..topology.faults.plan import with_seed, with_until
from ..topology.model.topology import Topology
from ..topology.reading.schema import json_schema
from .loader import build_topology, load_topology, parse_topology

__all__ = [
    "Topology",
    "build_topology",
    "json_schema",
    "load_topology",
    "parse_topology",
    "with_seed",
    "with_until",
]
