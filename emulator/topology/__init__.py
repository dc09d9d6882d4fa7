"""Topologies: a YAML file to a validated, resolved model.

Owns everything between the text of a file and a `Topology`. Reads files; never opens sockets, and imports
physics only to try links that say more than physics-free checks can judge (trials.py).
"""

from __future__ import annotations

from ..loading.loader import build_topology, load_topology, parse_topology
from .model.topology import Topology
from .reading.schema import json_schema

__all__ = ["Topology", "build_topology", "json_schema", "load_topology", "parse_topology"]
