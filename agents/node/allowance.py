"""How much a program may ask for in one step, and how many names it may record under.

Owns the two limits of one node. All that a step has made goes to the emulator in one report, and the records
of a run stay in the emulator's memory: a program that makes more is refused where it does, with the limit.
The count is of what is made, not of what is encoded, so that it is the same in every mode.
"""

from __future__ import annotations

from ...emulator.errors import MessageError, OperationError
from ...emulator.wire import AnyOperation, PairPulses

#: Bytes in one step: of records and operations, and of what names each message.
MOST_BYTES = 32 * 1024 * 1024
#: What each message, record or operation counts beside its own text: so many are still read fast.
EACH_BYTES = 256
#: Different names under which one node records.
MOST_NAMES = 10_000
_COLUMNS = ("bases", "bits", "intensities")


class Allowance:
    """What one node has left; `renew` when a step has been reported."""

    def __init__(self) -> None:
        self._left = MOST_BYTES
        self._names: dict[str, None] = {}

    def renew(self) -> None:
        """A step has ended."""
        self._left = MOST_BYTES

    def message(self, names: int) -> None:
        """One message more, with names of so many characters. Raises MessageError."""
        self._left -= EACH_BYTES + names
        if self._left < 0:
            raise MessageError(_too_much())

    def record(self, name: str, size: int) -> None:
        """One record more, of so many bytes. Raises MessageError."""
        if name not in self._names:
            if len(self._names) >= MOST_NAMES:
                raise MessageError(f"a node records under at most {MOST_NAMES:,} different names")
            self._names[name] = None
        self._left -= EACH_BYTES + len(name) + size
        if self._left < 0:
            raise MessageError(_too_much())

    def operation(self, operation: AnyOperation) -> None:
        """One operation more. Raises OperationError."""
        self._left -= EACH_BYTES
        if not isinstance(operation, PairPulses):
            for column in _COLUMNS:
                self._left -= len(getattr(operation, column, None) or b"")
        if self._left < 0:
            raise OperationError(_too_much())


def _too_much() -> str:
    return (
        f"this step has made more than {MOST_BYTES:,} bytes of messages, records and operations: "
        "let virtual time pass in between"
    )
