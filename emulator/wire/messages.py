"""The emulator plane: the frames between the emulator and a node.

Owns the structs and their decoding (msgpack of msgspec arrays; framing.py puts the length before). This
folder, errors.py and units.py are all that a node's process may import from the emulator: no physics, no I/O.
The heart is `Grant` ("run now") and `Report` ("I am idle"); the rest is the life cycle around. Operations and
their results stand in operations.py.

Times are integer nanoseconds of true virtual time; an instant is `(t_ns, m)` with the microstep m.
Names are strings: node "alice", link "alice-r1", pair "alice-r1#3", qubit "alice-r1#3@alice".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from .operations import AnyOperation, Record

PROTOCOL_VERSION = 1
#: What decoding raises, here or as JSON, when the bytes are not what they should be: msgspec itself tells
#: neither of text that is no UTF-8 nor of values nested without end by an error of its own.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
#: The exit status of a node's process whose connection to the emulator broke before it got a Stop.
EXIT_CUT_OFF = 74
#: How a node's file of stacks begins when a debugger holds the process: its silence is then no fault.
UNDER_A_DEBUGGER = "a debugger is attached"
#: What can be read of a metric as `<metric>.<word>` (record/metrics.py).
STATISTICS = ("count", "mean", "std", "min", "max", "last")


class Frame(msgspec.Struct, array_like=True, tag=True, gc=False):
    """A frame of its own; the class name is its tag on the wire."""


# --- inside a grant -------------------------------------------------------------------------------


class Delivery(Record):
    """One copy of a message is received at this instant."""

    src: str
    inc: int
    seq: int
    copy: int
    hash: bytes
    sent_ns: int
    damage: list[int] = msgspec.field(
        default_factory=list
    )  # bit positions to flip in this copy's body
    claims: str = ""  # the sender that the program shall see: this is a forgery
    dst: str = ""  # the node it was sent to: this was overheard
    port: str = ""  # the mailbox it was sent to


class Arrival(Record):
    """A qubit has arrived and occupies a slot of this node.

    `port` as in `Transmit`; `owner`: the service that gets it, "" for the program, as always where it was
    seized on its way.
    """

    source: str
    link: str
    qubit: str
    t_ns: int
    port: str = ""
    owner: str = ""


class Result(Record):
    """An operation has ended: with a value, or with an error `(code, fields)`."""

    number: int
    value: Any = None
    error: tuple[str, dict[str, Any]] | None = None


class Input(Record):
    """Something that came from outside the run, for one `self.outside()` of a node.

    `opening` and `number` count from 1. `kind`: json or bytes, an item; ended or failed, the outside half
    itself, with what it raised as text.
    """

    opening: int
    number: int
    kind: str
    data: bytes


class Forget(Record):
    """A payload that will not be asked for again: at its sender and at its receiver."""

    src: str
    inc: int
    seq: int


# --- emulator -> node -----------------------------------------------------------------------------


class Heralding(Record):
    """How a link heralds pairs, as it was calibrated: faults and drifts change the link, and not this.

    Pairs are in the order of the link's ends.

    Attributes:
        attempt_ns: from one attempt to the next.
        heralds_ns: when each end hears of a success, from the start of its attempt.
        ages_ns: how old each half is then.
        success: the probability that one attempt succeeds.
        pair: the pair at its emission: <00|rho|00>, <01|rho|01>, <10|rho|10>, <11|rho|11>, Re <00|rho|11>.
        memories_ns: T1 and T2 of each end's memory, 0 for never.
        multiplexing: how many requests the link serves side by side.
        alpha: the bright population of a single-click link; 0 for other kinds.
        clicks: of a single-click link, the probability of a herald with no emitter bright, the first, the
            second, both; and what interferes.
    """

    attempt_ns: int
    heralds_ns: tuple[int, int]
    ages_ns: tuple[int, int]
    success: float
    pair: tuple[float, float, float, float, float]
    memories_ns: tuple[tuple[int, int], tuple[int, int]]
    multiplexing: int = 1
    alpha: float = 0.0
    clicks: tuple[float, float, float, float, float] | None = None


class LinkInfo(Record):
    """What a node knows of one of its links.

    Attributes:
        name: as in the topology.
        peer: the node at its other end.
        quantum: whether it carries photons.
        entangle: whether it heralds pairs.
        length_km: the length of its fibre.
        latency_ns: how long a message takes, without bandwidth and faults.
        delay_ns: how long a photon takes.
        heralding: how it heralds pairs; None if it does not.
        end: which of the link's ends this node is, 0 or 1.
        contacts: of a link that moves, when its ends see each other, as far as it is planned: begins and ends
            in turn, in ns. Its length, latency and delay are the longest then. None: it stays.
        sunlit: in these contacts, when the satellites are in sunlight: begins and ends in turn. None without
            an epoch.
        sun_deg: the sun's elevation over the station where contacts begin and end. None without an epoch.
        light_only: messages too pass in contacts only, as fast as light.
    """

    name: str
    peer: str
    quantum: bool
    entangle: bool
    length_km: float
    latency_ns: int
    delay_ns: int
    heralding: Heralding | None = None
    end: int = 0
    contacts: list[int] | None = None
    sunlit: list[int] | None = None
    sun_deg: list[float] | None = None
    light_only: bool = False


class Skew(Record):
    """How a node's clock is wrong: at true time t it is ahead by offset + (t - since) * ppb / 1e9."""

    since_ns: int
    offset_ns: int
    rate_ppb: int


class Optics(Record):
    """What a node knows of its own source and detectors; `period_ps` 0: no source.

    `means`: mean photon numbers of the source's settings (of a single emitter P(1), of a source of pairs
    pairs a slot), drawn with `probabilities` where the program leaves the choice to the node; a pulse has two
    photons or more with probability `several`. `detects`: "active", "passive", or "" without detectors.
    """

    period_ps: int = 0
    means: list[float] = msgspec.field(default_factory=list)
    probabilities: list[float] = msgspec.field(default_factory=list)
    tunable: bool = False
    detects: str = ""
    several: list[float] = msgspec.field(default_factory=list)


class ServiceInfo(Record):
    """A service of a node: what it runs, and how many slots it has for itself (None: the program's)."""

    name: str
    program: str
    options: dict[str, Any]
    slots: int | None = None


class JoinFacts(Record):
    """What a join at this node is, as it was calibrated.

    `success`: how often it succeeds. `zz`, `xx`, `yy`: what is left of the product of those correlations of
    the two pairs. `duration_ns`: how long it takes.
    """

    success: float = 1.0
    zz: float = 1.0
    xx: float = 1.0
    yy: float = 1.0
    duration_ns: int = 0


class Welcome(Frame):
    """Answer to Hello: everything a node knows at its start. `entropy` seeds its generator.

    `nodes`: all nodes of the network, in the order of their names; the record of a node in one process leaves
    them out, because the topology has them. `folder`: what relative paths in `options` are relative to.
    `slots` are those of the program; `services` stand in the order in which they are started.
    """

    name: str
    incarnation: int
    kind: str
    program: str
    options: dict[str, Any]
    service: bool
    entropy: list[int]
    nodes: list[str]
    links: list[LinkInfo]
    slots: int
    t_ns: int
    record: str = "full"
    optics: Optics = msgspec.field(default_factory=Optics)
    clock: list[Skew] = []
    folder: str = ""
    outside: str = (
        ""  # whether it may open to the outside: live, replay, in process; "" in virtual time
    )
    hash_key: bytes = b""  # of keyed hashes, for what is not shown
    epoch_ns: int = 0  # the calendar's time at which virtual time is 0, since 1970
    services: list[ServiceInfo] = []
    communication: int | None = None  # slots that links can entangle; None: all
    cutoff_ns: int = 0  # the age at which the memory discards a qubit; 0: never
    joins: JoinFacts = msgspec.field(default_factory=JoinFacts)


class Grant(Frame):
    """Run now, at this instant; these are due.

    Order of effects: deliveries, arrivals, results, inputs, timers.
    """

    t_ns: int
    m: int
    deliveries: list[Delivery] = []
    arrivals: list[Arrival] = []
    results: list[Result] = []
    forget: list[Forget] = []
    last: bool = False  # the services' last step: clean up now
    clock: list[Skew] | None = None  # from this instant on the node's clock is wrong like this
    expired: list[str] = []  # qubits that the node's memory has discarded since the last grant
    inputs: list[Input] = []  # from outside


class Release(Frame):
    """Forget these payloads; nothing else is due, and the program does not run."""

    forget: list[Forget]


class Settle(Frame):
    """Confirm with `Have` once the payloads `seqs` of `src` are in the buffer."""

    src: str
    inc: int
    seqs: list[int]


class Ask(Frame):
    """What do the tasks wait for? Answer: `Waits`. Only sent to a parked node."""


class Stop(Frame):
    """The run is over: leave."""


# --- node -> emulator -----------------------------------------------------------------------------


class Send(Record):
    """A message has been published; the payload itself travels by MQTT. `hash` is of the body."""

    dst: str
    seq: int
    kind: str
    size: int
    hash: bytes
    claims: str = ""  # a forgery: it shall pass as that node's
    port: str = ""  # the mailbox it is for


class Note(Record):
    """`self.record(name, value)`: `value` is JSON."""

    name: str
    value: Any


class PauliFrame(Record):
    """By its node's record X^x Z^z is still to be applied to this qubit; see agents/frames.py."""

    qubit: str
    z: int
    x: int


class Wait(Record):
    """What a task waits for, and since when; `peer`: the node that would have to act, if any.

    `owner`: the service whose task it is; "" for the program's.
    """

    task: str
    what: str
    since_ns: int
    peer: str = ""
    owner: str = ""


class Replied(Record):
    """An input has been answered; what with stays with the node. `hash` is keyed."""

    opening: int
    number: int
    size: int
    hash: str


class OutsideState(Record):
    """How often the node is open to the outside after this step, and what it has answered in it."""

    open: int
    replies: list[Replied] = msgspec.field(default_factory=list)


class Finished(Record):
    """The program's `run()` has returned `value`, which is JSON.

    `unread`: kind, or `kind on port`, -> messages left in the mailboxes that are no service's.
    """

    value: Any = None
    unread: dict[str, int] = msgspec.field(default_factory=dict)


class Failed(Frame):
    """A program or a service raised, spun, or could not be built.

    `kind` is raised, spinning, refused or program; `service` is "" for the program.
    """

    kind: str
    problem: str
    traceback: str
    t_ns: int
    service: str = ""


class Hello(Frame):
    """A process is ready: its inbox subscription stands."""

    node: str
    incarnation: int
    token: str
    pid: int
    version: int = PROTOCOL_VERSION

    def __repr__(self) -> str:
        return f"Hello({self.node!r}, {self.incarnation}, pid={self.pid}, version={self.version})"


class WorkerHello(Frame):
    """A worker, which several nodes share, is ready: their inbox subscriptions stand. Its first frame."""

    number: int
    token: str
    pid: int
    version: int = PROTOCOL_VERSION

    def __repr__(self) -> str:
        return f"WorkerHello({self.number}, pid={self.pid}, version={self.version})"


class Report(Frame):
    """The node is idle. `next_timer_ns` is the earliest timer, or None.

    `finished` or `failed`: the program has ended in this step; what it did before is in the other fields.
    `broken`: services that have failed in it. `owners`: operation -> the service that has asked for it.
    `handed`: qubit -> the tenant whose it is now; the two share slots, so that none is to be waited for.
    """

    t_ns: int
    m: int
    next_timer_ns: int | None = None
    sends: list[Send] = []
    operations: list[AnyOperation] = []
    cancels: list[int] = []
    notes: list[Note] = []
    finished: Finished | None = None
    failed: Failed | None = None
    frames: list[PauliFrame] = []  # those that this step has changed
    broken: list[Failed] = []
    owners: dict[int, str] = {}
    background: bool = False  # no task of the program has run in this step
    outside: OutsideState | None = None  # None: as before
    handed: dict[str, str] = {}


class Poke(Frame):
    """Something has come from outside: it is due to this node as soon as can be. Real time only."""

    input: Input


class Have(Frame):
    """Answer to Settle."""

    src: str
    inc: int


class Resend(Frame):
    """Node -> emulator: these payloads are missing. Emulator -> their sender: publish them to `dst` again."""

    src: str
    inc: int
    seqs: list[int]
    dst: str = ""


class Waits(Frame):
    """Answer to Ask. `foreground`: a timer is set that is more than a service's own background."""

    waits: list[Wait]
    foreground: bool = False


ToNode = Welcome | Grant | Release | Settle | Resend | Ask | Stop
ToEmulator = Hello | WorkerHello | Report | Have | Resend | Waits | Failed | Poke


class RecordedInput(Record):
    """An input of a recorded run, which its replay feeds again: when and to which incarnation it came."""

    t_ns: int
    node: str
    incarnation: int
    input: Input


#: The frames that a node's record holds: what a replay feeds it, and what it compares.
RECORDED_INPUT = frozenset((Grant, Release))
RECORDED_OUTPUT = frozenset((Report, Failed))

decode_to_node: Callable[[bytes | memoryview], ToNode] = msgspec.msgpack.Decoder(ToNode).decode
decode_to_emulator: Callable[[bytes | memoryview], ToEmulator] = msgspec.msgpack.Decoder(
    ToEmulator
).decode
