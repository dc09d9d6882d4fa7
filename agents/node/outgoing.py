"""What a step makes: messages, operations, withdrawals and records, until the report takes them.

Owns these lists and the numbers of operations, for all tenants of a node together: one step, one report. Does
not own what they mean.
"""

from __future__ import annotations

from ...emulator.wire import (
    AnyOperation,
    Failed,
    Finished,
    Grant,
    Note,
    OutsideState,
    PauliFrame,
    Report,
    Send,
)
from .limits import MOST_BYTES, Allowance


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

    def report(
        self,
        grant: Grant,
        next_timer_ns: int | None,
        finished: Finished | None,
        failed: Failed | None,
        frames: list[PauliFrame],
        broken: list[Failed],
        background: bool,
        outside: OutsideState | None,
    ) -> Report:
        """All of it as the report of a step; the next step begins with nothing."""
        report = Report(
            grant.t_ns,
            grant.m,
            next_timer_ns,
            self.sends,
            self.operations,
            self.cancels,
            self.notes,
            finished,
            failed,
            frames,
            broken,
            self.owners,
            background,
            outside,
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
