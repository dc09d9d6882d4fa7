"""The kinds of nodes: what a node is when its entry says no more than `kind`; and services known by name.

Owns the table of roles with their default program and whether they are services, and that of the services
that need no `program`. What a role or service does is the program's; hardware is in presets.py. To add a
kind: a row here and its word in `Kind`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "endpoint",
    "repeater",
    "ground_station",
    "satellite",
    "station",
    "eavesdropper",
    "trusted_relay",
]

_ENDPOINT = "qnetem.agents.roles.endpoint:Endpoint"


@dataclass(frozen=True)
class NodeKind:
    """A row of the table. A service works for others: the run ends without waiting for it."""

    program: str = _ENDPOINT
    service: bool = False


KINDS: dict[str, NodeKind] = {
    "endpoint": NodeKind(),
    "repeater": NodeKind("qnetem.agents.roles.repeater:Repeater", service=True),
    "ground_station": NodeKind("qnetem.agents.roles.ground_station:GroundStation"),
    "satellite": NodeKind("qnetem.agents.roles.satellite:Satellite", service=True),
    "station": NodeKind(service=True),
    "eavesdropper": NodeKind(),
    "trusted_relay": NodeKind(),
}


@dataclass(frozen=True)
class NamedService:
    """A service that an entry of that name means if it names no program."""

    program: str
    needs: tuple[str, ...] = ()


NAMED_SERVICES: dict[str, NamedService] = {
    "link": NamedService("qnetem.agents.network.link_layer:LinkLayer"),
    "network": NamedService("qnetem.agents.network.network_layer:Network", ("link",)),
    "tracking": NamedService("qnetem.agents.space.tracking:Tracking"),
}


def program_of(kind: str, services: Collection[str]) -> str:
    """The program of a node that names none. The network layer does what a repeater's program does."""
    is_served = kind == "repeater" and "network" in services
    return _ENDPOINT if is_served else KINDS[kind].program
