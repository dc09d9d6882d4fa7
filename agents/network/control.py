"""What the network layers of two nodes say to each other.

Owns the messages and nothing else. `Signal`s travel from neighbour to neighbour by a channel (channel.py), so
each comes once and in order; `Datum`s are sent bare, and what is lost of them is asked for again.
"""

from __future__ import annotations

import msgspec

from ...emulator.wire import Heralding
from .channel import Life

_Axis = tuple[float, float, float]

# --- knowledge: what nodes advertise ---------------------------------------------------------------


class LinkState(msgspec.Struct, array_like=True):
    """One link as a node at its end sees it."""

    name: str
    peer: str
    up: bool
    latency_ns: int
    heralding: Heralding


class Advert(msgspec.Struct):
    """What a node says of itself; a later one, by (incarnation, number), replaces an earlier one.

    `join`: what a join here leaves of the correlations ZZ, XX and YY; `success`: how often one succeeds.
    """

    node: str
    incarnation: int
    number: int
    slots: int
    join: tuple[float, float, float]
    success: float
    links: list[LinkState]

    @property
    def age(self) -> tuple[int, int]:
        """Orders the adverts of one node."""
        return self.incarnation, self.number


class Adverts(msgspec.Struct, tag="adverts"):
    """What a neighbour has learnt in one step."""

    adverts: list[Advert]


# --- circuits --------------------------------------------------------------------------------------


class Setup(msgspec.Struct, tag="setup", omit_defaults=True):
    """Reserve a circuit along `path`; `links` and `alphas`: of each hop.

    `count`: pairs that the request still lacks. `memory_ns`: T1 and T2 at the first node, and `expires_ns`
    its memory's cut-off, 0 for never. `refresh_ns`: how often it refreshes the circuit; `patience_ns`: after
    how long a node asks for what has not come. `axes`, `weights`, `bases`: of a request that is measured, how
    the far end measures.
    """

    id: str
    request: str
    path: list[str]
    links: list[str]
    alphas: list[float | None]
    count: int
    order: str = "asap"
    priority: int = 0
    purpose: str = ""
    cutoff_ns: int = 0
    patience_ns: int = 0
    latency_ns: int = 0
    memory_ns: tuple[int, int] = (0, 0)
    expires_ns: int = 0
    refresh_ns: int = 0
    axes: list[_Axis] = []
    weights: list[float] | None = None
    bases: list[int] = []


class Accept(msgspec.Struct, tag="accept"):
    """All nodes from here to the far end have reserved what the circuit needs."""

    id: str


class Refuse(msgspec.Struct, tag="refuse"):
    """`node` has not; what was reserved is released."""

    id: str
    node: str
    why: str


class Teardown(msgspec.Struct, tag="teardown"):
    """The circuit is no more. `link`: the link or node because of which it ended, if there is one."""

    id: str
    why: str
    link: str = ""


class PathQuery(msgspec.Struct, tag="query"):
    """To the controller: which way?"""

    id: str
    target: str
    fidelity: float
    metric: str
    avoid: list[str]


class PathAnswer(msgspec.Struct, tag="answer"):
    """From the controller. `error`: "" or why there is no path; `best`: the fidelity that could be had."""

    id: str
    path: list[str] = []
    links: list[str] = []
    alphas: list[float | None] = []
    fidelity: float = 0.0
    rate_hz: float = 0.0
    latency_ns: int = 0
    error: str = ""
    best: float = 0.0


class Finished(msgspec.Struct, tag="finished"):
    """To the far end of a measured request: it is over. `unconfirmed`: pairs that only the far end has."""

    request: str
    done: bool
    unconfirmed: list[str]


Signal = Adverts | Setup | Accept | Refuse | Teardown | PathQuery | PathAnswer | Finished


class Packet(msgspec.Struct, omit_defaults=True):
    """What travels between the ends of a channel, see channel.py."""

    number: int
    acknowledged: int
    life: int
    to: Life
    item: Signal | None = None


# --- pairs -----------------------------------------------------------------------------------------


class Track(msgspec.Struct, tag="track", array_like=True):
    """Follows one pair from the first node of its circuit to the last.

    `number`: its pair on the hop that the track comes over; `origin`: on the first hop, by which the pair is
    called. `z`, `x`: the outcomes of the joins so far. `zz`, `xx`, `yy`: what is left of the correlations.
    `emitted_ns`: when the half at the first node was.
    """

    id: str
    number: int
    origin: int
    z: int
    x: int
    zz: float
    xx: float
    yy: float
    emitted_ns: int


class Gone(msgspec.Struct, tag="gone", array_like=True):
    """What the pair `number` on our hop leads to is lost."""

    id: str
    number: int


class Asks(msgspec.Struct, tag="asks", array_like=True):
    """This end still awaits these pairs of our hop."""

    id: str
    numbers: list[int]


class Awaits(msgspec.Struct, tag="awaits", array_like=True):
    """This end awaits that pair of our hop, too, and has for so long."""

    id: str
    number: int
    waited_ns: int


class What(msgspec.Struct, tag="what", array_like=True):
    """Towards the first node: where is the track of this pair of our hop?"""

    id: str
    number: int


class Reach(msgspec.Struct, tag="reach", array_like=True):
    """The pair `number` of our hop reaches, beyond its sender, the node at this place of the path."""

    id: str
    number: int
    place: int
    to: int


class Done(msgspec.Struct, tag="done", array_like=True):
    """From the last node to the first: the pair has come. `fidelity`: what it is expected to have."""

    id: str
    origin: int
    fidelity: float


class Hello(msgspec.Struct, tag="hello", array_like=True):
    """From neighbour to neighbour: I am here."""


class Refresh(msgspec.Struct, tag="refresh", array_like=True):
    """Along the circuit: it is still wanted."""

    id: str


class Alive(msgspec.Struct, tag="alive", array_like=True):
    """From the last node to the first: the circuit still stands."""

    id: str


class Forgotten(msgspec.Struct, tag="forgotten", array_like=True):
    """No such circuit is known here."""

    id: str


Datum = Track | Gone | Asks | Awaits | What | Reach | Done | Hello | Refresh | Alive | Forgotten
