"""The comparison of two runs: a page of text, or one JSON object.

Owns the words and the layout. Does not own the comparison (compare/diff.py). Differing settings come first,
because they are the usual reason; then the first differing event, with the events before and after it.
"""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console

from ...compare.diff import Comparison, Difference, Setting
from ...runs.events import Event
from ...runs.recorded import RecordedRun
from ...text.columns import in_columns, print_lines, shortened
from ...text.quantities import count

_MOST_SETTINGS = 12
_UNITS = (("s", 10**9), ("ms", 10**6), ("us", 10**3))
Labels = tuple[str, str]


def print_comparison(comparison: Comparison, console: Console, labels: Labels = ("A", "B")) -> None:
    """The page; `labels` are what the two runs are called."""
    lines = in_columns(
        [
            [label, str(run.path), f"digest {run.digest}"]
            for label, run in zip(labels, (comparison.a, comparison.b), strict=True)
        ],
        None,
    )
    if comparison.settings:
        lines += ["", *_settings(comparison.settings, console.width)]
    lines += ["", *(f"note: {note}" for note in comparison.notes)] if comparison.notes else []
    lines.append("")
    if comparison.first is not None:
        lines += _difference(comparison.first, comparison, console.width, labels)
    else:
        lines.append(_verdict(comparison))
    print_lines(console, lines)


def as_data(comparison: Comparison) -> dict[str, Any]:
    """The object of `--format json`."""
    first = comparison.first
    return {
        "same": comparison.same,
        "a": _run_data(comparison.a),
        "b": _run_data(comparison.b),
        "settings": [setting._asdict() for setting in comparison.settings],
        "events": comparison.events if comparison.compared_events else None,
        "instants": comparison.instants if comparison.compared_events else None,
        "first": None if first is None else _first_data(first),
        "notes": comparison.notes,
    }


def exact_time(t_ns: int, m: int = 0) -> str:
    """Virtual time with every digit: `3.75 ms`, and `3.75 ms +2` in its second microstep."""
    text = f"{t_ns} ns"
    for unit, factor in _UNITS:
        if t_ns >= factor:
            whole, rest = divmod(t_ns, factor)
            digits = f"{rest:0{len(str(factor)) - 1}d}".rstrip("0")
            text = f"{whole}.{digits} {unit}" if digits else f"{whole} {unit}"
            break
    return f"{text} +{m}" if m else text


def json_text(value: Any, width: int = 60) -> str:
    """A value as JSON, on one line and not too long."""
    return shortened(json.dumps(value, ensure_ascii=False), width)


def _verdict(comparison: Comparison) -> str:
    if not comparison.compared_events:
        if comparison.same:
            return "the same: the digests are equal"
        return "the digests differ; without two journals it is not known where"
    events, instants = count(comparison.events, "event"), count(comparison.instants, "instant")
    verdict = (
        "the same" if comparison.same else "not the same, as the digests say; both journals have"
    )
    return f"{verdict}: {events} in {instants}"


def _settings(settings: list[Setting], width: int) -> list[str]:
    lines = []
    for kind, name, a, b in settings[:_MOST_SETTINGS]:
        if kind == "seed":
            lines.append(f"the seeds differ: {a} and {b}")
        elif kind == "version":
            lines.append(f"{name} {_or_none(a)} and {_or_none(b)}")
        elif kind == "program":
            lines.append(f"the program file has changed: {name}")
        elif kind == "hash seed":
            lines.append(f"the hash seeds differ, and so may the order of sets: {a} and {b}")
        else:
            lines.append(f"the topologies differ: {name}: {_or_none(a)} and {_or_none(b)}")
    left = len(settings) - _MOST_SETTINGS
    return [*lines, f"and {count(left, 'other setting')}"] if left > 0 else lines


def _or_none(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, (dict, list)):
        return "there"
    return shortened(value, 60) if isinstance(value, str) else json_text(value)


def _difference(first: Difference, comparison: Comparison, width: int, labels: Labels) -> list[str]:
    same = f"the same until then: {count(comparison.events, 'event')}"
    lines = [
        f"first difference at {exact_time(*first.instant)}, {first.entity}: {_what(first, labels)}",
    ]
    if first.place is not None:
        name, a, b = first.place
        lines.append(f"  {name}: {labels[0]} {json_text(a)}, {labels[1]} {json_text(b)}")
    if first.others:
        lines.append(f"  at the same instant also differ: {_some(first.others)}")
    rows = [["", *_cells(event)] for event in first.before]
    for label, event, after, over in (
        (labels[0], first.a, first.after_a, first.over_a),
        (labels[1], first.b, first.after_b, first.over_b),
    ):
        rows += [
            [f"{label}{'>' if each is event else ' '}", *_cells(each)]
            for each in _side(event, after)
        ]
        rows += [[label, "(the end)", "", "", ""]] if over else []
    return [*lines, "", same, *in_columns(rows, width)]


def _side(event: Event | None, after: list[Event]) -> list[Event]:
    return after if event is None else [event, *after]


def _what(first: Difference, labels: Labels) -> str:
    a, b = first.a, first.b
    if a is not None and b is not None:
        if a.kind == b.kind:
            return f"another {a.kind}"
        return f"{labels[0]} has {a.kind}, {labels[1]} has {b.kind}"
    there = a if a is not None else b
    assert there is not None
    who, other = labels if a is not None else labels[::-1]
    over = first.over_b if a is not None else first.over_a
    return f"{who} has {there.kind}, {other} " + ("has ended" if over else "has nothing")


def _cells(event: Event) -> list[str]:
    fields = " ".join(json_text(each, 400) for each in event.fields)
    return [exact_time(*event.instant), event.entity, event.kind, fields]


def _some(names: list[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _run_data(run: RecordedRun) -> dict[str, Any]:
    return {"path": str(run.path), "seed": run.seed, "digest": run.digest}


def _first_data(first: Difference) -> dict[str, Any]:
    place = first.place
    return {
        "t_ns": first.instant[0],
        "m": first.instant[1],
        "entity": first.entity,
        "a": _event_data(first.a),
        "b": _event_data(first.b),
        "place": None if place is None else dict(zip(("name", "a", "b"), place, strict=True)),
        "others": first.others,
        "before": [_event_data(event) for event in first.before],
        "after_a": [_event_data(event) for event in first.after_a],
        "after_b": [_event_data(event) for event in first.after_b],
        "over_a": first.over_a,
        "over_b": first.over_b,
    }


def _event_data(event: Event | None) -> dict[str, Any] | None:
    if event is None:
        return None
    data = event._asdict()
    del data["raw"]
    data["line"] = data.pop("number")
    return data
