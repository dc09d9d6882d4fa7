"""A campaign, run and judged: what must hold whatever happened.

Owns running a topology (in this process, or as processes), reading its journal, and the properties. Rule: all
but the free slots of an in-process run is judged by results and journal, which both ways have.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import qnetem
from qnetem.emulator.control import Outcome
from qnetem.emulator.faults.kinds import FAULT_KINDS
from qnetem.emulator.topology import Topology
from qnetem.events import Event, read_events
from qnetem.inprocess import InProcessNetwork

from ..qnetem.trouble import left_in
from .networks import Network

#: Results that are an end's own, and not agreed on.
OWN = ("duration_s", "sifted_bits", "repeated")
#: What both ends note of each state: [session, round, pair].
ACCEPTED = "teleportation.accepted"
#: Operations after which a qubit is not held any more: where its name stands among the arguments.
CONSUMING = {"join": (0, 1), "bell_measure": (0, 1), "transmit": (0,), "measure": (0,)}


@dataclass
class Ended:
    """A run that is over."""

    outcome: Outcome
    events: list[Event]

    @property
    def digest(self) -> str:
        return self.outcome.digest


def in_process(topology: Topology) -> Ended:
    """Run it here, and look into all slots at the end."""
    with TemporaryDirectory() as folder:
        journal = Path(folder) / "journal.jsonl"
        network = InProcessNetwork(
            topology, journal_path=journal, log_stream=lambda node, incarnation: io.StringIO()
        )
        outcome = network.run()
        events = read_events(Path(folder))
    left = network.world.quantum.at_end()
    assert left == {}, f"left in slots: {left}"
    return Ended(outcome, events)


def as_processes(topology: Topology, folder: Path) -> Ended:
    """Run it with a process for each node, in the current folder, and look for what is left of them."""
    run = qnetem.run(topology, runs_folder=folder)
    assert left_in(folder) == []
    return Ended(run.outcome, run.events())


def judge(ended: Ended, network: Network) -> str:
    """Everything that must hold; returns the two statuses, for statistics."""
    outcome, ends = ended.outcome, network.ends
    assert outcome.problem is None, outcome.problem
    assert {outcome.nodes[end].state for end in ends} == {"finished"}
    first, second = (outcome.results[end] for end in ends)
    statuses = f"{first['status']}+{second['status']}"
    if statuses == "confirmed+confirmed":
        assert agreed(first) == agreed(second)
        rounds = accepted(ended.events)
        session = first["session"]
        assert rounds.get((ends[0], session)) == rounds.get((ends[1], session))
    one_use_of_each_pair(ended.events)
    one_use_of_each_half(ended.events)
    if network.fidelity is not None:
        every_state_has(network.fidelity, outcome)
    return statuses


def every_state_has(fidelity: float, outcome: Outcome) -> None:
    """All states came over whole pairs of the two ends, and with the correction that belonged to them."""
    struck = [fault.verb for fault in outcome.faults if fault.began_ns is not None]
    seen = outcome.metrics.get("bob.teleported.fidelity")
    if seen is not None and all(FAULT_KINDS[verb].plane != "quantum" for verb in struck):
        assert seen["min"] == pytest.approx(fidelity), seen
        assert seen["max"] == pytest.approx(fidelity), seen


def agreed(result: dict[str, Any]) -> dict[str, Any]:
    """What both ends must say alike: `teleported` and `received` are one thing."""
    told = {key: value for key, value in result.items() if key not in OWN}
    if "teleported" in told:
        told["received"] = told.pop("teleported")
    return told


def accepted(events: list[Event]) -> dict[tuple[str, str], dict[int, str]]:
    """(end, session) -> round -> the pair by which its state came, as the end's last incarnation noted it."""
    found: dict[tuple[str, str], dict[int, str]] = {}
    for event in events:
        if event.kind == "killed":
            found = {key: rounds for key, rounds in found.items() if key[0] != event.entity}
        elif event.kind == "note" and event.fields[0] == ACCEPTED:
            session, number, pair = event.fields[1]
            rounds = found.setdefault((event.entity, session), {})
            assert number not in rounds, f"{event.entity} accepts round {number} twice"
            rounds[number] = pair
    return found


def one_use_of_each_pair(events: list[Event]) -> None:
    """No pair of a link is in the pairs of two rounds."""
    used: Counter[tuple[str, str]] = Counter()
    for event in events:
        if event.kind == "note" and event.fields[0] == ACCEPTED:
            used.update((event.entity, part) for part in event.fields[1][2].split("+"))
    assert [pair for pair, times in used.items() if times > 1] == []


def one_use_of_each_half(events: list[Event]) -> None:
    """Each qubit that came into being is consumed at most once, and nothing is held at the end."""
    held: dict[str, str] = {}
    for node, come, gone in _flow(events):
        for qubit in gone:
            assert held.pop(qubit, None) == node, f"{node} consumes {qubit}, which it does not hold"
        for qubit in come:
            assert qubit not in held
            held[qubit] = node
    assert held == {}


def _flow(events: list[Event]) -> Iterator[tuple[str, list[str], list[str]]]:
    """(node, qubits that come to it, qubits that go), in the order of the journal."""
    asked: dict[tuple[str, int], tuple[str, list[Any]]] = {}
    for event in events:
        node, fields = event.entity, event.fields
        if event.kind == "operation":
            asked[node, fields[0]] = fields[1], list(fields[2:])
        elif event.kind in ("result", "dropped"):
            verb, arguments = asked.pop((node, fields[0]), ("", []))
            if fields[2] is not None:
                continue
            if verb in ("entangle", "allocate"):
                yield node, [fields[1]], []
            elif verb == "discard":
                yield node, [], arguments[0]
            elif verb in CONSUMING and not (verb == "measure" and arguments[2]):
                yield node, [], [arguments[place] for place in CONSUMING[verb]]
        elif event.kind == "arrival":
            yield node, [fields[2]], []
        elif event.kind == "memory_lost":
            asked = {key: value for key, value in asked.items() if key[0] != node}
            yield node, [], list(fields[0])
