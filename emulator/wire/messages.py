"""The emulator plane: what an emulator and a node say to each other.

Owns the structs and their one encoding (length-prefixed msgpack of msgspec arrays). Together with
errors.py and units.py it is all that a node's process may import from the emulator: no physics, no
I/O. The heart is `Grant` ("run now") and `Report` ("I am idle"); the rest is the life cycle around.

Times are integer nanoseconds of true virtual time; an instant is `(t_ns, m)` with the microstep m.
Names are strings: node "alice", link "alice-r1", pair "alice-r1#3", qubit "alice-r1#3@alice".
Operations are numbered by their node, from 1, per incarnation.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import msgspec

PROTOCOL_VERSION = 1
#: What decoding raises, here or as JSON, when the bytes are not what they should be: msgspec itself tells
#: neither of text that is no UTF-8 nor of values nested without end by an error of its own.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
HEADER = struct.Struct(">I")
#: A longer frame is a mistake or an attack, not a message: what one node makes in a step is limited where it
#: is made (agents/node/limits.py), and a grant holds what several have made for one.
MAX_FRAME = 256 * 1024 * 1024
#: The longest frame there can be: an outcome holds the results of all nodes.
ANY_FRAME = 2**32 - 1
#: The exit status of a node's process whose connection to the emulator broke before it was told to stop.
EXIT_CUT_OFF = 74


class _Record(msgspec.Struct, array_like=True, gc=False):
    """A record inside a frame."""


class _Frame(msgspec.Struct, array_like=True, tag=True):
    """A frame of its own; the class name is its tag on the wire."""


# --- operations: what a node asks of the physical world -------------------------------------------


class Operation(msgspec.Struct, array_like=True, tag=True):
    """Base of all operations. `number` counts from 1 in each incarnation of a node."""

    number: int


class Allocate(Operation):
    """A fresh qubit in |0>, in a free slot (waits for one). Result: the qubit's name."""


class Apply(Operation):
    """A gate. `gate` is one of x y z h s sdg t tdg rx ry rz cx cz swap; `angle` in radians."""

    gate: str
    qubits: list[str]
    angle: float = 0.0


class Measure(Operation):
    """Projective measurement; `axis` is a Bloch vector. Result: 0 or 1. Frees the slot unless `keep`."""

    qubit: str
    axis: tuple[float, float, float]
    keep: bool = False


class BellMeasure(Operation):
    """Bell measurement of two held qubits, which are consumed. Result: [z, x] (see `Join`)."""

    first: str
    second: str


class Join(Operation):
    """Entanglement swapping: a Bell measurement of two halves. Result: `Joined`."""

    left: str
    right: str


class Reset(Operation):
    """Back to |0>, keeping the slot."""

    qubit: str


class Discard(Operation):
    """Trace the qubits out and free their slots."""

    qubits: list[str]


class Transmit(Operation):
    """Send a held qubit over a link; the slot is free at once. Result: None, when it has left."""

    qubit: str
    to: str
    link: str | None = None


class Entangle(Operation):
    """Ask for one heralded pair with `peer`. Takes a slot when opened (waits for one). Result: `Herald`."""

    peer: str
    link: str | None = None
    raw: bool = False


class Probe(Operation):
    """Have the recorder note the fidelity of qubits held here; the node learns nothing. Result: None.

    `qubits`: names in the order of `target`'s factors. `target`: state vector as [re, im] pairs of
    length 2**len(qubits); None means Phi+ (then `qubits` may hold one half: the partner is found).
    """

    name: str
    qubits: list[str]
    target: list[tuple[float, float]] | None = None


# --- pulse trains: blocks of slots; arrays are raw bytes ------------------------------------------
#
# A train of n slots travels in blocks of BLOCK_SLOTS, the last one shorter: `first` is the slot a block
# begins with. Columns of small numbers are bit planes (bit_planes.py).

#: Slots in a block: a whole number of the chunks that the emulator draws for.
BLOCK_SLOTS = 1 << 20


class Pulses(Operation):
    """Send a block of a train; it begins when the block before it ends. Result: `Sent`, at its end.

    Columns: `bases` and `bits` in one plane each; `intensities` in as many as its settings need, which
    are those of the node's source, or `means` (mean photon numbers) if given. `last` ends the train.
    """

    to: str
    link: str | None
    first: int
    slots: int
    last: bool
    bases: bytes
    bits: bytes
    intensities: bytes
    means: list[float] | None = None


class PairPulses(Operation):
    """Send a block of a train of pairs, one arm to each of two nodes (one of them may be the sender).

    `first`, `slots` and `last` as for `Pulses`. Result: `Sent`, at its end.
    """

    to: tuple[str, str]
    links: tuple[str | None, str | None]
    first: int
    slots: int
    last: bool


class Detect(Operation):
    """Detect up to `slots` slots of a train. `first` 0 waits for a train. Result: `Clicked`.

    `bases` (one plane) for an active choice of basis; None where a beam splitter chooses. `more`: the
    next block will be asked for, unless the train has ended.
    """

    source: str
    link: str | None
    first: int
    slots: int
    more: bool
    bases: bytes | None = None


class Intercept(Operation):
    """As `Detect`, on a train that goes on to `to`. Result: `Clicked`.

    A share `fraction` of its slots is measured and sent anew as seen, the others pass.
    """

    source: str
    to: str
    first: int
    slots: int
    more: bool
    bases: bytes | None = None
    fraction: float = 1.0


class Split(Operation):
    """Keep one photon of each pulse of a block that has several, send on the rest. Result: `Kept`.

    Single photons are blocked, but for a share `forward_singles`. What is kept is one store per train.
    """

    source: str
    to: str
    first: int
    slots: int
    more: bool
    forward_singles: float = 0.0


class MeasureStored(Operation):
    """Measure all photons of a store, once. `bases`: one plane. Result: bits, one plane."""

    store: str
    photons: int
    bases: bytes


AnyOperation = (
    Allocate
    | Apply
    | Measure
    | BellMeasure
    | Join
    | Reset
    | Discard
    | Transmit
    | Entangle
    | Probe
    | Pulses
    | PairPulses
    | Detect
    | Intercept
    | Split
    | MeasureStored
)


class Sent(_Record):
    """Result of `Pulses` and `PairPulses`: when slot 0 of the train left, and how long a slot is."""

    start_ns: int
    period_ps: int


class Clicked(_Record):
    """Result of `Detect` and `Intercept`: the clicks of a block.

    `slots` counts what came of the train in this block; `over`: there is no more of it. `at`: uint32
    little-endian, slots from the block's first; `bases`, `bits`, `doubles` in one plane each.
    """

    start_ns: int
    period_ps: int
    slots: int
    over: bool
    count: int
    at: bytes
    bases: bytes
    bits: bytes
    doubles: bytes


class Kept(_Record):
    """Result of `Split`: which slots of the block a photon was kept of (`at` as in `Clicked`)."""

    store: str
    start_ns: int
    period_ps: int
    slots: int
    over: bool
    count: int
    at: bytes


class Herald(_Record):
    """Result of `Entangle`: this end's half of a fresh pair."""

    pair: str
    qubit: str
    peer: str
    link: str
    emitted_ns: int
    goodness: float
    bell: int = 0  # 0 Phi+, 1 Psi+, 2 Phi-, 3 Psi- : bit 0 = X flipped, bit 1 = Z flipped


class Joined(_Record):
    """Result of `Join`: the outcome, the pair ids it consumed, and the ends the pairs had had.

    `z` and `x`: the far halves are in (X^x Z^z on one of them) Phi+ if both pairs were Phi+.
    """

    left: str
    right: str
    z: int
    x: int


# --- inside a grant -------------------------------------------------------------------------------


class Delivery(_Record):
    """One copy of a message is received at this instant."""

    src: str
    inc: int
    seq: int
    copy: int
    hash: bytes
    sent_ns: int
    damage: list[int] = []  # bit positions to flip in this copy's body
    claims: str = ""  # whom the program shall take for the sender: this is a forgery
    dst: str = ""  # for whom it was meant: this was overheard


class Arrival(_Record):
    """A qubit has arrived and lies in a slot of this node."""

    source: str
    link: str
    qubit: str
    t_ns: int


class Result(_Record):
    """An operation has ended: with a value, or with an error `(code, fields)`."""

    number: int
    value: Any = None
    error: tuple[str, dict[str, Any]] | None = None


class Forget(_Record):
    """A payload that will not be asked for again: at its sender and at its receiver."""

    src: str
    inc: int
    seq: int


# --- emulator -> node -----------------------------------------------------------------------------


class LinkInfo(_Record):
    """What a node knows of one of its links."""

    name: str
    peer: str
    quantum: bool
    entangle: bool
    length_km: float
    latency_ns: int  # classical, this hop
    delay_ns: int  # a photon's, this hop


class Skew(_Record):
    """How a node's clock is wrong: at true time t it is ahead by offset + (t - since) * ppb / 1e9."""

    since_ns: int
    offset_ns: int
    rate_ppb: int


class Optics(_Record):
    """What a node knows of its own source and detectors; `period_ps` 0: no source.

    `means`: mean photon numbers of the source's settings (of a single emitter P(1), of a source of pairs
    pairs a slot), drawn with `probabilities` where the program leaves the choice to the node. `detects`:
    "active", "passive", or "" without detectors.
    """

    period_ps: int = 0
    means: list[float] = []
    probabilities: list[float] = []
    tunable: bool = False
    detects: str = ""


class Welcome(_Frame):
    """Answer to Hello: everything a node knows at birth. `entropy` seeds its generator.

    `folder`: what relative paths in `options` are relative to.
    """

    name: str
    incarnation: int
    kind: str
    program: str
    options: dict[str, Any]
    service: bool
    entropy: list[int]
    peers: list[str]
    links: list[LinkInfo]
    slots: int
    t_ns: int
    record: str = "full"
    optics: Optics = msgspec.field(default_factory=Optics)
    clock: list[Skew] = []
    folder: str = ""


class Grant(_Frame):
    """Run now, at this instant; these are due. Order inside: deliveries, arrivals, results, timers."""

    t_ns: int
    m: int
    deliveries: list[Delivery] = []
    arrivals: list[Arrival] = []
    results: list[Result] = []
    forget: list[Forget] = []
    last: bool = False  # a service's last step: clean up now
    clock: list[Skew] | None = None  # from this instant on the node's clock is wrong like this
    expired: list[str] = []  # qubits that the node's memory has discarded since the last grant


class Release(_Frame):
    """Forget these payloads; nothing else is due, and the program does not run."""

    forget: list[Forget]


class Settle(_Frame):
    """Confirm with `Have` once the payloads `seqs` of `src` are in the buffer."""

    src: str
    inc: int
    seqs: list[int]


class Ask(_Frame):
    """What do you wait for? Answer: `Waits`. Only sent to a parked node."""


class Stop(_Frame):
    """The run is over: leave."""


# --- node -> emulator -----------------------------------------------------------------------------


class Send(_Record):
    """A message has been published; the payload itself travels by MQTT. `hash` is of the body."""

    dst: str
    seq: int
    kind: str
    size: int
    hash: bytes
    claims: str = ""  # a forgery: it shall pass as that node's


class Note(_Record):
    """`self.record(name, value)`: `value` is JSON."""

    name: str
    value: Any


class PauliFrame(_Record):
    """X^x Z^z is still to be applied to this qubit, says its node; see agents/frames.py."""

    qubit: str
    z: int
    x: int


class Wait(_Record):
    """One task and what it waits for, since when; `peer`: the node that would have to act, if any."""

    task: str
    what: str
    since_ns: int
    peer: str = ""


class Finished(_Record):
    """`run()` has returned `value`, which is JSON. `unread`: kind -> messages that lay in the inbox."""

    value: Any = None
    unread: dict[str, int] = {}


class Hello(_Frame):
    """A process is ready: its inbox subscription stands."""

    node: str
    incarnation: int
    token: str
    pid: int
    version: int = PROTOCOL_VERSION

    def __repr__(self) -> str:
        return f"Hello({self.node!r}, {self.incarnation}, pid={self.pid}, version={self.version})"


class Report(_Frame):
    """I am idle. `next_timer_ns` is the earliest timer, or None.

    `finished` or `failed`: the program has ended in this step; what it did before stands beside it.
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
    frames: list[PauliFrame] = []  # those that have become others in this step


class Have(_Frame):
    """Answer to Settle."""

    src: str
    inc: int


class Resend(_Frame):
    """Node -> emulator: I lack these payloads. Emulator -> the sender `src`: publish them to `dst` again."""

    src: str
    inc: int
    seqs: list[int]
    dst: str = ""


class Waits(_Frame):
    """Answer to Ask."""

    waits: list[Wait]


class Failed(_Frame):
    """A program raised, spun, or could not be built. `kind` is raised, spinning, refused or program."""

    kind: str
    problem: str
    traceback: str
    t_ns: int


ToNode = Welcome | Grant | Release | Settle | Resend | Ask | Stop
ToEmulator = Hello | Report | Have | Resend | Waits | Failed

_encoder = msgspec.msgpack.Encoder()
_to_node = msgspec.msgpack.Decoder(ToNode)
_to_emulator = msgspec.msgpack.Decoder(ToEmulator)

decode_to_node: Callable[[bytes | memoryview], ToNode] = _to_node.decode
decode_to_emulator: Callable[[bytes | memoryview], ToEmulator] = _to_emulator.decode


def frame(message: msgspec.Struct) -> bytes:
    """A message as it stands on the stream: four bytes of length, then msgpack."""
    body = _encoder.encode(message)
    return HEADER.pack(len(body)) + body
