"""What an eavesdropper learns from the announcements of a key exchange.

Owns which announcements of the QKD protocols say what: which slots clicked, in which bases, and the bits that
were compared in public. Does not own the announcements (protocols/qkd/), nor what is done with them.

Understood are `bb84` on single photons, `decoy`, `prepared` and `efficient_bb84`, whose senders announce Z or
X; authenticated or not, for what is said is no secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ....emulator.errors import MessageError
from ....emulator.wire.bit_planes import unpacked
from ...messages import Message
from ...protocols.qkd import bb84, decoy, efficient_bb84, prepared
from ...protocols.qkd.sifting import (
    BASES,
    Clicked,
    ClickedSlots,
    Compared,
    ComparedBits,
    SiftedSlots,
    marks,
    slots_and_bases,
    slots_of,
)
from ...protocols.sealing import Sealed

#: The basis of a click that was not announced.
UNKNOWN = 255

_TRAINS = (
    prepared.Seen | prepared.Hints | prepared.Sampled | Clicked | decoy.Sifted | Compared
)  # fmt: skip
#: Subjects of sessions.
_UNDERSTOOD = (bb84.KIND, decoy.KIND, prepared.KIND, efficient_bb84.KIND)
_PHOTONS = bb84.Announcement | bb84.Start | ClickedSlots | SiftedSlots | ComparedBits


@dataclass
class Announced:
    """What has been said in public in one session. Arrays are over clicks, but `bits`.

    `sender` is the end that prepared the light. `bases` are its own, UNKNOWN where they were not announced.
    `bits` are its own of those clicks that were `compared`. Slots of single photons are `slot_ns` long, and
    begin at `start_ns`; of trains both are 0.
    """

    sender: str = ""
    slots: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    bases: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, dtype=np.uint8))
    compared: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))
    bits: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, dtype=np.uint8))
    start_ns: int = 0
    slot_ns: int = 0

    def basis_of(self, slots: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The sender's basis in each of `slots`, UNKNOWN where it was not announced."""
        if not len(self.slots):
            return np.full(len(slots), UNKNOWN, dtype=np.uint8)
        at = np.minimum(np.searchsorted(self.slots, slots), len(self.slots) - 1)
        found: NDArray[np.uint8] = np.where(self.slots[at] == slots, self.bases[at], UNKNOWN)
        return found.astype(np.uint8)

    def slot_at(self, t_ns: int) -> int:
        """The slot of a single photon that left at that time."""
        return round((t_ns - self.start_ns) / self.slot_ns)


class Discussion:
    """Messages in, sessions that have come to their end out. Broken sessions are forgotten."""

    def __init__(self) -> None:
        #: The latest session in each direction: its name, and what was said.
        self._sessions: dict[tuple[str, str, str], tuple[str, Announced]] = {}

    def hear(self, message: Message) -> Announced | None:
        """What a session has announced, once this message of it was the last one that mattered."""
        subject, _, answer = message.kind.partition(".")
        if subject not in _UNDERSTOOD:
            return None
        body = _decoded(message, _PHOTONS if subject == bb84.KIND else _TRAINS)
        if body is None:
            return None
        sender, receiver = message.source, message.destination
        if answer:
            sender, receiver = receiver, sender
        key = subject, sender, receiver
        name, announced = self._sessions.get(key, ("", Announced()))
        if name != body.session:
            announced = Announced(sender)
        self._sessions[key] = body.session, announced
        if isinstance(body, Compared | ComparedBits):
            if answer or not len(announced.slots):
                return None
            del self._sessions[key]
            announced.bits = _bits_of(body, announced)
            return announced
        _take(body, announced)
        return None


def _decoded(message: Message, kinds: Any) -> Any:
    """The announcement that a message is, of these kinds, in clear or sealed; None if it is none."""
    try:
        body = message.decoded(kinds | Sealed)
        return msgspec.json.decode(body.body, type=kinds) if isinstance(body, Sealed) else body
    except (MessageError, msgspec.MsgspecError):
        return None


def _bits_of(body: Compared | ComparedBits, announced: Announced) -> NDArray[np.uint8]:
    if isinstance(body, ComparedBits):
        return np.array(body.bits, dtype=np.uint8)
    return unpacked(body.bits, int(announced.compared.sum()))


def _take(body: Any, announced: Announced) -> None:
    """Note what a message says, but for the bits."""
    count = len(announced.slots)
    match body:
        case prepared.Seen():
            announced.slots = slots_of(body.slots, body.count)
        case prepared.Hints():
            announced.bases = unpacked(body.hints, count)
        case prepared.Sampled():
            announced.compared = marks(body.compared, count)
        case Clicked():
            announced.slots, announced.bases = slots_and_bases(body)
        case decoy.Sifted():
            announced.bases = np.where(marks(body.agree, count), announced.bases, UNKNOWN)
            announced.compared = marks(body.compared, count)
        case bb84.Announcement():
            announced.slot_ns = body.slot_ns
        case bb84.Start():
            announced.start_ns = body.start_ns
        case ClickedSlots():
            announced.slots = np.array(body.slots, dtype=np.int64)
            announced.bases = np.array([BASES.index(each) for each in body.bases], dtype=np.uint8)
        case SiftedSlots():
            agree = np.isin(announced.slots, body.slots)
            announced.bases = np.where(agree, announced.bases, UNKNOWN)
            announced.compared = np.isin(announced.slots, body.compared)
