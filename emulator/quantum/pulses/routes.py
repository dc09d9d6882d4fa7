"""The ways of pulse trains: which links carry them, and which of those leads where.

Owns the links as pulses see them, by their names and ends, the way past eavesdroppers, and that from a
node's source to its own detectors. Does not own what is on them (trains.py).

Rule: a direct link goes before a way past eavesdroppers; of several ways none is taken unless it is named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...errors import LinkError
from ...kernel.ports import Clock, Journal, Metrics
from ...optics.fibre import Fibre, FibreLink
from ...topology.model.topology import NodeSpec
from ..links.fault_history import FaultedFibre, FaultHistories, FaultHistory
from ..links.link_changes import NOTHING
from ..links.links import FibreChannel, Links
from .trains import PulseLink, Train


class Ways:
    """Paths by where they lead. `on_first_light(train)` is called for each train on any of them."""

    def __init__(
        self,
        nodes: Mapping[str, NodeSpec],
        clock: Clock,
        journal: Journal,
        metrics: Metrics,
        disturbances: FaultHistories,
        on_first_light: Callable[[Train], None],
    ) -> None:
        self._nodes = nodes
        self._clock, self._journal, self._metrics = clock, journal, metrics
        self._disturbances, self._on_first_light = disturbances, on_first_light
        self._links: Links[PulseLink] = Links("carries photons")
        #: The links, by name.
        self.paths = self._links.by_name
        self._own: dict[str, PulseLink] = {}

    def connect(self, name: str, ends: tuple[str, str], way: FaultedFibre) -> None:
        """The link carries trains."""
        self._links.add(name, ends, self._path(name, ends, way))

    def choose(self, node: str, peer: str, link: str | None) -> PulseLink:
        """The first link on the way from `node` to `peer`: a direct one, or past eavesdroppers.

        From a node to itself it is no link: no fibre, and no time. Raises LinkError.
        """
        if node == peer and link is None:
            return self._own_path(node)
        try:
            return self._links.choose(node, peer, link)
        except LinkError:
            tapped = self._tapped(node, peer, link)
            if tapped is not None:
                return tapped
            found = self._past_eavesdroppers(node, peer)
            if link is not None or len(found) != 1:
                raise
            return found[0]

    def _tapped(self, node: str, peer: str, link: str | None) -> PulseLink | None:
        """A link that leads to `peer` and on which `node` stands as an eavesdropper."""
        for path in self.paths.values():
            if path.eavesdropper == node and peer in path.ends and link in (None, path.name):
                return path
        return None

    def _own_path(self, node: str) -> PulseLink:
        path = self._own.get(node)
        if path is None:
            way = FibreChannel(FibreLink(Fibre(0.0)), node)
            nothing = FaultedFibre(way, FaultHistory(NOTHING, self._clock))
            # no link can be called that
            path = self._own[node] = self._path(f"{node}>{node}", (node, node), nothing)
        return path

    def _path(self, name: str, ends: tuple[str, str], way: FaultedFibre) -> PulseLink:
        clock, journal, metrics = self._clock, self._journal, self._metrics
        nodes = self._disturbances.nodes
        return PulseLink(name, ends, way, nodes, clock, journal, metrics, self._on_first_light)

    def _past_eavesdroppers(self, node: str, peer: str) -> list[PulseLink]:
        """The links of `node` that lead to `peer` with eavesdroppers, and nobody else, between."""
        found = []
        for path in self.paths.values():
            if node in path.ends and self._leads(path.other_end(node), peer, {node}):
                found.append(path)
        return found

    def _leads(self, here: str, peer: str, seen: set[str]) -> bool:
        if here == peer:
            return True
        if here in seen or here not in self._nodes or self._nodes[here].kind != "eavesdropper":
            return False
        links = [path for path in self.paths.values() if here in path.ends]
        return any(self._leads(path.other_end(here), peer, seen | {here}) for path in links)
