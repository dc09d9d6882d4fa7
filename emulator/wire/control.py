"""The control plane: what the emulator and the launcher say to each other, and what the desk answers.

Owns the structs; they travel framed as in wire.py. With the launcher over one stream that exists from its
first moment to its last: the emulator decides (spawn, kill, over), the launcher does. With whoever speaks
to a run while it goes on over the desk's socket (desk.py): each request gets one answer of its number.

Rule: the launcher starts incarnation 1 of every node on its own; the emulator asks for the later ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from .messages import _Frame


class Supervise(_Frame):
    """Launcher -> emulator, first: the run's settings. Never logged (it holds the run's secret)."""

    topology_path: str
    seed: int | None
    run_folder: str
    secret: str
    record: str | None = None

    def __repr__(self) -> str:
        return f"Supervise({self.run_folder!r})"


class Exited(_Frame):
    """Launcher -> emulator: a node's process has ended. `status` as of `Popen.returncode`."""

    node: str
    incarnation: int
    status: int


class Interrupt(_Frame):
    """Launcher -> emulator: stop after this instant (Ctrl-C, or trouble the launcher has seen)."""

    reason: str
    exit_code: int = 3


class Ready(_Frame):
    """Emulator -> launcher: the world stands, nodes are being awaited."""


class Spawn(_Frame):
    """Emulator -> launcher: start this incarnation."""

    node: str
    incarnation: int


class Kill(_Frame):
    """Emulator -> launcher: SIGKILL this incarnation, then say `Exited`."""

    node: str
    incarnation: int


class Freeze(_Frame):
    """Emulator -> launcher: SIGSTOP this incarnation."""

    node: str
    incarnation: int


class Thaw(_Frame):
    """Emulator -> launcher: SIGCONT this incarnation."""

    node: str
    incarnation: int


class Progress(_Frame):
    """Emulator -> launcher, at most ten times a second: how far the run is."""

    t_ns: int
    instants: int
    nodes: dict[str, str]
    counters: dict[str, float]


class NodeState(msgspec.Struct):
    """How a node stands at the end. `state`: running, finished, failed, killed or lost."""

    pid: int
    incarnation: int
    state: str


class Problem(msgspec.Struct):
    """Why a run did not end well: `kind` is an error class's name in errors.py."""

    kind: str
    text: str
    exit_code: int
    node: str = ""
    time_ns: int | None = None
    traceback: str = ""


class FaultRecord(msgspec.Struct):
    """What became of one fault. `began_ns` None: the run ended before it; `hits`: what it struck.

    `lasts`: it is a kind that goes on until it is healed. `asked`: somebody healed it before its time.
    """

    id: str
    verb: str
    target: str
    parameters: dict[str, Any]
    at_ns: int
    for_ns: int | None
    began_ns: int | None
    healed_ns: int | None
    hits: int
    lasts: bool = True
    asked: bool = False

    @property
    def state(self) -> str:
        """planned, active, healed; or begun, for what does not last."""
        if self.began_ns is None:
            return "planned"
        if self.healed_ns is not None:
            return "healed"
        return "active" if self.lasts else "begun"


class Left(msgspec.Struct):
    """What one node still had when the run was over, and how long its program took in real time.

    `held`: what is in its slots, `slots_used` of `slots`: qubits, then open requests. `unread`: messages
    that lay in its inbox when its program ended, by kind (of a program that has ended by itself). `open`:
    operations that have not ended, in words. `worked_s`: real seconds for which nobody else was awaited.
    It leaves out the first step of each incarnation, in which imports are waited for. `waits`: what each
    task of a program waits for that `until` has ended, as in `NodeView`.
    """

    slots_used: int
    slots: int
    held: list[str]
    unread: dict[str, int]
    open: list[str]
    grants: int
    worked_s: float
    waits: list[tuple[str, str, int]] = []


class Outcome(_Frame):
    """Emulator -> launcher, last: everything the summary needs. `metrics` as in record/metrics.py."""

    name: str
    seed: int
    digest: str
    t_ns: int
    wall_s: float
    instants: int
    nodes: dict[str, NodeState]
    results: dict[str, Any]
    metrics: dict[str, dict[str, float]]
    problem: Problem | None = None
    faults: list[FaultRecord] = msgspec.field(default_factory=list)
    left: dict[str, Left] = msgspec.field(default_factory=dict)


# --- the desk -------------------------------------------------------------------------------------


class AddFault(_Frame):
    """Have a fault happen now. `entry`: as in `faults:` of a file, in YAML, without `at`."""

    number: int
    entry: str


class HealFaults(_Frame):
    """Heal these faults now; "all": whatever is active."""

    number: int
    ids: list[str]


class ListFaults(_Frame):
    """Which faults are there, and what has become of them?"""

    number: int


class Inspect(_Frame):
    """How does the run stand?"""

    number: int


class FaultList(_Frame):
    """Answer to `ListFaults`: all; to `AddFault` and `HealFaults`: those that are concerned."""

    number: int
    faults: list[FaultRecord]


class NodeView(msgspec.Struct):
    """One node at some moment. `waits`: task, what it waits for, since when (ns).

    `activity`: parked, at work, paused, frozen (paused, its process stopped), or as `state` if it has no
    program that goes on. A node at work is not asked what it waits for. `granted_ns`: when it last ran.
    """

    name: str
    kind: str
    state: str
    activity: str
    incarnation: int
    granted_ns: int | None
    slots_used: int
    slots: int
    in_flight: int
    waits: list[tuple[str, str, int]]


class RunView(_Frame):
    """Answer to `Inspect`. `wall_s`: real seconds since the first instant."""

    number: int
    name: str
    seed: int
    t_ns: int
    instants: int
    wall_s: float
    nodes: list[NodeView]
    faults: list[FaultRecord]


class Refused(_Frame):
    """Answer to a request that was not carried out, and why. `over`: because the run is."""

    number: int
    problem: str
    over: bool = False


ToDesk = AddFault | HealFaults | ListFaults | Inspect
FromDesk = FaultList | RunView | Refused

decode_to_desk: Callable[[bytes | memoryview], ToDesk] = msgspec.msgpack.Decoder(ToDesk).decode
decode_from_desk: Callable[[bytes | memoryview], FromDesk] = msgspec.msgpack.Decoder(
    FromDesk
).decode


FromLauncher = Supervise | Exited | Interrupt
FromEmulator = Ready | Spawn | Kill | Freeze | Thaw | Progress | Outcome

decode_from_launcher: Callable[[bytes | memoryview], FromLauncher] = msgspec.msgpack.Decoder(
    FromLauncher
).decode
decode_from_emulator: Callable[[bytes | memoryview], FromEmulator] = msgspec.msgpack.Decoder(
    FromEmulator
).decode


def token(secret: str, node: str, incarnation: int) -> str:
    """The token by which one incarnation of a node proves itself; derived, so never handed around."""
    text = f"{node}\x1f{incarnation}"
    return hashlib.blake2b(text.encode(), key=bytes.fromhex(secret), digest_size=16).hexdigest()
