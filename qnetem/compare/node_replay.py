"""The replay of one node alone: it gets what it had received, up to the first thing it does differently.

Owns the comparison of two reports. Does not own the node (agents/node/node.py, which knows nothing of a
replay), reading the record (runs/node_record.py) nor the layout (cli/pages/replay_page.py).

Rule: what a node receives is right only as long as it has done the same; after the first difference the
record holds nothing that fits, and the replay stops. A traceback is not compared, and neither is the text of
an exception: they may hold lines, paths and addresses. Its class is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec

from ..agents.guards import guards
from ..agents.loop.finalizers import hooked
from ..agents.messages import unseal
from ..agents.node.node import Node
from ..agents.node.program import load_program
from ..agents.options.fitting import fit_options
from ..agents.process.files import JournalRecord, Payload
from ..emulator.errors import InputError, NodeSilent
from ..emulator.program_modules import ProgramModules
from ..emulator.record.journal import rounded
from ..emulator.topology.written.names import absolute
from ..emulator.units import format_ns
from ..emulator.wire import Failed, Grant, Release, Report, Send, Welcome
from ..inprocess.watchdog import watched
from ..runs.node_record import NodeRecord, node_record, sent_body
from ..runs.recorded import RecordedRun

Did = Report | Failed


@dataclass(frozen=True)
class Deed:
    """One thing that differs. `what` is in words; None where one side did nothing of the kind.

    `then` and `now` are as on the wire (Send, an operation, Note, Finished, Failed, a number).
    `then_body` and `now_body` are the bodies of messages, as JSON text, where they are known.
    """

    what: str
    then: Any
    now: Any
    then_body: str | None = None
    now_body: str | None = None


@dataclass(frozen=True)
class Divergence:
    """The first step that ends otherwise; `granted` is what the node was given in it."""

    t_ns: int
    m: int
    granted: Grant | None
    deeds: list[Deed]


@dataclass
class NodeReplay:
    """What came of it: `steps` that ended alike, and the divergence or None."""

    run: RecordedRun
    path: Path
    welcome: Welcome
    program: str
    steps: int = 0
    #: The instant of the last step that ended alike.
    t_ns: int = 0
    divergence: Divergence | None = None
    ended: bool = False
    cut: bool = False

    @property
    def same(self) -> bool:
        """Whether it did the same, to the end of the record."""
        return self.divergence is None


def replay_node(
    run: RecordedRun,
    node: str,
    *,
    program: str | None = None,
    incarnation: int | None = None,
    base: Path | None = None,
) -> NodeReplay:
    """Run one incarnation of a node against its record, with `program` in place of its own.

    File paths are relative to `base`. The program runs in this process, whose hash seed should be that
    of nodes. Raises InputError for a record that is none, is another incarnation's or is not as the run
    left it, ProgramError for a program that does not fit, NodeSilent for one that does not return.
    """
    record = node_record(run, node, incarnation)
    run.check(run.folder.topology, record.path)
    with closing(record.records()) as records, ProgramModules() as modules:
        return _replayed(run, record, records, program, base, modules)


def _replayed(
    run: RecordedRun,
    record: NodeRecord,
    records: Iterator[JournalRecord],
    program: str | None,
    base: Path | None,
    modules: ProgramModules,
) -> NodeReplay:
    welcome = next(records)
    assert isinstance(welcome, Welcome)
    if record.path != run.folder.record(welcome.name, welcome.incarnation):
        found = f"{welcome.name}.{welcome.incarnation}"
        raise InputError(
            f"{record.path} is the record of {found}: it has been put in another's place"
        )
    if program is not None:
        spec = absolute(program, base or Path.cwd())
        welcome = msgspec.structs.replace(welcome, program=spec)
    if not welcome.nodes:
        welcome = msgspec.structs.replace(welcome, nodes=sorted(run.topology["nodes"]))
    if welcome.outside:
        welcome = msgspec.structs.replace(welcome, outside="replay")
    guards.install()
    fit_options(load_program(welcome.program, modules=modules), welcome.options, welcome.folder)
    result = NodeReplay(run, record.path, welcome, welcome.program)
    again = _ReplayedNode(run, welcome, modules)
    with hooked(), watched(again):
        try:
            for each in records:
                if isinstance(each, (Report, Failed)):
                    result.divergence = again.compare(each)
                    if result.divergence is not None:
                        return result
                    result.steps += isinstance(each, Report)
                    # A program ends before its services do.
                    result.t_ns, result.ended = each.t_ns, result.ended or _is_end(each)
                else:
                    again.take(each)
        except _Incomplete as error:
            raise InputError(f"{record.path}: {error}") from error
        finally:
            again.node.kill()
    result.cut = record.cut
    return result


class _Incomplete(Exception):
    """The record lacks something that the node needs for its next step."""


class _ReplayedNode:
    """The node, run again. `inside`, `calls` and `stalled` are for inprocess/watchdog.py."""

    def __init__(self, run: RecordedRun, welcome: Welcome, modules: ProgramModules) -> None:
        self.node = Node(welcome, modules=modules)
        self._run, self._welcome = run, welcome
        self._done: deque[Did] = deque()
        #: Bodies of what it has sent in this step, by sequence number.
        self._bodies: dict[int, str] = {}
        self._grant: Grant | None = None
        self.inside: Node | None = None
        self.calls = 0
        self._silent = ""
        self._gather()

    def stalled(self, node: str, place: str) -> None:
        """The program does not return: it is about to be broken off."""
        self._silent = place

    def take(self, record: Welcome | Grant | Release | Payload) -> None:
        """Give the node one entry of its record."""
        self.calls += 1
        self.inside = self.node
        try:
            self._take(record)
        finally:
            self.inside = None
        if self._silent:
            now_ns = self._grant.t_ns if self._grant is not None else 0
            name, stands = self._welcome.name, self._silent.rstrip()
            text = f"node {name} does not come back at {format_ns(now_ns)}; {stands}"
            raise NodeSilent(text, name, now_ns)
        self._gather()

    def _take(self, record: Welcome | Grant | Release | Payload) -> None:
        if isinstance(record, Payload):
            self.node.payload(record.source, record.data)
        elif isinstance(record, (Grant, Release)):
            if isinstance(record, Grant):
                self._grant = record
                self._bodies.clear()
            self.node.receive(record)

    def compare(self, then: Did) -> Divergence | None:
        """Compare the end of a step with the recorded one; None where both are alike."""
        if not self._done:
            lacking = "; ".join(
                f"{each.src}'s payloads {each.seqs}" for each in self.node.lacking()
            )
            raise _Incomplete(f"it lacks {lacking or 'the grant of a step'}, at {then.t_ns} ns")
        now = self._done.popleft()
        deeds = self._deeds(then, now)
        if not deeds:
            return None
        m = then.m if isinstance(then, Report) else (self._grant.m if self._grant else 0)
        return Divergence(then.t_ns, m, self._grant, deeds)

    def _gather(self) -> None:
        node = self.node
        self._done += [each for each in node.outbox if isinstance(each, (Report, Failed))]
        for _, payload in node.publishes:
            envelope = unseal(payload)
            self._bodies[envelope.seq] = bytes(envelope.body).decode()
        node.outbox.clear()
        node.publishes.clear()

    def _deeds(self, then: Did, now: Did) -> list[Deed]:
        """Everything that differs between two steps."""
        if isinstance(then, Failed) or isinstance(now, Failed):
            return _unlike("end", _end(then), _end(now))
        deeds = []
        for number, (sent, sends) in enumerate(zip_longest(then.sends, now.sends), 1):
            if _seen(sent) != _seen(sends):
                deeds.append(self._message(f"message {number}", sent, sends))
        deeds += _each("operation", then.operations, now.operations)
        deeds += _each("withdrawal of operation", then.cancels, now.cancels)
        deeds += _each("note", then.notes, now.notes)
        deeds += _unlike("end", _end(then), _end(now))
        for broken, breaks in zip_longest(then.broken, now.broken):
            deeds += _unlike("end of a service", broken, breaks)
        if then.next_timer_ns != now.next_timer_ns and not any(
            _is_end(each) for each in (then, now)
        ):
            deeds.append(Deed("next timer", then.next_timer_ns, now.next_timer_ns))
        return deeds

    def _message(self, what: str, then: Send | None, now: Send | None) -> Deed:
        body = None
        if then is not None and then.dst != self._welcome.name:
            me = self._welcome
            body = sent_body(self._run, me.name, me.incarnation, then.dst, then.seq)
        return Deed(what, then, now, body, self._bodies.get(now.seq) if now is not None else None)


def _is_end(did: Did) -> bool:
    return isinstance(did, Failed) or did.finished is not None or did.failed is not None


def _end(did: Did) -> Any:
    """How the program ended in this step, as far as it is compared."""
    failed = did if isinstance(did, Failed) else did.failed
    if failed is not None:
        return failed
    return did.finished if isinstance(did, Report) else None


def _unlike(what: str, then: Any, now: Any) -> list[Deed]:
    if isinstance(then, Failed) and isinstance(now, Failed):
        same = _class(then) == _class(now)
    else:
        same = _seen(then) == _seen(now)
    return [] if same else [Deed(what, then, now)]


def _class(failed: Failed) -> tuple[str, str, str]:
    """What the journal records of a failure, too."""
    return failed.kind, failed.problem.partition(":")[0], failed.service


def _each(what: str, then: list[Any], now: list[Any]) -> list[Deed]:
    return [
        Deed(f"{what} {number}", before, after)
        for number, (before, after) in enumerate(zip_longest(then, now), 1)
        if _seen(before) != _seen(after)
    ]


def _seen(value: Any) -> bytes:
    """A value as the emulator gets it, with floats as the journal rounds them."""
    return msgspec.msgpack.encode(rounded(msgspec.to_builtins(value, builtin_types=(bytes,))))
