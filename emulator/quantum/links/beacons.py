"""Beacons: the bright light by which both ends of a free-space link find each other.

Owns how the beacon of each end burns, and when the other end sees that it burns otherwise. Does not own what
an end does about it (agents/space/tracking.py), nor the light that carries qubits.

Theory of operation. A beacon is bright and wide, so nothing is counted: it is seen, or not. What decides is
the moment at which its light leaves; the other end sees it after the time of flight. Contacts, clouds and
night change at times that are known, so a link is looked at then, and when a fault or a beacon changes;
without a watcher it is not looked at. Draws nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from ...errors import OperationError
from ...faults.changes import Changes
from ...kernel.ports import BEACON, OPERATION, Entry, Surroundings
from ...optics.free_space import FreeSpaceLink
from ...space.contacts import Geometry
from ...space.sun import Daylight
from ...wire import BEACON_DARK, BEACON_LOW, BEACON_TRACKS, SetBeacon, WatchBeacon
from ..fault_history import FaultHistory
from ..node.node_devices import Pending

#: Gives an operation its result.
Give = Callable[[Pending, Any], None]


class _View(NamedTuple):
    """What an end sees, and when it has to look again, if that is known."""

    level: int
    until_ns: int | None


class BeaconLink:
    """Both beacons of one link. `geometry_above(degrees)`: of the link, with higher least elevations."""

    def __init__(
        self,
        name: str,
        ends: tuple[str, str],
        medium: FreeSpaceLink,
        history: FaultHistory[Changes],
        geometry_above: Callable[[float], Geometry | None],
        around: Surroundings,
        give: Give,
    ) -> None:
        self.name, self.ends = name, ends
        self._medium, self._history, self._above = medium, history, geometry_above
        self._clock, self._journal, self._give = around.clock, around.journal, give
        self._levels = dict.fromkeys(ends, BEACON_DARK)
        self._stopped: set[str] = set()
        self._cuts = 0
        self._watchers: list[Pending] = []
        self._next: Entry | None = None
        self._daylight: dict[str, Daylight] = {}
        self._geometries: dict[float, Geometry | None] = {}
        history.on_change(lambda _: self._look())

    # --- from the nodes ---

    def set(self, end: str, level: int) -> None:
        """The beacon of this end burns so from now on. Raises OperationError."""
        if not BEACON_DARK <= level <= BEACON_TRACKS:
            why = f"a beacon of level {level}, expected {BEACON_DARK} to {BEACON_TRACKS}"
            raise OperationError(why=why)
        self._levels[end] = level
        self._look()

    def watch(self, pending: Pending) -> None:
        """Await another look of the beacon at the other end."""
        self._watchers.append(pending)
        self._look()

    def withdraw(self, pending: Pending) -> bool:
        """The watcher has turned away."""
        if pending in self._watchers:
            self._watchers.remove(pending)
        pending.cancel()
        return True

    # --- from the world ---

    def node_died(self, node: str) -> None:
        """A dead end has no beacon, and looks at none."""
        self._watchers = [each for each in self._watchers if each.devices.name != node]
        self._stopped.discard(node)
        self._levels[node] = BEACON_DARK
        self._look()

    def stop(self, node: str) -> None:
        """A paused end steers no telescope."""
        self._stopped.add(node)
        self._look()

    def resume(self, node: str) -> None:
        """It steers again."""
        self._stopped.discard(node)
        self._look()

    def cut(self) -> None:
        """Nothing comes through. Cuts nest."""
        self._cuts += 1
        self._look()

    def heal(self) -> None:
        """One cut less."""
        self._cuts -= 1
        self._look()

    # --- what is seen ---

    def _look(self) -> None:
        """Tell those who see another beacon than they know of, and plan the next look for the others."""
        if not self._watchers:
            return
        now_ns, left, until = self._clock.now_ns, [], []
        for pending in self._watchers:
            view = self._view(pending, now_ns)
            if view.level != watched(pending).level:
                self._tell(pending, view.level, now_ns)
                continue
            left.append(pending)
            if view.until_ns is not None:
                until.append(view.until_ns)
        self._watchers = left
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if until:
            self._next = self._clock.at(min(until), (self.name, BEACON, 0), self._look)

    def _tell(self, pending: Pending, level: int, now_ns: int) -> None:
        reverse = pending.devices.name == self.ends[0]  # the beacon is that of the second end
        if level == BEACON_DARK:
            self._history.now.count_hits(lambda each: each.loss_db > 0 or each.pointing_urad > 0)
        pending.end_ns = now_ns + self._medium.delay_ns(now_ns, reverse)
        order = (pending.devices.name, OPERATION, pending.number)
        pending.entry = self._clock.at(pending.end_ns, order, partial(self._end, pending, level))

    def _end(self, pending: Pending, level: int) -> None:
        del pending.devices.pending[pending.number]
        self._give(pending, level)

    def _view(self, pending: Pending, now_ns: int) -> _View:
        watch, here = watched(pending), pending.devices.name
        there = self.ends[1] if here == self.ends[0] else self.ends[0]
        until: list[int] = []
        geometry = self._geometry(watch.margin_deg)
        if geometry is not None and geometry.moves:
            contact = geometry.contact_at(now_ns)
            until.append(contact.until_ns)
            if not contact.open:
                return _View(BEACON_LOW, contact.until_ns)
        # When a fault, a cut, or what the other end does is over is not known ahead: each calls `_look`.
        is_seen = not self._cuts and there not in self._stopped
        if watch.light and geometry is not None:
            is_dark, changes_ns = self._light(watch.light, geometry).at(now_ns)
            until.append(changes_ns)
            is_seen = is_seen and is_dark
        changes = self._history.now.changes
        loss_db = 0.0 if changes.lossless else changes.loss_db
        for weather in () if changes.lossless else self._medium.weather:
            more_db, changes_ns = weather.at(now_ns)
            loss_db += more_db
            until.append(changes_ns)
        is_seen = is_seen and loss_db <= watch.most_db
        is_seen = is_seen and changes.pointing_urad <= watch.field_urad
        level = self._levels[there] if is_seen else BEACON_DARK
        return _View(level, min(until, default=None))

    def _geometry(self, margin_deg: float) -> Geometry | None:
        if margin_deg not in self._geometries:
            self._geometries[margin_deg] = self._above(margin_deg)
        return self._geometries[margin_deg]

    def _light(self, light: str, geometry: Geometry) -> Daylight:
        if light not in self._daylight:
            self._daylight[light] = Daylight(light, geometry.places, geometry.unix_s)
        return self._daylight[light]


def watched(pending: Pending) -> WatchBeacon:
    """What the watcher asked for."""
    operation = pending.operation
    assert isinstance(operation, WatchBeacon)
    return operation


def waits_for(pending: Pending) -> str:
    """What a watcher waits for, for people."""
    return f"the beacon of {watched(pending).peer} to change"


class Beacons:
    """The free-space links of a network, by their ends."""

    def __init__(self) -> None:
        self._links: dict[str, BeaconLink] = {}

    def add(self, link: BeaconLink) -> None:
        """One more."""
        self._links[link.name] = link

    def of(self, node: str) -> list[BeaconLink]:
        """Those of which a node is an end."""
        return [each for each in self._links.values() if node in each.ends]

    def choose(self, node: str, operation: SetBeacon | WatchBeacon) -> BeaconLink:
        """The link that is meant. Raises OperationError."""
        peer, name = operation.peer, operation.link
        found = [each for each in self.of(node) if peer in each.ends and name in (None, each.name)]
        if len(found) == 1 and peer != node:
            return found[0]
        why = "no free-space link" if not found else "several free-space links: say link="
        raise OperationError(why=f"a beacon from {node} to {peer}: {why}")

    def named(self, link: str) -> list[BeaconLink]:
        """The link of that name, if light crosses free space there."""
        return [self._links[link]] if link in self._links else []
