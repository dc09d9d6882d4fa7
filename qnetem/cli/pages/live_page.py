"""The state of a run, under way or over: tables, JSON values, CSV.

Owns the layout, and reading the end of a run that is over from its folder. Does not own the answers of a run
under way (emulator/world/live.py). Rule: a run under way and one that is over are the same object with the
same keys; what is not known is null.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from ...emulator.plain_text import ascii_json
from ...emulator.units import format_ns
from ...emulator.wire.control import FaultRecord, RunView
from ...live import client
from ...runs.recorded import open_run
from ...runs.run_warnings import warning_line
from ...text.columns import count, print_lines, print_table
from ...text.faults import fault_data, fault_line

_FAULT_KEYS = [
    *("id", "fault", "target", "parameters", "state"),
    *("at_s", "for_s", "began_s", "healed_s", "hits"),
]
_NODE_KEYS = [
    *("name", "kind", "state", "activity", "incarnation", "granted_s", "slots_used", "slots"),
    *("in_flight", "waits", "pools", "held", "owners", "unread", "open"),
]


def faults_of(run_folder: Path) -> list[FaultRecord]:
    """All faults of a run, under way or over. Raises InputError."""
    try:
        return client.list_faults(run_folder)
    except client.RunIsOver:
        return open_run(run_folder).end().faults


def view_of(run_folder: Path) -> dict[str, Any]:
    """The state of a run under way, or how it ended, as JSON values. Raises InputError."""
    try:
        view = client.inspect(run_folder)
    except client.RunIsOver:
        return _ended(run_folder)
    return {"run_folder": str(run_folder), "live": True} | _under_way(view)


def print_faults(faults: Sequence[FaultRecord], console: Console) -> None:
    """A table, in the order of the plan."""
    if not faults:
        console.print("no faults")
        return
    rows = [["id", "fault", "state", "began", "healed", "hits"]]
    for fault in faults:
        times = [_time(fault.began_ns), _time(fault.healed_ns)]
        rows.append([fault.id, fault_line(fault), fault.state, *times, str(fault.hits)])
    print_table(console, rows, yields=1, right=(3, 4, 5))


def faults_csv(faults: Sequence[FaultRecord]) -> str:
    """The same with one line each, times in s, `parameters` as JSON."""
    return _csv(_FAULT_KEYS, map(fault_data, faults))


def nodes_csv(view: dict[str, Any]) -> str:
    """A view's nodes with one line each, times in s, what is a list as JSON."""
    return _csv(_NODE_KEYS, view["nodes"])


def print_view(view: dict[str, Any], console: Console) -> None:
    """The page of a view."""
    print_lines(console, _headline(view))
    rows = [["node", "kind", "state", "inc", "last ran", "slots", "to it"]]
    for node in view["nodes"]:
        ran = "-" if node["granted_s"] is None else format_ns(round(node["granted_s"] * 1e9))
        slots = f"{node['slots_used']}/{node['slots']}"
        flying = "-" if node["in_flight"] is None else str(node["in_flight"])
        inc = str(node["incarnation"])
        rows.append([node["name"], node["kind"], _state(node), inc, ran, slots, flying])
    console.print()
    print_table(console, rows, yields=0, right=(3, 4, 5, 6))
    lines = [line for node in view["nodes"] for line in _details(node)]
    lines += [_active(fault) for fault in view["faults"] if fault["state"] == "active"]
    lines += [f"  {warning_line(each)}" for each in view["noticed"] if each["what"] != "unfinished"]
    if view["problem"] is not None:
        lines += view["problem"]["text"].splitlines()
    print_lines(console, ["", *lines] if lines else [])


# --- what there is to show ------------------------------------------------------------------------


def _under_way(view: RunView) -> dict[str, Any]:
    nodes = []
    for node in view.nodes:
        data = msgspec.to_builtins(node)
        data["granted_s"] = _seconds(data.pop("granted_ns"))
        data["waits"] = _waits(node.waits)
        nodes.append(data | {"held": None, "owners": None, "unread": None, "open": None})
    return {
        "name": view.name,
        "seed": view.seed,
        "digest": None,
        "virtual_time_s": view.t_ns / 1e9,
        "wall_time_s": view.wall_s,
        "instants": view.instants,
        "nodes": nodes,
        "faults": [fault_data(fault) for fault in view.faults],
        "noticed": [],
        "problem": None,
    }


def _waits(waits: list[tuple[str, str, int]]) -> list[dict[str, Any]]:
    return [
        {"task": task, "what": what, "since_s": since_ns / 1e9} for task, what, since_ns in waits
    ]


def _ended(run_folder: Path) -> dict[str, Any]:
    run = open_run(run_folder)
    end, planned = run.end(), run.planned()
    empty: dict[str, Any] = {"activity": None, "granted_s": None, "in_flight": None, "waits": []}
    empty["pools"] = None
    nodes = []
    for name, node in end.nodes.items():
        data: dict[str, Any] = {
            "name": name,
            "kind": planned.nodes[name].kind if name in planned.nodes else "",
        }
        data |= msgspec.to_builtins(node)
        data["waits"] = _waits(node.waits)
        nodes.append(empty | data)
    return {
        "run_folder": str(run_folder),
        "live": False,
        "name": planned.name,
        "seed": planned.seed,
        "digest": end.digest,
        "virtual_time_s": end.t_ns / 1e9,
        "wall_time_s": end.wall_s,
        "instants": end.instants,
        "nodes": nodes,
        "faults": [fault_data(fault) for fault in end.faults],
        "noticed": end.noticed,
        "problem": end.problem,
    }


# --- words ----------------------------------------------------------------------------------------


def _headline(view: dict[str, Any]) -> list[str]:
    time = format_ns(round(view["virtual_time_s"] * 1e9))
    wall_s = view["wall_time_s"]
    rate = view["instants"] / wall_s if wall_s > 0 else 0.0
    words = f"{view['name']}  seed {view['seed']}  "
    words += "under way" if view["live"] else f"is over, digest {view['digest']}"
    return [words, f"at {time}, {count(view['instants'], 'instant')}, {rate:,.0f} instants/s"]


def _state(node: dict[str, Any]) -> str:
    activity = node["activity"]
    if activity in (None, node["state"]):
        return str(node["state"])
    return f"{node['state']}, {activity}"


def _details(node: dict[str, Any]) -> list[str]:
    name, lines = node["name"], []
    for wait in node["waits"]:
        task = wait["task"]
        who = name if task == name else f"{name}, task {task!r},"
        if task.startswith("service "):
            who = f"{name}, {task},"
        since = format_ns(round(wait["since_s"] * 1e9))
        lines.append(f"  {who} waits for {wait['what']} since {since}")
    for service, (used, slots) in (node["pools"] or {}).items():
        lines.append(f"  {name}, service {service}, has {used} of its {slots} slots in use")
    if node["held"]:
        owners = node["owners"] or {}
        held = [
            each + (f" (service {owners[each]})" if each in owners else "") for each in node["held"]
        ]
        lines.append(f"  {name} has in its slots: {', '.join(held)}")
    if node["open"]:
        lines.append(f"  {name} had asked for: {', '.join(node['open'])}")
    return lines


def _active(fault: dict[str, Any]) -> str:
    since = format_ns(round(fault["began_s"] * 1e9))
    return f"  fault {fault['id']} is active: {fault['fault']} {fault['target']} since {since}"


def _time(time_ns: int | None) -> str:
    return "-" if time_ns is None else format_ns(time_ns)


def _seconds(time_ns: int | None) -> float | None:
    return None if time_ns is None else time_ns / 1e9


def _csv(keys: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(keys)
    for row in rows:
        cells = [row[key] for key in keys]
        writer.writerow(
            ascii_json(msgspec.json.encode(cell).decode())
            if isinstance(cell, (dict, list))
            else cell
            for cell in cells
        )
    return text.getvalue()
