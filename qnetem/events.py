"""What a run's journal says, event by event.

Owns the reading of `journal.jsonl` into `Event`s. Does not own what is written there (emulator/record).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from .emulator.errors import InputError
from .emulator.units import format_ns


class Event(NamedTuple):
    """One line of the journal: at `(t_ns, m)`, `kind` happened to `entity` (a node, a link, "faults").

    `fields` are JSON values, by kind: ("bob", 1, 1, "outcome", ...) for a message that was "sent".
    """

    t_ns: int
    m: int
    entity: str
    kind: str
    fields: tuple[Any, ...]

    def __str__(self) -> str:
        fields = "".join(f" {msgspec.json.encode(field).decode()}" for field in self.fields)
        return f"{format_ns(self.t_ns)} {self.entity} {self.kind}{fields}"


def read_events(run_folder: Path) -> list[Event]:
    """All events of a run that is over, in their order.

    Raises InputError when the run kept no journal (`record: hashes`) or it cannot be read.
    """
    path = run_folder / "journal.jsonl"
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        problem = f"there is no {path}: events are kept with `record: full` only"
        raise InputError(problem) from error
    try:
        lines = [msgspec.json.decode(line, type=list) for line in content.splitlines()]
        return [
            Event(t_ns, m, entity, kind, tuple(fields)) for t_ns, m, entity, kind, *fields in lines
        ]
    except (msgspec.MsgspecError, ValueError) as error:
        raise InputError(f"{path} is not the journal of a run: {error}") from error
