"""A campaign, run and judged: what must hold whatever happened.

Owns running a topology (in this process, or as processes), reading its journal, and the properties. Rule: all
is judged by outcome and journal, which both ways have.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import qnetem
from qnetem.emulator.faults.kinds import FAULT_KINDS
from qnetem.emulator.loading import Topology
from qnetem.emulator.wire.control import Outcome
from qnetem.inprocess.network import InProcessNetwork
from qnetem.runs.events import Event, read_events

from ..qnetem.trouble import left_in
from .networks import Network, ProtocolRun
from .programs import SIFTED

#: Results that are an end's own, and not agreed on.
OWN = ("duration_s", "sifted_bits", "repeated", "status")
#: What both ends note of each state: [session, round, pair].
ACCEPTED = "teleportation.accepted"
#: Operations after which a qubit is not held any more: where its name stands among the arguments.
CONSUMING = {"join": (0, 1), "bell_measure": (0, 1), "transmit": (0,), "measure": (0,)}
#: What is less probable than this does not happen by chance, in as many campaigns as there will be.
NEVER = 1e-9


@dataclass
class Ended:
    """A run that is over."""

    outcome: Outcome
    events: list[Event]

    @property
    def digest(self) -> str:
        return self.outcome.digest


def in_process(topology: Topology) -> Ended:
    """Run it here."""
    with TemporaryDirectory() as folder:
        journal = Path(folder) / "journal.jsonl.gz"
        network = InProcessNetwork(
            topology, journal_path=journal, log_stream=lambda node, incarnation: io.StringIO()
        )
        return Ended(network.run(), read_events(Path(folder)))


def as_processes(topology: Topology, folder: Path, broker: str = "auto") -> Ended:
    """Run it with a process for each node, in the current folder, and look for what is left of them."""
    run = qnetem.run(topology, runs_folder=folder, broker=broker)
    assert left_in(folder) == []
    return Ended(run.outcome, run.events())


def judge(ended: Ended, network: Network) -> list[str]:
    """Everything that must hold; returns the two statuses of each protocol run, for statistics."""
    outcome = ended.outcome
    assert outcome.problem is None, outcome.problem
    assert {node: left.held for node, left in outcome.left.items() if left.slots_used} == {}
    one_use_of_each_pair(ended.events)
    one_use_of_each_half(ended.events)
    return [_judge(ended, protocol_run) for protocol_run in network.protocol_runs]


def _judge(ended: Ended, protocol_run: ProtocolRun) -> str:
    outcome, ends = ended.outcome, protocol_run.ends
    assert {outcome.nodes[end].state for end in ends} == {"finished"}
    results = protocol_run.results(outcome.results)
    what_is_confirmed_is_there(results, [outcome.nodes[end].incarnation for end in ends])
    if is_agreed(results):
        first, second = results
        assert agreed(first) == agreed(second)
        if first["status"] == second["status"] == "confirmed":
            rounds = accepted(ended.events)
            session = first["session"]
            assert rounds.get((ends[0], session)) == rounds.get((ends[1], session))
        errors_are_reported(ended, protocol_run)
    if protocol_run.fidelity is not None:
        end, probe = protocol_run.ends[1], protocol_run.probe
        every_state_has(protocol_run.fidelity, f"{end}.{probe}.fidelity", outcome)
    return "+".join(result["status"] for result in results)


# --- results --------------------------------------------------------------------------------------


def what_is_confirmed_is_there(results: Iterable[dict[str, Any]], incarnations: list[int]) -> None:
    """Who confirms says that the other has a result of that session, unless it was killed since."""
    first, second = results
    for one, other, incarnation in (
        (first, second, incarnations[1]),
        (second, first, incarnations[0]),
    ):
        assert one["status"] in ("confirmed", "unconfirmed", "incomplete")
        if one["status"] == "confirmed" and incarnation == 1:
            assert (other["status"] != "incomplete", other["session"]) == (True, one["session"])


def is_agreed(results: Iterable[dict[str, Any]]) -> bool:
    """Whether the results must be the same: both confirmed, or both of one session."""
    first, second = results
    statuses = {first["status"], second["status"]}
    if statuses == {"confirmed"}:
        return True
    return "incomplete" not in statuses and bool(first["session"] == second["session"])


def agreed(result: dict[str, Any]) -> dict[str, Any]:
    """What both ends must say alike: `teleported` and `received` are one thing."""
    shared = {key: value for key, value in result.items() if key not in OWN}
    if "teleported" in shared:
        shared["received"] = shared.pop("teleported")
    if isinstance(
        shared.get("key"), dict
    ):  # each end sees its own forgeries, and waits at its own pace
        shared["key"] = {k: v for k, v in shared["key"].items() if k not in ("latency", "refused")}
    return shared


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


# --- states and errors ----------------------------------------------------------------------------


def struck(outcome: Outcome) -> set[str]:
    """The planes that faults have struck."""
    return {FAULT_KINDS[fault.verb].plane for fault in outcome.faults if fault.began_ns is not None}


def every_state_has(fidelity: float, metric: str, outcome: Outcome) -> None:
    """All states came over whole pairs of the two ends, and with the correction that belonged to them."""
    seen = outcome.metrics.get(metric)
    if seen is not None and "quantum" not in struck(outcome):
        assert seen["min"] == pytest.approx(fidelity), seen
        assert seen["max"] == pytest.approx(fidelity), seen


def errors_are_reported(ended: Ended, protocol_run: ProtocolRun) -> None:
    """The error rate that both tell is that of the bits they keep, and what the link makes if it is whole."""
    first, second = protocol_run.results(ended.outcome.results)
    signal = first.get("signal", first)
    if "qber" not in signal:
        return
    compared, errors = signal["compared"], round((signal["qber"] or 0.0) * signal["compared"])
    one, other = (kept_bits(ended, protocol_run, result) for result in (first, second))
    assert len(one) == len(other)
    wrong = sum(here != there for here, there in zip(one, other, strict=True))
    same_rate(errors, compared, wrong, len(one))
    if protocol_run.error is not None and not struck(ended.outcome) & {"quantum", "clock"}:
        at_most(errors + wrong, compared + len(one), protocol_run.error)


def kept_bits(ended: Ended, protocol_run: ProtocolRun, result: dict[str, Any]) -> str:
    """The bits that an end has kept in secret: they are in its result, or noted for its session."""
    if SIFTED in result:
        return str(result[SIFTED])
    first, _ = protocol_run.results(ended.outcome.results)
    end = protocol_run.ends[0 if result is first else 1]
    noted = [
        event.fields[1][1]
        for event in ended.events
        if (event.entity, event.kind, event.fields[0]) == (end, "note", SIFTED)
        and event.fields[1][0] == result["session"]
    ]
    assert len(noted) == 1, f"{end} has bits of session {result['session']} {len(noted)} times"
    return str(noted[0])


def same_rate(errors: int, of: int, wrong: int, among: int) -> None:
    """Both counts may come from one rate (Chernoff): the compared bits were a fair sample."""
    rate = (errors + wrong) / max(1, of + among)
    chance = math.exp(-of * _divergence(errors, of, rate) - among * _divergence(wrong, among, rate))
    assert chance > NEVER, f"{errors} of {of} compared, but {wrong} of {among} kept bits are wrong"


def at_most(errors: int, of: int, rate: float) -> None:
    """So many errors may come from a rate no higher than this (Chernoff)."""
    if errors > rate * of:
        chance = math.exp(-of * _divergence(errors, of, rate))
        assert chance > NEVER, f"{errors} of {of} bits are wrong on a link that is whole"


def _divergence(hits: int, of: int, rate: float) -> float:
    """Kullback-Leibler, of the observed frequency from the rate; nats."""
    if not of:
        return 0.0
    observed = hits / of
    return sum(
        share * math.log(share / expected)
        for share, expected in ((observed, rate), (1 - observed, 1 - rate))
        if share
    )


# --- pairs and qubits -----------------------------------------------------------------------------


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
