"""The control plane: what the emulator and the launcher say to each other.

Owns the structs; they travel framed as in wire.py, over one stream that exists from the launcher's
first moment to its last. The emulator decides (spawn, kill, over), the launcher does.

Rule: the launcher starts incarnation 1 of every node on its own; the emulator asks for the later ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from .wire import _Frame


class Supervise(_Frame):
    """Launcher -> emulator, first: the run's settings. Never logged (it holds the run's secret)."""

    topology_path: str
    seed: int | None
    run_folder: str
    secret: str
    record: str | None = None


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
    """What became of one fault. `began_ns` None: the run ended before it; `hits`: what it struck."""

    id: str
    verb: str
    target: str
    parameters: dict[str, Any]
    at_ns: int
    for_ns: int | None
    began_ns: int | None
    healed_ns: int | None
    hits: int


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
