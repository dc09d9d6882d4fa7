"""What a step makes: messages, operations, withdrawals and records, until the report takes them.

Owns these lists and the numbers of operations, for all tenants of a node together: one step, one report. Does
not own what they mean.
"""

from __future__ import annotations

from typing import Any

from ...emulator.wire import AnyOperation, Grant, Note, Report, Send
from .limits import MOST_BYTES, Allowance

#: Of a report in which no frame has changed and no service has failed. Never written to.
_NOTHING: list[Any] = []


class Outgoing:
    """Of one node. `number` is the last operation's; `owners` names the services that have asked for some."""

    def __init__(self) -> None:
        self.allowance = Allowance()
        self.number = 0
        self.sends: list[Send] = []
        self.operations: list[AnyOperation] = []
        self.cancels: list[int] = []
        self.notes: list[Note] = []
        self.owners: dict[int, str] = {}
        #: Qubits that tenants have handed over where they share slots, and to which.
        self.handed: dict[str, str] = {}

    def next_number(self, owner: str) -> int:
        """The number of the owner's next operation."""
        self.number += 1
        if owner:
            self.owners[self.number] = owner
        return self.number

    def report(self, grant: Grant, next_timer_ns: int | None) -> Report:
        """All of it as the report of a step that changes nothing else; the next begins with nothing."""
        report = Report(
            grant.t_ns,
            grant.m,
            next_timer_ns,
            self.sends,
            self.operations,
            self.cancels,
            self.notes,
            None,
            None,
            _NOTHING,
            _NOTHING,
            self.owners,
            False,
            None,
            self.handed,
        )
        if self.sends:
            self.sends = []
        if self.operations:
            self.operations = []
        if self.cancels:
            self.cancels = []
        if self.notes:
            self.notes = []
        if self.owners:
            self.owners = {}
        if self.handed:
            self.handed = {}
        self.allowance.left = MOST_BYTES
        return report
