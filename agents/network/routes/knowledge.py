"""What a node knows of the network: the adverts of all nodes, flooded or gathered by a controller.

Owns the adverts and when this node makes a new one. Does not own what is worked out from them (routing.py),
nor whether a neighbour is there (neighbours.py).

Theory of operation. A node advertises its links with what they promise, whether they are up, and its slots;
each advert has a number, and later ones replace earlier ones (link-state routing). Distributed, a node passes
each new advert on to its other neighbours; with a controller it sends its own there only, and asks there for
paths. A link counts as up where both of its ends say so.

Rule: what a step has brought goes to a neighbour in one message, at the end of the step, and each advert is
encoded once for all neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from ....emulator.wire import LinkInfo, Welcome
from ..control import Advert, LinkState
from .routing import Graph


class _Encoded(msgspec.Struct, tag="adverts"):
    """`Adverts` whose parts are encoded already."""

    adverts: list[msgspec.Raw]


class Knowledge:
    """`send(peer, adverts)` posts to a node; `controller`: that, "" for the distributed mode.

    `soon(action)` has something done at the end of the step.
    """

    def __init__(
        self,
        welcome: Welcome,
        slots: int,
        controller: str,
        send: Callable[[str, msgspec.Raw], None],
        soon: Callable[[Callable[[], None]], None],
    ) -> None:
        self._welcome, self._slots, self._controller = welcome, slots, controller
        self._send, self._soon = send, soon
        self.links: dict[str, LinkInfo] = {
            info.name: info for info in welcome.links if info.heralding is not None
        }
        self.adverts: dict[str, Advert] = {}
        #: The same as JSON; and nodes that an advert names and that have sent none yet.
        self._encoded: dict[str, msgspec.Raw] = {}
        self._missing: dict[str, None] = {}
        #: Node -> the nodes whose adverts it gets at the end of this step.
        self._pending: dict[str, dict[str, None]] = {}
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
        self.learn([advert], "")

    def _is_up(self, info: LinkInfo) -> bool:
        return info.name not in self.down and self._reachable(info.peer)

    @property
    def is_complete(self) -> bool:
        """Whether each node that an advert names has sent its own."""
        return not self._missing

    def learn(self, adverts: Sequence[Advert], source: str) -> bool:
        """Adverts have come; whether one of them is news, which is then passed on."""
        found = False
        for advert in adverts:
            known = self.adverts.get(advert.node)
            if known is None or known.age < advert.age:
                self._keep(advert, source)
                found = True
        return found

    def _keep(self, advert: Advert, source: str) -> None:
        name = advert.node
        self.adverts[name] = advert
        self._encoded[name] = msgspec.Raw(msgspec.json.encode(advert))
        self._missing.pop(name, None)
        for link in advert.links:
            if link.peer not in self.adverts:
                self._missing[link.peer] = None
        self._graph = None
        for peer in self._receivers(name):
            if peer not in (source, name):
                self._add(peer, name)

    def greet(self, peer: str) -> None:
        """A neighbour has come, or has forgotten what it knew: tell it all."""
        if not self._controller:
            for name in sorted(self.adverts):
                if name != peer:
                    self._add(peer, name)

    def report(self) -> None:
        """The controller has forgotten what it knew."""
        own = self._welcome.name
        if self._controller not in ("", own) and own in self.adverts:
            self._add(self._controller, own)

    def _add(self, peer: str, name: str) -> None:
        if not self._pending:
            self._soon(self.pass_on)
        self._pending.setdefault(peer, {})[name] = None

    def pass_on(self) -> None:
        """Send what has been learnt since the last time."""
        pending, self._pending = self._pending, {}
        for peer, names in pending.items():
            adverts = _Encoded([self._encoded[name] for name in names])
            self._send(peer, msgspec.Raw(msgspec.json.encode(adverts)))

    def _receivers(self, node: str) -> Iterable[str]:
        if not self._controller:
            return [peer for peer in self.neighbours if self._reachable(peer)]
        here = self._welcome.name
        return [self._controller] if node == here and self._controller != here else []
