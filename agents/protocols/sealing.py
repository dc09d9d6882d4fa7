"""Sealed messages: sessions whose messages are authenticated.

Owns what a sealed message looks like, and how an end writes and reads those of one session. Does not own tags
and the secrets behind them: that is the protocol's (`Seals`), nor sessions (session.py).

Tags cost pads, and a protocol may have hundreds of small messages. Those of a type that is `deferred` have
no tag of their own: both ends keep them, and the next tag is of all of them, in their order, and of the
message that it stands on. So all are authenticated before anything that has a tag is believed; but a forged
one among them breaks the session, where another one would be passed over.

Rule: a message whose tag is wrong changes nothing but a count.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from ...emulator.errors import MessageError
from ...emulator.wire import UNREADABLE
from ..messages import Message, encode_body
from .session_messages import SessionBroken, SessionMessage


class Seal(Protocol):
    """Tags of one session's messages."""

    def tag(self, sender: str, number: int, body: bytes) -> bytes:
        """Of the sender's message of that number, counted from 0. Raises SessionBroken without pads."""
        ...

    def is_genuine(self, sender: str, number: int, body: bytes, tag: bytes) -> bool:
        """Whether the tag is that of this message."""
        ...


class Seals(Protocol):
    """Where the seals of an end's sessions are from."""

    def opened(self, session: str) -> tuple[str, Seal]:
        """Of a session that this end initiates, and where its pads stand, for the other end.

        Raises SessionBroken.
        """
        ...

    def accepted(self, session: str, pads: str, incarnation: int) -> Seal | None:
        """Of a session that is offered by that incarnation of the peer; None if it has not these pads."""
        ...

    def unknown(self, incarnation: int) -> None:
        """That incarnation of the peer has not the pads of the last opening."""
        ...


class Sealed(SessionMessage, tag="sealed"):
    """A message and its tag; `pads`: in an opening, where the session's pads stand."""

    tag: bytes
    body: msgspec.Raw
    pads: str = ""


class Line:
    """How the messages of one session are written and read at one end: in clear, or sealed.

    `refused` counts messages that were not genuine, `sent` and `received` tags.
    """

    def __init__(self, me: str, peer: str, seal: Seal | None, pads: str = "") -> None:
        self._me, self._peer, self._seal, self._pads = me, peer, seal, pads
        self.refused = self.sent = self.received = 0
        #: Messages of both ends since the last tag.
        self._untagged: list[bytes] = []

    def written(self, message: SessionMessage) -> SessionMessage:
        """As it travels; once for each message."""
        if self._seal is None:
            return message
        body = encode_body(message)
        tag = b""
        if message.deferred:
            self._untagged.append(body)
        else:
            tag = self._seal.tag(self._me, self.sent, self._since(body))
            self.sent += 1
            self._untagged.clear()
        return Sealed(
            session=message.session,
            number=message.number,
            tag=tag,
            body=msgspec.Raw(body),
            pads=self._pads if message.number == 1 else "",
        )

    def accepts(self, message: Message) -> bool:
        """Whether it may be received; always without a seal. Once for each message."""
        if self._seal is None:
            return True
        try:
            sealed: Sealed = message.read(Sealed).body
            good = self._is_genuine(self._seal, bytes(sealed.body), sealed.tag)
        except (MessageError, SessionBroken):
            good = False
        self.refused += not good
        return good

    def read(self, message: Message, kind: Any) -> Any:
        """The body as `kind`. Raises SessionBroken."""
        try:
            if self._seal is None:
                return message.read(kind).body
            sealed: Sealed = message.read(Sealed).body
            body: SessionMessage = msgspec.json.decode(bytes(sealed.body), type=kind)
        except (MessageError, *UNREADABLE) as error:
            raise SessionBroken(f"an unexpected message: {error}") from error
        if not sealed.tag and not body.deferred:
            raise SessionBroken("a message without its tag")
        return body

    def _is_genuine(self, seal: Seal, body: bytes, tag: bytes) -> bool:
        if not tag:
            self._untagged.append(body)
            return True
        good = seal.is_genuine(self._peer, self.received, self._since(body), tag)
        if good:
            self.received += 1
            self._untagged.clear()
        return good

    def _since(self, body: bytes) -> bytes:
        """All that the next tag is of; each with its length."""
        every = [*self._untagged, body]
        return b"".join(len(each).to_bytes(8, "big") + each for each in every)
