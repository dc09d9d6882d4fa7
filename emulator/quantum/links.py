"""The quantum links of a topology, and which of them an operation means.

Owns one table per service (photons, heralded pairs): from a node and its peer to the links between
them. Does not own what happens on a link (light.py, requests.py).

Rule: a node names a link, or there is exactly one that fits; anything else is a LinkError.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from ..channels.fibre import Fibre
from ..channels.heralded import SimpleLink
from ..errors import LinkError
from ..topology.model import LinkSpec

_Channel = TypeVar("_Channel")


class Links(Generic[_Channel]):
    """Links of one service, by their ends. `service` completes "no link that ..."."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._between: dict[tuple[str, str], dict[str, _Channel]] = {}
        self.by_name: dict[str, _Channel] = {}

    def add(self, name: str, ends: tuple[str, str], channel: _Channel) -> None:
        """The link `name` offers the service in both directions."""
        first, second = ends
        self._between.setdefault((first, second), {})[name] = channel
        self._between.setdefault((second, first), {})[name] = channel
        self.by_name[name] = channel

    def choose(self, node: str, peer: str, link: str | None) -> _Channel:
        """The link from `node` to `peer` that is meant. Raises LinkError."""
        options = self._between.get((node, peer), {})
        if link is None and len(options) == 1:
            return next(iter(options.values()))
        if link is not None and link in options:
            return options[link]
        raise LinkError(node=node, peer=peer, why=self._why(options, link))

    def _why(self, options: dict[str, _Channel], link: str | None) -> str:
        names = ", ".join(options)
        if not options:
            return f"no link between them {self._service}"
        if link is None:
            return f"several links between them {self._service} ({names}): say link="
        return f"{link} is not a link between them that {self._service}; there is {names}"


def fibre_of(link: LinkSpec) -> Fibre | None:
    """The link's fibre; None without a quantum side."""
    quantum = link.quantum
    if quantum is None:
        return None
    return Fibre(
        length_km=quantum.length_km,
        attenuation_db_per_km=quantum.attenuation_db_per_km,
        insertion_loss_db=quantum.insertion_loss_db,
        group_index=quantum.group_index,
        depolarising=quantum.depolarising,
        dephasing=quantum.dephasing,
    )


def source_of(link: LinkSpec) -> SimpleLink | None:
    """What heralds pairs on the link; None if nothing does."""
    if link.quantum is None or link.quantum.entangle is None:
        return None
    spec = link.quantum.entangle
    return SimpleLink(spec.success, spec.fidelity, spec.attempt_ns, link.delay_ns)


def multiplexing_of(link: LinkSpec) -> int:
    """How many requests the link serves side by side."""
    if link.quantum is None or link.quantum.entangle is None:
        return 1
    return link.quantum.entangle.multiplexing
