"""What key relays tell each other.

Owns the messages and what a tag covers. Does not own when they are sent (key_relay.py).

Rule: a key is in no message but in `Carry`, under a one-time pad that is used for nothing else.
"""

from __future__ import annotations

import msgspec

from .routing import Advert


class Hello(msgspec.Struct, frozen=True, tag_field="what", tag="hello"):
    """To a neighbour: I am here, and this is what I know of links. `answer`: whether it is the reply."""

    adverts: list[Advert]
    answer: bool = False


class News(msgspec.Struct, frozen=True, tag_field="what", tag="news"):
    """To all neighbours but the one that it came from: links that have changed."""

    adverts: list[Advert]


class Order(msgspec.Struct, frozen=True):
    """What a share of a block is, the same on its whole path.

    `paths`: of all shares of the block; this one takes `paths[share]`. `bits`: of each share.
    """

    block: str
    share: int
    bits: int
    paths: list[list[str]]

    @property
    def name(self) -> str:
        """Of the share."""
        return f"{self.block}#{self.share}"

    @property
    def path(self) -> list[str]:
        """The nodes that it passes, both ends included."""
        return self.paths[self.share]


class Carry(msgspec.Struct, frozen=True, tag_field="what", tag="carry"):
    """To the next node of the path: a share under the keys of this hop. The sender is `path[at]`.

    `failure`: a bound on what the keys of all hops so far may fail with.
    """

    order: Order
    at: int
    pads: list[str]
    failure: float
    cipher: bytes
    tag: bytes

    @property
    def covered(self) -> bytes:
        """What the tag is of."""
        return msgspec.json.encode([self.order, self.at, self.pads, self.failure, self.cipher])


class Answer(msgspec.Struct, frozen=True, tag_field="what", tag="answer"):
    """To the node before: the share has come, or (`ok` false, without a tag) its keys are not here."""

    name: str
    at: int
    ok: bool
    pads: list[str]
    tag: bytes = b""

    @property
    def covered(self) -> bytes:
        """What the tag is of."""
        return msgspec.json.encode([self.name, self.at, self.ok, self.pads])


class Failed(msgspec.Struct, frozen=True, tag_field="what", tag="failed"):
    """A node of the path -> the source: it does not get any further than `ends[0]`."""

    block: str
    ends: list[str]
    why: str


class Received(msgspec.Struct, frozen=True, tag_field="what", tag="received"):
    """The destination -> the source: all shares have come."""

    block: str
    failure: float
    tag: bytes = b""

    @property
    def covered(self) -> bytes:
        """What the tag is of."""
        return msgspec.json.encode([self.block, self.failure])


class Confirmed(msgspec.Struct, frozen=True, tag_field="what", tag="confirmed"):
    """The source -> the destination: it has the block too, or (`has` false, no tag) has given it up."""

    block: str
    has: bool
    tag: bytes = b""

    @property
    def covered(self) -> bytes:
        """What the tag is of."""
        return msgspec.json.encode([self.block, self.has])


AnyMessage = Hello | News | Carry | Answer | Failed | Received | Confirmed
