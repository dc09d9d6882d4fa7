"""Arms of counted pairs that have come to nodes, until their coincidences are counted.

Owns the operation CountCoincidences, and the arms by the names that nodes get for them. Does not own how an
arm comes (reception.py) nor the numbers (optics/pair_counting.py).

Rule: an arm's name is drawn, so that a node has the other end's only from what that end says: no node learns
what another one's detectors found before a message could. An arm is counted once.
"""

from __future__ import annotations

from ...errors import OperationError
from ...kernel.ports import Surroundings
from ...optics.pair_counting import SeenArm, count_pairs
from ...wire import Coincidences, CountCoincidences
from ..node.node_devices import NodeDevices, Pending
from .stored_photons import Schedule

#: Arms of one node that wait for the other end; of more the oldest ones are forgotten.
MOST_ARMS = 16


class CountedArms:
    """The arms of all nodes, by name."""

    def __init__(self, around: Surroundings, schedule: Schedule) -> None:
        self._streams, self._clock, self._schedule = around.streams, around.clock, schedule
        #: (whose it is, the arm), in the order in which they came.
        self._arms: dict[str, tuple[str, SeenArm]] = {}

    def new(self, node: str, arm: SeenArm) -> str:
        """An arm has come; its name."""
        name = self._streams.of("arms", node).bytes(16).hex()
        self._arms[name] = node, arm
        own = [each for each, (whose, _) in self._arms.items() if whose == node]
        for oldest in own[:-MOST_ARMS]:
            del self._arms[oldest]
        return name

    def begin(self, devices: NodeDevices, operation: CountCoincidences) -> None:
        """Count them, in this instant. Raises OperationError for arms that do not belong together."""
        self._both(devices.name, operation)
        self._schedule(Pending(devices, operation), self._clock.now_ns)

    def end(self, devices: NodeDevices, operation: CountCoincidences) -> Coincidences:
        """The counts; both arms are gone. Raises OperationError as `begin`."""
        own, other = self._both(devices.name, operation)
        for name in (operation.arm, operation.other):
            del self._arms[name]
        found = count_pairs(own, other, operation.width)
        singles = found.singles[0].tolist(), found.singles[1].tolist()
        return Coincidences(singles, found.coincidences.tolist(), found.errors.tolist())

    def _both(self, node: str, operation: CountCoincidences) -> tuple[SeenArm, SeenArm]:
        whose, own = self._arms.get(operation.arm, ("", None))
        _, other = self._arms.get(operation.other, ("", None))
        if own is None or other is None or whose != node or own is other:
            raise OperationError(
                why=f"{node} has no two arms of counted pairs by these names: each is counted once"
            )
        if own.light.pairs is not other.light.pairs:
            raise OperationError(why="two arms of different trains have no coincidences")
        if operation.width < 1 or (own.light.pairs.clocked and operation.width != 1):
            raise OperationError(
                why=f"a window of {operation.width} slots: expected 1, or more where pairs have no clock"
            )
        return own, other
