"""What a node asks of the physical world, and what it gets.

Owns the structs of operations and of their results, and the limits that both sides check. Does not own what
an operation does (quantum/). Operations are numbered by their node, from 1, per incarnation.
"""

from __future__ import annotations

import msgspec

#: Bell states by their number: bit 0 is X flipped, bit 1 is Z flipped.
BELL_NAMES = ("Phi+", "Psi+", "Phi-", "Psi-")
#: Settings of a source of pulses, or mean photon numbers of one block. More than this are no decoy protocol;
#: their numbers fit four bits.
MOST_SETTINGS = 16
#: What is seen of a beacon: the other end is too low; nothing; that it seeks this end; that it tracks it.
BEACON_LOW, BEACON_DARK, BEACON_SEEKS, BEACON_TRACKS = range(4)


class Record(msgspec.Struct, array_like=True, gc=False):
    """A record inside a frame."""


class Operation(msgspec.Struct, array_like=True, tag=True, gc=False):
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
    """Bell measurement of two held qubits, which are consumed. Result: [z, x] as in `Joined`, or []."""

    first: str
    second: str


class Join(Operation):
    """Entanglement swapping: a Bell measurement of two halves. Result: `Joined`.

    `quiet`: a success does not wake the node, which has it with its next grant.
    """

    left: str
    right: str
    quiet: bool = False


class Reset(Operation):
    """Back to |0>, keeping the slot."""

    qubit: str


class Discard(Operation):
    """Trace the qubits out and free their slots."""

    qubits: list[str]


class Transmit(Operation):
    """Send a held qubit over a link; the slot is free at once. Result: None, when it has left.

    `port`: the service that it is for at the other end; "" for the program.
    """

    qubit: str
    to: str
    link: str | None = None
    port: str = ""


class HandOver(Operation):
    """Give a held qubit to another tenant: a service of this node, or "" for the program.

    Waits for a slot of the receiver's pool, if that is another one. Result: None.
    """

    qubit: str
    to: str


class Store(Operation):
    """Move a held qubit to a storage qubit of the node. Result: None; at once where it lies in one."""

    qubit: str


class Entangle(Operation):
    """Ask for one heralded pair with `peer`. Takes a slot when opened (waits for one). Result: `Herald`.

    Only requests of one `purpose` and one `alpha` match. `alpha`: the bright population of a single-click
    link, None for the link's own. `meets`: of halves with one word here the node needs one of each of two
    links. `quiet`: while the node holds no such half of another link, a herald wakes no node, and comes with
    the node's next grant.
    """

    peer: str
    link: str | None = None
    raw: bool = False
    purpose: str = ""
    alpha: float | None = None
    meets: str = ""
    quiet: bool = False


class MeasurePairs(Operation):
    """Measure up to `count` pairs with `peer` as they are heralded; both ends ask. Result: `MeasuredPairs`.

    Pair i is measured along axes[bases[i]]; `bases` is a column of bit planes. No pair is awaited for longer
    than `longest_ns` from the begin. Takes a slot. `purpose` and `alpha` as for `Entangle`.
    """

    peer: str
    link: str | None
    purpose: str
    alpha: float | None
    count: int
    axes: list[tuple[float, float, float]]
    bases: bytes
    longest_ns: int


class Probe(Operation):
    """Have the recorder note the fidelity of qubits held here; the node learns nothing. Result: None.

    `qubits`: names in the order of `target`'s factors. `target`: state vector as [re, im] pairs of
    length 2**len(qubits); None means the Bell state `bell` (0 Phi+, 1 Psi+, 2 Phi-, 3 Psi-), and then
    `qubits` may hold one half: the partner is found. `parties`: the fidelity is that of one qubit of each of
    these nodes, in this order, `target` their joint state; it is noted once all have named theirs under the
    same name and `label` (without one: as many times).
    """

    name: str
    qubits: list[str]
    target: list[tuple[float, float]] | None = None
    bell: int = 0
    parties: list[str] = []
    label: str = ""


# --- pulse trains: blocks of slots; arrays are raw bytes ------------------------------------------
#
# A train of n slots travels in blocks of BLOCK_SLOTS, the last one shorter: `first` is the slot a block
# begins with. Columns of small numbers are bit planes (bit_planes.py).

#: Slots in a block: a whole number of the chunks that the emulator draws for.
BLOCK_SLOTS = 1 << 20
#: The most slots in a block of a train whose settings are lazy.
LAZY_BLOCK_SLOTS = 1 << 32
#: The most slots in any block: those of pairs without a clock hold so many pairs, however long that takes.
LONGEST_BLOCK_SLOTS = 1 << 45

#: The most slots in a train that is only counted: what a float can count one by one.
COUNTED_SLOTS = 1 << 53

#: A Bloch vector of length 1: bit 0 is the state along it.
Axis = tuple[float, float, float]


def place_type(slots: int) -> str:
    """How places in a block of so many slots travel: little-endian, as small as they may be."""
    return "<u4" if slots <= 1 << 32 else "<u8"


class LazySettings(Record):
    """Columns that are a hash of the slot's number (hashed_settings.py), in place of bit planes.

    `bases`, `bits` and `intensities` are the shares of what each may hold, from 0; of a receiver's only the
    first are used. The key is a secret.
    """

    key: bytes
    bases: list[float]
    bits: list[float]
    intensities: list[float]

    def __repr__(self) -> str:
        return f"LazySettings(key=..., bases={self.bases}, intensities={self.intensities})"


class Pulses(Operation):
    """Send a block of a train; it begins when the block before it ends. Result: `Sent`, at its end.

    Columns: `bits` in one plane, `bases` and `intensities` in as many as they need. Bases are along `axes`
    (None: Z and X), intensities those of the node's source, or `means` (mean photon numbers) if given. `last`
    ends the train. With `lazy` in place of the columns a block has up to LAZY_BLOCK_SLOTS; fewer may be sent
    of it, where light meets an eavesdropper.
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
    axes: list[Axis] | None = None
    lazy: LazySettings | None = None


class PairPulses(Operation):
    """Send a block of a train of pairs, one arm to each of two nodes (one of them may be the sender).

    `first` and `last` as for `Pulses`. Of `slots`, LONGEST_BLOCK_SLOTS at the most, so many are sent as a
    block of this source has. Result: `Sent`, at its end.
    """

    to: tuple[str, str]
    links: tuple[str | None, str | None]
    first: int
    slots: int
    last: bool


class Detect(Operation):
    """Detect up to `slots` slots of a train. `first` 0 waits for a train. Result: `Clicked`.

    `bases` for an active choice of basis, along `axes` (None: Z and X); None where a beam splitter chooses,
    and where `lazy` is given instead. `more`: the next block will be asked for, unless the train has ended.
    More than BLOCK_SLOTS may be asked for without `bases`; fewer may come, where the light is bright.
    """

    source: str
    link: str | None
    first: int
    slots: int
    more: bool
    bases: bytes | None = None
    axes: list[Axis] | None = None
    lazy: LazySettings | None = None


class WholeTrain(Operation):
    """Base of trains that are one block, however long they are."""

    @property
    def first(self) -> int:
        """It is one block."""
        return 0

    @property
    def last(self) -> bool:
        """It is one block."""
        return True


class CountedPulses(WholeTrain):
    """Send a whole train of which only the clicks are counted. Result: `Sent`, at its end.

    `bases` and `intensities` are the shares of what the slots have, bits are fair coins; `means` and `axes`
    as for `Pulses`. `CountClicks` takes it, and nothing else.
    """

    to: str
    link: str | None
    slots: int
    bases: list[float]
    intensities: list[float]
    means: list[float] | None = None
    axes: list[Axis] | None = None


class CountedPairs(WholeTrain):
    """Send a whole train of pairs of which only clicks and coincidences will be counted. Result: `Sent`.

    `to` and `links` as for `PairPulses`. `CountClicks` takes an arm, and nothing else.
    """

    to: tuple[str, str]
    links: tuple[str | None, str | None]
    slots: int


class CountClicks(Operation):
    """Count the clicks of a train of `CountedPulses`, or take an arm of `CountedPairs`. Result: `Counted`.

    `bases`: shares of an active choice of basis, along `axes` (None: Z and X); None where a beam splitter
    chooses.
    """

    source: str
    link: str | None
    bases: list[float] | None = None
    axes: list[Axis] | None = None

    @property
    def first(self) -> int:
        """It is one block."""
        return 0


class CountCoincidences(Operation):
    """Count the coincidences of two arms of `CountedPairs`, once. Result: `Coincidences`.

    `arm` is the name of the one that came here, `other` that of the other end's, which this end has from that
    end's message alone. The window is `width` slots.
    """

    arm: str
    other: str
    width: int


class Intercept(Operation):
    """As `Detect`, on a train whose destination is `to`. Result: `Clicked`.

    A share `fraction` of its slots is measured and sent anew as seen, the others pass. `faked`: what is sent
    is bright light. `shifts` (a plane): those that pass are moved in their slots, late for 1, early for 0.
    """

    source: str
    to: str
    first: int
    slots: int
    more: bool
    bases: bytes | None = None
    fraction: float = 1.0
    axes: list[Axis] | None = None
    faked: bool = False
    shifts: bytes | None = None


class Split(Operation):
    """Keep one photon of each pulse of a block that has several, send on the rest. Result: `Kept`.

    Single photons are blocked, but for a share `forward_singles`, and pulses with several but for a share
    `forward_several`. With `share` each photon is taken with that probability, whatever its pulse holds, and
    one of those is kept. What is kept is one store per train.
    """

    source: str
    to: str
    first: int
    slots: int
    more: bool
    forward_singles: float = 0.0
    forward_several: float = 1.0
    share: float | None = None


class MeasureStored(Operation):
    """Measure all photons of a store, once, in `bases` along `axes`. Result: bits, one plane."""

    store: str
    photons: int
    bases: bytes
    axes: list[Axis] | None = None


class SetBeacon(Operation):
    """How this end's beacon burns from now on, `BEACON_DARK` or brighter; dark while the node is paused."""

    peer: str
    link: str | None
    level: int


class WatchBeacon(Operation):
    """Look at the beacon of `peer` until another than `level` is seen. Result: what is seen then.

    `BEACON_LOW` up to `margin_deg` over the least elevation. It is dark where clouds and faults take more
    than `most_db`, where faults turn the beam by more than `field_urad`, and where `light` does not hold: ""
    for any, "night" at the stations of the link, "eclipse" of its satellites.
    """

    peer: str
    link: str | None
    level: int
    margin_deg: float
    most_db: float
    field_urad: float
    light: str


AnyOperation = (
    Allocate
    | Apply
    | Measure
    | BellMeasure
    | Join
    | Reset
    | Discard
    | Transmit
    | HandOver
    | Store
    | Entangle
    | MeasurePairs
    | Probe
    | Pulses
    | PairPulses
    | CountedPulses
    | CountedPairs
    | Detect
    | CountClicks
    | CountCoincidences
    | Intercept
    | Split
    | MeasureStored
    | SetBeacon
    | WatchBeacon
)


class Sent(Record):
    """Result of what sends a train: when slot 0 of it left, how long a slot is.

    `slots` is how many slots the block had. `secret` as in `Counted`.
    """

    start_ns: int
    period_ps: int
    slots: int
    secret: bytes = b""


class Counted(Record):
    """Result of `CountClicks`: clicks, and those whose bit is wrong, by [setting][basis sent][basis found].

    `slots` counts what came of the train. `secret`: random bytes that only both ends of the train have; they
    stand for the bits that were sent and found. An arm of pairs has no counts yet, but a name, `arm`.
    """

    start_ns: int
    period_ps: int
    slots: int
    clicks: list[list[list[int]]]
    errors: list[list[list[int]]]
    secret: bytes
    arm: str = ""

    def __repr__(self) -> str:
        return (
            f"Counted(slots={self.slots}, clicks={self.clicks}, errors={self.errors}, secret=..., "
            f"arm={self.arm!r})"
        )


class Coincidences(Record):
    """Result of `CountCoincidences`.

    `singles`: clicks here and at the other end by basis; `coincidences`, and those whose bits differ, by
    [basis here][basis there].
    """

    singles: tuple[list[int], list[int]]
    coincidences: list[list[int]]
    errors: list[list[int]]


class Clicked(Record):
    """Result of `Detect` and `Intercept`: the clicks of a block.

    `slots` counts what came of the train in this block; `over`: there is no more of it. `at`: slots from the
    block's first, as `place_type` says; `bits`, `doubles` in one plane each, `bases` in as many as
    its axes need. `bright`: in how many of the slots bright light met the detectors.
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
    bright: int = 0


class Kept(Record):
    """Result of `Split`: which slots of the block a photon was kept of (`at` as in `Clicked`)."""

    store: str
    start_ns: int
    period_ps: int
    slots: int
    over: bool
    count: int
    at: bytes


class Herald(Record):
    """Result of `Entangle`: this end's half of a fresh pair."""

    pair: str
    qubit: str
    peer: str
    link: str
    emitted_ns: int
    goodness: float
    bell: int = 0  # 0 Phi+, 1 Psi+, 2 Phi-, 3 Psi- : bit 0 = X flipped, bit 1 = Z flipped


class MeasuredPairs(Record):
    """Result of `MeasurePairs`: how many pairs came, and this end's outcomes.

    `bits`: one plane of `count`; `missed`: uint32 little-endian, the pairs that this end has not heard of,
    whose bits mean nothing.
    """

    count: int
    missed: bytes
    bits: bytes
    goodness: float


class Joined(Record):
    """The result of entanglement swapping.

    Attributes:
        left: the id of the first pair, which is used up.
        right: the id of the second pair, which is used up.
        z: whether a Z is to be applied to one of the far halves.
        x: whether an X is: X^x Z^z makes them Phi+ if both pairs were Phi+.
        ok: whether the Bell measurement has succeeded. If not, both pairs are lost, and z and x mean nothing.
    """

    left: str
    right: str
    z: int
    x: int
    ok: bool = True
