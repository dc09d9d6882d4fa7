"""What a fault may say of one message or of one herald, and how the planes ask for it.

Owns the verdicts as data and the two questions. Does not own the way of a message (classical/) or of a herald
(quantum/), which carry verdicts out, nor what a fault decides (kinds/).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

# --- messages -------------------------------------------------------------------------------------


class Message(Protocol):
    """What a fault sees of a message that enters a link: its body's size in bytes, and which copy it is.

    `service`: the service that has sent it; "" for a program.
    """

    @property
    def service(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def copy(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Pass:
    """The fault does nothing to this message."""


@dataclass(frozen=True, slots=True)
class Later:
    """The message takes `by_ns` longer on this hop."""

    by_ns: int


@dataclass(frozen=True, slots=True)
class Drop:
    """The message is lost on this hop; `why` goes to the journal."""

    why: str


@dataclass(frozen=True, slots=True)
class Twice:
    """Another copy of the message comes `after_ns` behind it."""

    after_ns: int


@dataclass(frozen=True, slots=True)
class Damage:
    """These bits of the body are flipped in this copy; other copies on their way stay as they are."""

    bits: tuple[int, ...]


Verdict = Pass | Later | Drop | Twice | Damage


class LinkFault(Protocol):
    """A fault that looks at each message on a link."""

    def on_message(self, flight: Message) -> Verdict: ...


class Listener:
    """A node that listens on a link; `takes`: what it hears goes no further."""

    __slots__ = ("node", "takes")

    def __init__(self, node: str, takes: bool) -> None:
        self.node, self.takes = node, takes


# --- heralds --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HeraldOutcome:
    """What becomes of a success: the ends that never hear of it, and whether there is no pair at all."""

    lost: tuple[str, ...] = ()
    false: bool = False


HEARD = HeraldOutcome()


class HeraldFault(Protocol):
    """A fault that looks at successes."""

    def on_success(self, ends: tuple[str, str]) -> HeraldOutcome:
        """What becomes of this one; `ends` are the link's."""
