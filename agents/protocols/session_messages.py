"""What all messages of sessions carry, and how a session ends that cannot continue.

Owns these two types. Does not own sessions (session.py), nor tags of messages (sealing.py).
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from ...emulator.errors import QnetemError


class SessionMessage(msgspec.Struct, kw_only=True):
    """What every message of a session carries; filled in when it is sent.

    `deferred`: where messages are authenticated, this one is by the tag of the next message that has one.
    """

    deferred: ClassVar[bool] = False
    session: str = ""
    number: int = 0


class SessionBroken(QnetemError):
    """A session that cannot continue.

    `unanswered`: the other end has sent no message in it; `unknown`: it does not know the session;
    `hopeless`: another session would not do better.
    """

    exit_code = 1

    def __init__(
        self, why: str, *, unanswered: bool = False, unknown: bool = False, hopeless: bool = False
    ) -> None:
        super().__init__(why)
        self.unanswered, self.unknown, self.hopeless = unanswered, unknown, hopeless
