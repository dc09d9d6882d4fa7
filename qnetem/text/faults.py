"""Faults as text and data: a line for people, JSON, or the entry of a file that means the same.

Owns the wording and the one shape of JSON. Does not own where it is shown (cli/pages/summary.py,
cli/schedule_command.py).

Rule: an entry is exact. Read again, it gives the same fault to the nanosecond.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..emulator.faults.base import Parameter
from ..emulator.faults.kinds import FAULT_KINDS
from ..emulator.topology.model.faults import FaultSpec
from ..emulator.units import BASE, format_ns
from ..emulator.wire.control import FaultRecord

_PLAIN = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
#: What YAML takes for something else than text.
_NO_NAMES = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")


def fault_line(fault: FaultSpec | FaultRecord) -> str:
    """`cut alice-r1 for 500 ms`, `kill r1, restart 250 ms`."""
    text = f"{fault.verb} {fault.target}"
    for key, value in _given(fault.verb, fault.parameters):
        text += f", {key} {value}"
    return text + (f" for {format_ns(fault.for_ns)}" if fault.for_ns is not None else "")


def fault_entry(fault: FaultSpec) -> str:
    """`{id: random.3, at: 2 s, for: 500 ms, cut: alice-r1}`: an entry of `faults:` in flow style."""
    words = [f"id: {_word(fault.id)}", f"at: {exact_time(fault.at_ns)}"]
    if fault.for_ns is not None:
        words.append(f"for: {exact_time(fault.for_ns)}")
    words.append(f"{fault.verb}: {_target(fault)}")
    words += [f"{key}: {value}" for key, value in _given(fault.verb, fault.parameters, exact=True)]
    return f"{{{', '.join(words)}}}"


def fault_data(fault: FaultSpec | FaultRecord) -> dict[str, Any]:
    """A fault as JSON values, times in s: as it is planned, or what became of it."""
    record = fault if isinstance(fault, FaultRecord) else None
    return {
        "id": fault.id,
        "fault": fault.verb,
        "target": fault.target,
        "parameters": fault.parameters,
        "state": "planned" if record is None else record.state,
        "at_s": fault.at_ns / 1e9,
        "for_s": _seconds(fault.for_ns),
        "began_s": None if record is None else _seconds(record.began_ns),
        "healed_s": None if record is None else _seconds(record.healed_ns),
        "hits": _hits(fault, 0 if record is None else record.hits),
    }


def fault_hits(fault: FaultRecord) -> str:
    """How often it struck; a dash for one of a kind that counts nothing."""
    hits = _hits(fault, fault.hits)
    return "-" if hits is None else f"{hits:,}"


def _hits(fault: FaultSpec | FaultRecord, hits: int) -> int | None:
    return hits if FAULT_KINDS[fault.verb].counts else None


def _seconds(time_ns: int | None) -> float | None:
    return None if time_ns is None else time_ns / 1e9


def exact_time(time_ns: int) -> str:
    """A time in the largest unit in which it has at most three decimals: no digit is lost."""
    for unit, factor in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if time_ns and time_ns % (factor // 1000) == 0 and abs(time_ns) >= factor:
            whole, thousandths = divmod(abs(time_ns) // (factor // 1000), 1000)
            decimals = f".{thousandths:03}".rstrip("0") if thousandths else ""
            return f"{'-' if time_ns < 0 else ''}{whole}{decimals} {unit}"
    return f"{time_ns} ns"


def _target(fault: FaultSpec) -> str:
    if FAULT_KINDS[fault.verb].target != "groups":
        return _word(fault.target)
    groups = [f"[{', '.join(map(_word, group.split(',')))}]" for group in fault.target.split("|")]
    return f"[{', '.join(groups)}]"


def _word(text: str) -> str:
    """A name that YAML reads as these letters: 0.10 would be the number 0.1, and a node may be called no."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _NO_NAMES
    return text if plain else json.dumps(text, ensure_ascii=False)


def _given(
    verb: str, parameters: Mapping[str, Any], *, exact: bool = False
) -> list[tuple[str, str]]:
    """The parameters that are not what they are by default, as words."""
    known = FAULT_KINDS[verb].parameters
    return [
        (key, _value(known[key], value, exact))
        for key, value in parameters.items()
        if value is not None and value != known[key].default
    ]


def _value(parameter: Parameter, value: Any, exact: bool) -> str:
    if parameter.dimension == "time":
        return exact_time(int(value)) if exact else format_ns(int(value))
    if parameter.dimension == "flag":
        return "true" if value else "false"
    unit = BASE.get(parameter.dimension, "")
    number = f"{value:g}" if isinstance(value, float) and not exact else str(value)
    return f"{number} {unit}" if unit else number
