"""The control plane: the frames between the emulator and the launcher, and those of live control.

Owns the structs; framing.py says how they travel. Frames of nodes, grants among them, are
in messages.py. To the launcher leads one stream, open as long as the run:
the emulator decides (spawn, kill, over), the launcher acts. Clients of a running emulator come to the live
socket (service/live_socket.py): each request gets one answer with its number.

Rule: the launcher starts incarnation 1 of every node without being asked; the emulator asks for later ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from .messages import Frame


class Supervise(Frame):
    """Launcher -> emulator, first: where the run is. Never logged (it holds the run's secret).

    `workers`: the nodes of each worker process; none: every node has a process of its own.
    """

    topology_path: str
    run_folder: str
    secret: str
    workers: list[list[str]] = msgspec.field(default_factory=list)

    def __repr__(self) -> str:
        return f"Supervise({self.run_folder!r})"


class Exited(Frame):
    """Launcher -> emulator: a node's process has ended. `status` as of `Popen.returncode`.

    `node` "": the worker with that number.
    """

    node: str
    incarnation: int
    status: int


class Interrupt(Frame):
    """Launcher -> emulator: stop after this instant (Ctrl-C, or trouble the launcher has seen)."""

    reason: str
    exit_code: int = 3


class Ready(Frame):
    """Emulator -> launcher: the world is built, and waits for the nodes' Hellos."""


class Spawn(Frame):
    """Emulator -> launcher: start this incarnation."""

    node: str
    incarnation: int


class Kill(Frame):
    """Emulator -> launcher: SIGKILL this incarnation, then answer `Exited`."""

    node: str
    incarnation: int


class Freeze(Frame):
    """Emulator -> launcher: SIGSTOP this incarnation."""

    node: str
    incarnation: int


class Thaw(Frame):
    """Emulator -> launcher: SIGCONT this incarnation."""

    node: str
    incarnation: int


class Progress(Frame):
    """Emulator -> launcher, at most ten times a second: how far the run is."""

    t_ns: int
    instants: int
    nodes: dict[str, str]
    counters: dict[str, float]


class NodeState(msgspec.Struct):
    """The state of a node at the end, which is its program's: running, finished, failed, killed or lost."""

    pid: int
    incarnation: int
    state: str


class Problem(msgspec.Struct):
    """Why a run did not end well: `kind` is an error class's name in errors.py.

    `service`: the service of `node` that is to blame; "" for its program.
    """

    kind: str
    text: str
    exit_code: int
    node: str = ""
    time_ns: int | None = None
    traceback: str = ""
    service: str = ""


class FaultRecord(msgspec.Struct):
    """What became of one fault. `began_ns` None: the run ended before it; `hits`: how often it struck.

    `lasts`: a fault of this kind lasts until it is healed. `asked`: healed on request, before its time.
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
    """End state of one node, and how long its program took in real time.

    `held`: what is in its slots, `slots_used` of `slots`: qubits, then open requests. `unread`: messages
    left in its inbox when its program ended, by kind (of a program that has ended by itself). `open`:
    operations that have not ended, in words. `owners`: of what is in its slots, which service's it is; what
    is missing there is the program's. `worked_s`: real seconds in which the run waited for this node alone,
    without the first step of each incarnation, which imports the program. `waits`: what each task of a
    program waits for that `until` has ended, as in `NodeView`. `inputs`: how much came from
    outside.
    """

    slots_used: int
    slots: int
    held: list[str]
    unread: dict[str, int]
    open: list[str]
    grants: int
    worked_s: float
    waits: list[tuple[str, str, int]] = []
    owners: dict[str, str] = {}
    inputs: int = 0


class Outcome(Frame):
    """Emulator -> launcher, last: everything the summary needs.

    `metrics` as in record/metrics.py: counts are whole numbers, which stay that on the wire.
    """

    name: str
    seed: int
    digest: str
    t_ns: int
    wall_s: float
    instants: int
    nodes: dict[str, NodeState]
    results: dict[str, Any]
    metrics: dict[str, dict[str, int | float]]
    problem: Problem | None = None
    faults: list[FaultRecord] = msgspec.field(default_factory=list)
    left: dict[str, Left] = msgspec.field(default_factory=dict)


# --- live control ---------------------------------------------------------------------------------


class AddFault(Frame):
    """Have a fault happen now. `entry`: as in `faults:` of a file, in YAML, without `at`."""

    number: int
    entry: str


class HealFaults(Frame):
    """Heal these faults now; "all": every active one."""

    number: int
    ids: list[str]


class ListFaults(Frame):
    """List all faults with their states."""

    number: int


class Inspect(Frame):
    """Show the run as it is now."""

    number: int


class FaultList(Frame):
    """Answer to `ListFaults`: all; to `AddFault` and `HealFaults`: those that the request names."""

    number: int
    faults: list[FaultRecord]


class NodeView(msgspec.Struct):
    """One node at one moment. `waits`: task, what it waits for, since when (ns).

    `activity`: parked, at work, paused, frozen (paused, its process stopped), or as `state` if it has no
    running program. A node at work is not asked what it waits for. `granted_ns`: when it last ran. `pools`:
    service -> slots in use, and slots, of its own; `slots_used` of `slots` counts them all.
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
    pools: dict[str, tuple[int, int]] = {}


class RunView(Frame):
    """Answer to `Inspect`. `wall_s`: real seconds since the first instant."""

    number: int
    name: str
    seed: int
    t_ns: int
    instants: int
    wall_s: float
    nodes: list[NodeView]
    faults: list[FaultRecord]


class Refused(Frame):
    """Answer to a request that was not carried out, and why. `over`: because the run is over."""

    number: int
    problem: str
    over: bool = False


LiveRequest = AddFault | HealFaults | ListFaults | Inspect
LiveAnswer = FaultList | RunView | Refused

decode_live_request: Callable[[bytes | memoryview], LiveRequest] = msgspec.msgpack.Decoder(
    LiveRequest
).decode
decode_live_answer: Callable[[bytes | memoryview], LiveAnswer] = msgspec.msgpack.Decoder(
    LiveAnswer
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
    """The token by which one incarnation of a node proves itself; derived, so it is never passed on.

    `node` "": that of the worker with this number. No node is called so.
    """
    text = f"{node}\x1f{incarnation}"
    return hashlib.blake2b(text.encode(), key=bytes.fromhex(secret), digest_size=16).hexdigest()
