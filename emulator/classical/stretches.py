"""Quiet stretches: several hops that a message crosses as one entry of the agenda.

Owns which hops a message crosses at once, and where it is when something changes meanwhile. Does not own what
happens at the end of a stretch, nor on hops that are not quiet (plane.py).

Theory of operation. On a quiet hop (hops.py) all that happens to a message is that its latency passes. So
quiet hops in a row are one entry, due when the message comes to the node behind them: its destination, or the
switch before a hop that is not quiet. When a link is cut or heals, or a fault, a limit or a listener comes to
it, each stretch under way ends at the next switch, from where the message crosses the network as it is
then.

Rules: what becomes of a message is what would become of it hop by hop, to the nanosecond and the microstep. A
stretch that ends early is one hop that the message would have had anyway, so changes cost no more than going
hop by hop does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..kernel.conductor import GRANT, HOP, Conductor, Entry
from .flights import Flight
from .hops import Hop
from .routes import Routes


class _Stretch:
    """The hops of one flight, from node `at`, which it has left at `began_ns`."""

    __slots__ = ("at", "began_ns", "entry", "hops")

    def __init__(self, at: str, began_ns: int, hops: list[Hop], entry: Entry) -> None:
        self.at, self.began_ns, self.hops, self.entry = at, began_ns, hops, entry

    def switches(self) -> list[tuple[Hop, str, int]]:
        """Each hop, the node behind it, and when the flight comes there."""
        found, at, t_ns = [], self.at, self.began_ns
        for hop in self.hops:
            at = hop.spec.other_end(at)
            t_ns += hop.nominal_ns
            found.append((hop, at, t_ns))
        return found


class Stretches:
    """Those under way. `reach(flight, hop, cut_count, to)`: the flight comes to `to`, over `hop`.

    `cut_count` is that of the hop when the flight entered it.
    """

    def __init__(
        self,
        conductor: Conductor,
        routes: Routes,
        hops: Mapping[str, Hop],
        reach: Callable[[Flight, Hop, int, str], None],
    ) -> None:
        self._conductor, self._routes, self._hops, self._reach = conductor, routes, hops, reach
        self._under_way: dict[Flight, _Stretch] = {}

    def begin(self, flight: Flight, hop: Hop, at: str, known_until_ns: int) -> None:
        """The flight leaves `at` over a quiet hop, and crosses those behind it that are quiet, too.

        `known_until_ns`: at this instant routes are looked at anew.
        """
        began_ns = arrives_ns = self._conductor.now_ns
        to, destination = at, flight.dst
        hops: list[Hop] = []
        while True:
            hops.append(hop)
            to = hop.spec.other_end(to)
            arrives_ns += hop.nominal_ns
            if to == destination or arrives_ns >= known_until_ns:
                break
            spec = self._routes.next_link(to, destination)
            if spec is None or not self._hops[spec.name].is_quiet:
                break
            hop = self._hops[spec.name]
        cut_count = hop.cut_count

        def reach() -> None:
            self._under_way.pop(flight, None)
            self._reach(flight, hop, cut_count, to)

        phase = GRANT if to == destination else HOP
        entry = self._conductor.at(arrives_ns, (to, *flight.order), reach, phase)
        if len(hops) > 1:
            self._under_way[flight] = _Stretch(at, began_ns, hops, entry)

    def stop(self) -> None:
        """Something is about to change: each flight goes to its next switch, and on from there anew."""
        under_way, self._under_way = self._under_way, {}
        for flight, stretch in under_way.items():
            stretch.entry.cancel()
            hop, to, t_ns = next(
                (hop, to, t_ns)
                for hop, to, t_ns in stretch.switches()
                if not self._conductor.is_past(t_ns, GRANT if to == flight.dst else HOP)
            )
            self._go_to(flight, hop, to, t_ns)

    def _go_to(self, flight: Flight, hop: Hop, to: str, t_ns: int) -> None:
        cut_count = hop.cut_count
        phase = GRANT if to == flight.dst else HOP
        self._conductor.instead(
            t_ns,
            (to, *flight.order),
            lambda: self._reach(flight, hop, cut_count, to),
            phase,
        )

    def last_switch_ns(self, until_ns: int) -> int:
        """When a flight comes to a switch for the last time until then; 0 if none does."""
        return max(
            (
                t_ns
                for stretch in self._under_way.values()
                for _, _, t_ns in stretch.switches()
                if t_ns <= until_ns
            ),
            default=0,
        )
