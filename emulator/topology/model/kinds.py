"""The kinds of nodes: what a node is when its entry says no more than `kind`.

Owns the table of roles with their default program and whether they are services. What a role does is
the program's; hardware is in presets.py. To add a kind: a row here and its word in `Kind`.
"""

from __future__ import annotations

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
    "ground_station": NodeKind(),
    "satellite": NodeKind(service=True),
    "station": NodeKind(service=True),
    "eavesdropper": NodeKind(),
    "trusted_relay": NodeKind(),
}
