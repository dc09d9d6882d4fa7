"""What a node knows of the network: the adverts of all nodes, flooded or gathered by a controller.

Owns the adverts and when this node makes a new one. Does not own what is worked out from them (routing.py),
nor whether a neighbour is there (neighbours.py).

Theory of operation. A node advertises its links with what they promise, whether they are up, and its slots;
each advert has a number, and later ones replace earlier ones (link-state routing). Distributed, a node passes
each new advert on to its other neighbours; with a controller it sends its own there only, and asks there for
paths. A link counts as up where both of its ends say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ....emulator.wire import LinkInfo, Welcome
from ..control import Advert, LinkState
from .routing import Graph


class Knowledge:
    """`send(peer, advert)` posts to a neighbour; `to`: the controller, "" for the distributed mode."""

    def __init__(
        self,
        welcome: Welcome,
        slots: int,
        controller: str,
        send: Callable[[str, Advert], None],
    ) -> None:
        self._welcome, self._slots, self._controller, self._send = welcome, slots, controller, send
        self.links: dict[str, LinkInfo] = {
            info.name: info for info in welcome.links if info.heralding is not None
        }
        self.adverts: dict[str, Advert] = {}
        #: Links of this node that are down, and why.
        self.down: dict[str, str] = {}
        self._number = 0
        self._graph: Graph | None = None
        self._reachable: Callable[[str], bool] = lambda peer: True

    @property
    def neighbours(self) -> list[str]:
        """The nodes at the other end of a link that heralds pairs, in the order of their names."""
        return sorted({info.peer for info in self.links.values()})

    def use(self, reachable: Callable[[str], bool]) -> None:
        """Ask this whether a neighbour is there."""
        self._reachable = reachable

    def graph(self) -> Graph:
        """What is known now."""
        if self._graph is None:
            self._graph = Graph(self.adverts)
        return self._graph

    def announce(self) -> None:
        """Something about this node has changed."""
        self._number += 1
        welcome, joins = self._welcome, self._welcome.joins
        states = [
            LinkState(info.name, info.peer, self._is_up(info), info.latency_ns, info.heralding)
            for info in self.links.values()
            if info.heralding is not None
        ]
        advert = Advert(
            welcome.name,
            welcome.incarnation,
            self._number,
            self._slots,
            (joins.zz, joins.xx, joins.yy),
            joins.success,
            states,
        )
        self.learn(advert, "")

    def _is_up(self, info: LinkInfo) -> bool:
        return info.name not in self.down and self._reachable(info.peer)

    def learn(self, advert: Advert, source: str) -> bool:
        """An advert has come; whether it is news, which is then passed on."""
        known = self.adverts.get(advert.node)
        if known is not None and known.age >= advert.age:
            return False
        self.adverts[advert.node] = advert
        self.adverts = dict(sorted(self.adverts.items()))
        self._graph = None
        for peer in self._receivers(advert.node):
            if peer not in (source, advert.node):
                self._send(peer, advert)
        return True

    def greet(self, peer: str) -> None:
        """A neighbour has come, or has forgotten what it knew: tell it all."""
        if not self._controller:
            for advert in self.adverts.values():
                if advert.node != peer:
                    self._send(peer, advert)

    def report(self) -> None:
        """The controller has forgotten what it knew."""
        own = self.adverts.get(self._welcome.name)
        if self._controller not in ("", self._welcome.name) and own is not None:
            self._send(self._controller, own)

    def _receivers(self, node: str) -> Iterable[str]:
        if not self._controller:
            return [peer for peer in self.neighbours if self._reachable(peer)]
        here = self._welcome.name
        return [self._controller] if node == here and self._controller != here else []
