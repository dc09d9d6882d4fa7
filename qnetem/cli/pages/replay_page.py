"""A replay: a page of text, or one JSON object.

Owns the words for what a node did and for what it was given. The two runs of a whole replay are compared in
diff_page.py.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from rich.console import Console

from ...compare.node_replay import Deed, Divergence, NodeReplay
from ...compare.replay import Replay
from ...emulator.wire import Failed, Finished, Grant, Note, Operation, Send
from ...text.columns import count, in_columns, print_lines, shortened
from .diff_page import as_data as comparison_data
from .diff_page import exact_time, json_text, print_comparison

_LABELS = ("recorded", "replayed")
_BODY_WIDTH = 200
_REASONS = {"next timer": "next timer: it would run again at another time"}


def print_replay(replay: Replay, console: Console) -> None:
    """The page of a whole run's replay."""
    comparison = replay.comparison
    if replay.same:
        print_lines(console, _same(replay))
        return
    print_comparison(comparison, console, _LABELS)


def replay_data(replay: Replay) -> dict[str, Any]:
    """The object of `--format json`: as of a comparison, where `same` is whether the replay held."""
    return comparison_data(replay.comparison) | {"same": replay.same}


def print_node_replay(replay: NodeReplay, console: Console) -> None:
    """The page of one node's replay."""
    welcome, divergence = replay.welcome, replay.divergence
    lines = [f"{welcome.name}.{welcome.incarnation} of {replay.run.path}, program {replay.program}"]
    if divergence is None:
        lines += _to_the_end(replay)
    else:
        lines += _diverges(replay, divergence)
    print_lines(console, lines)


def node_replay_data(replay: NodeReplay) -> dict[str, Any]:
    """The object of `--format json`."""
    divergence = replay.divergence
    return {
        "same": replay.same,
        "node": replay.welcome.name,
        "incarnation": replay.welcome.incarnation,
        "program": replay.program,
        "steps": replay.steps,
        "t_ns": replay.t_ns if divergence is None else divergence.t_ns,
        "m": None if divergence is None else divergence.m,
        "ended": replay.ended,
        "cut": replay.cut,
        "granted": [] if divergence is None else _granted(divergence.granted),
        "differences": []
        if divergence is None
        else [_deed_data(deed) for deed in divergence.deeds],
    }


def _same(replay: Replay) -> list[str]:
    comparison = replay.comparison
    digest = comparison.b.digest
    settings = [f"changed since, to no effect: {setting.name}" for setting in comparison.settings]
    if comparison.same:
        events = f"{count(comparison.events, 'event')}, " if comparison.compared_events else ""
        return [f"the same: {events}digest {digest}", *settings]
    events = count(comparison.events, "event")
    goes = f"the same as far as the record goes: {events}; then something outside ended that run"
    return [goes, *settings]


def _to_the_end(replay: NodeReplay) -> list[str]:
    steps = count(replay.steps, "step")
    lines = [f"does the same to the end: {steps}, the last at {exact_time(replay.t_ns)}"]
    if replay.cut:
        lines.append("note: the record ends within an entry; compared up to there")
    elif not replay.ended:
        lines.append("the program had not ended there: the run was over, or the node was killed")
    return lines


def _diverges(replay: NodeReplay, divergence: Divergence) -> list[str]:
    at = exact_time(divergence.t_ns, divergence.m)
    lines = [
        f"does the same for {count(replay.steps, 'step')}; at {at} it does something else:",
        "",
    ]
    given = _granted(divergence.granted)
    if given:
        lines += ["  it was given", *(f"    {each}" for each in given)]
    for deed in divergence.deeds:
        then, now = _both_sides(deed)
        rows = [["   ", "recorded", then], ["   ", "now", now]]
        lines += [f"  {_REASONS.get(deed.what, deed.what)}", *in_columns(rows)]
        lines += [f"    {line}" for line in _traceback(deed.now)]
    return lines


def _both_sides(deed: Deed) -> tuple[str, str]:
    if deed.what == "next timer":
        return _timer(deed.then), _timer(deed.now)
    if deed.what in ("end", "end of a service"):
        return _end(deed.then), _end(deed.now)
    return _deed(deed.then, deed.then_body), _deed(deed.now, deed.now_body)


def _timer(t_ns: int | None) -> str:
    return "none: it waits for others" if t_ns is None else f"wakes up at {exact_time(t_ns)}"


def _end(end: Any) -> str:
    if isinstance(end, Finished):
        return f"returned {json_text(end.value, _BODY_WIDTH)}"
    if isinstance(end, Failed):
        who = f"service {end.service} " if end.service else ""
        return f"{who}failed: {shortened(end.problem, _BODY_WIDTH)}"
    return "continues"


def _deed(did: Any, body: str | None) -> str:
    if did is None:
        return "none"
    if isinstance(did, Send):
        known = shortened(body, _BODY_WIDTH) if body is not None else f"hash {did.hash.hex()}"
        posing = f" as {did.claims}" if did.claims else ""
        posing += f" on port {did.port}" if did.port else ""
        return f"to {did.dst}{posing}, kind {did.kind}, {did.size} bytes: {known}"
    if isinstance(did, Note):
        return f"{did.name} {json_text(did.value, _BODY_WIDTH)}"
    if isinstance(did, Operation):
        return _operation(did)
    return str(did)


def _operation(operation: Operation) -> str:
    fields = msgspec.structs.asdict(operation)
    number = fields.pop("number")
    arguments = ", ".join(f"{name}={_value(value)}" for name, value in fields.items())
    return f"{type(operation).__name__.lower()}({arguments}), number {number}"


def _value(value: Any) -> str:
    if isinstance(value, bytes):
        return f"<{len(value)} bytes, {hashlib.blake2b(value, digest_size=4).hexdigest()}>"
    return json_text(value)


def _granted(grant: Grant | None) -> list[str]:
    """What a step was given, in the order in which the program gets it."""
    if grant is None:
        return []
    given = [
        f"a message of {each.src}, number {each.seq}{', damaged' if each.damage else ''}"
        for each in grant.deliveries
    ]
    given += [f"qubit {each.qubit} of {each.source}" for each in grant.arrivals]
    for result in grant.results:
        came = f"error {result.error}" if result.error is not None else _result(result.value)
        given.append(f"the result of operation {result.number}: {came}")
    return [*given, "the last step of the run"] if grant.last else given


def _result(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return shortened(f"[{', '.join(_value(each) for each in value)}]", _BODY_WIDTH)
    return _value(value)


def _traceback(now: Any) -> list[str]:
    if isinstance(now, Failed) and now.traceback:
        return now.traceback.rstrip().splitlines()
    return []


def _deed_data(deed: Deed) -> dict[str, Any]:
    then, now = _both_sides(deed)
    return {"what": deed.what, "recorded": then, "now": now}
