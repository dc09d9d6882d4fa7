"""Faults as they went in a recorded run: those added by hand, and those healed by hand.

Owns reading them back, so that a replay does the same. Does not own the journal (events.py, emulator/record).
Rule: a fault that was added happens again at the same instant under the same id, with the same numbers; one
that was healed by hand is healed again at the same instant. This holds for a run that is a replay itself,
too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ..emulator.errors import InputError
from ..emulator.faults.kinds import FAULT_KINDS
from ..emulator.loading import Topology
from ..emulator.topology.faults.targets import crossing
from ..emulator.topology.model.faults import LIVE, FaultSpec
from ..emulator.wire.control import FaultRecord
from .events import Event, Lines


@dataclass
class Happened:
    """A fault that began. `asked_ns`: when it was healed by hand, or None."""

    id: str
    verb: str
    target: str
    parameters: dict[str, Any]
    for_ns: int | None
    began_ns: int
    asked_ns: int | None = None


def recorded_faults(topology: Topology, happened: Iterable[Happened]) -> Topology:
    """The topology with the faults that were added, and the heals by hand. Raises InputError."""
    faults = {spec.id or str(number): spec for number, spec in enumerate(topology.faults)}
    for fault in happened:
        if fault.id not in faults:
            if not fault.id.startswith(LIVE):
                raise InputError(f"fault {fault.id!r} happened, but is not in the topology")
            faults[fault.id] = _spec(topology, fault)
        if fault.asked_ns is not None:
            healed = {"healed_ns": fault.asked_ns}
            faults[fault.id] = faults[fault.id].model_copy(update=healed)
    return topology.model_copy(update={"faults": list(faults.values())})


def from_journal(path: Path) -> list[Happened]:
    """What began, in that order, as in a journal. Raises InputError."""
    found: dict[str, Happened] = {}
    for event in _fault_events(path):
        match event.kind, event.fields:
            case "begin", [str(name), str(verb), str(target), dict(parameters), for_ns]:
                found[name] = Happened(name, verb, target, parameters, for_ns, event.t_ns)
            case "heal", [str(name), _, _, "asked"] if name in found:
                found[name].asked_ns = event.t_ns
    return list(found.values())


def from_outcome(outcome: dict[str, Any]) -> list[Happened]:
    """The same from a run's outcome, which a run without a journal has too. Raises InputError."""
    try:
        records = msgspec.convert(outcome.get("faults", []), list[FaultRecord])
    except msgspec.ValidationError as error:
        raise InputError(f"the run's outcome: expected a list of faults: {error}") from error
    return [
        Happened(
            record.id,
            record.verb,
            record.target,
            record.parameters,
            record.for_ns,
            record.began_ns,
            record.healed_ns if record.asked else None,
        )
        for record in records
        if record.began_ns is not None
    ]


def _fault_events(path: Path) -> Iterator[Event]:
    with Lines(path) as lines:
        while lines.line is not None:
            if b'"faults"' in lines.line:
                event = lines.event()
                if event.entity == "faults":
                    yield event
            lines.advance()


def _spec(topology: Topology, fault: Happened) -> FaultSpec:
    kind = FAULT_KINDS.get(fault.verb)
    if kind is None:
        raise InputError(f"fault {fault.id}: {fault.verb!r} is no fault of this version")
    members = []
    if kind.target == "groups":
        groups = [group.split(",") for group in fault.target.split("|")]
        members = crossing(groups, topology.links)
    missing: dict[str, Any] = dict.fromkeys(kind.parameters)
    return FaultSpec(
        id=fault.id,
        verb=fault.verb,
        target=fault.target,
        at_ns=fault.began_ns,
        for_ns=fault.for_ns,
        parameters=missing | fault.parameters,
        members=members,
    )
