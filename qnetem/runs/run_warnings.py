"""Warnings at the end of a run: slots still in use, messages not received, slow nodes, unfinished programs.

Owns when a run deserves a warning, and its text. Does not own the figures (emulator/world/end.py).
Rule: a clean run has none. Slowness is measured in real time and differs from run to run.
"""

from __future__ import annotations

import statistics
from typing import Any

from ..emulator.units import format_ns
from ..emulator.wire.control import Left, Outcome
from ..text.columns import shortened
from ..text.quantities import count

_MOST_NAMED, _MOST_WAITS = 6, 3
#: A node is slow if the run has waited so long for it, that share of its real time, and so many times as
#: long for each grant as for the others' (the middle one of them).
SLOW_S = 0.5
SLOW_SHARE = 0.3
SLOW_RATIO = 5.0


def run_warnings(outcome: Outcome) -> list[dict[str, Any]]:
    """The warnings as JSON values; `what` is unfinished, slots, unread or slow."""
    return [*_unfinished(outcome), *_slots(outcome), *_unread(outcome), *_slow(outcome)]


def warning_line(warning: dict[str, Any]) -> str:
    """A warning as a line for people."""
    node = warning["node"]
    if warning["what"] == "unfinished":
        return (
            f"{node} had not finished at {_time(warning['time_s'])}: {_awaited(warning['waits'])}"
        )
    if warning["what"] == "slots":
        held = warning["held"]
        owners = warning.get("owners", {})
        named = [_owned(name, owners.get(name, "")) for name in held[:_MOST_NAMED]]
        names = ", ".join(named) + (", ..." if len(held) > _MOST_NAMED else "")
        return f"{node} ended with {count(len(held), 'slot')} in use: {names}"
    if warning["what"] == "unread":
        kinds = [f"{number} of kind {kind!r}" for kind, number in warning["kinds"].items()]
        received = count(sum(warning["kinds"].values()), "message")
        return shortened(f"{node} did not receive {received}: {', '.join(kinds)}", 160)
    share, each = warning["share"], warning["per_grant_s"] * 1e3
    return f"{node} took {share:.0%} of the run's real time: {each:.3g} ms for each of its steps"


def _owned(name: str, service: str) -> str:
    return f"{name} (service {service})" if service else name


def _unfinished(outcome: Outcome) -> list[dict[str, Any]]:
    """Programs that `until` has ended, and what their tasks waited for."""
    return [
        {
            "what": "unfinished",
            "node": name,
            "time_s": outcome.t_ns / 1e9,
            "waits": [
                {"task": task, "what": what, "since_s": since_ns / 1e9}
                for task, what, since_ns in left.waits
            ],
        }
        for name, left in outcome.left.items()
        if left.waits
    ]


def _awaited(waits: list[dict[str, Any]]) -> str:
    lines = [f"waits for {wait['what']} since {_time(wait['since_s'])}" for wait in waits]
    more = len(lines) - _MOST_WAITS
    return "; ".join(lines[:_MOST_WAITS]) + (f"; and {more} more" if more > 0 else "")


def _time(seconds: float) -> str:
    return format_ns(round(seconds * 1e9))


def _slots(outcome: Outcome) -> list[dict[str, Any]]:
    return [
        {"what": "slots", "node": name, "held": left.held}
        | ({"owners": left.owners} if left.owners else {})
        for name, left in outcome.left.items()
        if left.held and outcome.nodes[name].state == "finished"
    ]


def _unread(outcome: Outcome) -> list[dict[str, Any]]:
    return [
        {"what": "unread", "node": name, "kinds": left.unread}
        for name, left in outcome.left.items()
        if left.unread
    ]


def _slow(outcome: Outcome) -> list[dict[str, Any]]:
    each = {name: _per_grant_s(left) for name, left in outcome.left.items() if left.grants}
    found = []
    for name, per_grant_s in each.items():
        worked_s = outcome.left[name].worked_s
        share = worked_s / outcome.wall_s if outcome.wall_s > 0 else 0.0
        if worked_s < SLOW_S or share < SLOW_SHARE or len(each) == 1:
            continue  # few have such a share, so all others are looked at for few
        others = [value for other, value in each.items() if other != name]
        if per_grant_s >= SLOW_RATIO * statistics.median(others):
            found.append({"what": "slow", "node": name, "share": share, "per_grant_s": per_grant_s})
    return found


def _per_grant_s(left: Left) -> float:
    return left.worked_s / max(1, left.grants - 1)  # the first step took none of it
