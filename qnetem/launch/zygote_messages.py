"""What launcher and zygote say to each other, framed as in emulator/wire.py.

Owns the structs only; imports nothing heavy, because both sides start with it.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..agents.process.settings import NodeSettings
from ..emulator.wire.control import Exited


class Fork(msgspec.Struct, array_like=True, tag=True):
    """Launcher -> zygote: start this incarnation. Answer: `Forked`, and `Exited` when it ends."""

    settings: NodeSettings


class Signal(msgspec.Struct, array_like=True, tag=True):
    """Launcher -> zygote: send a signal to an incarnation; nothing happens if it has ended."""

    node: str
    incarnation: int
    number: int


class Forked(msgspec.Struct, array_like=True, tag=True):
    """Zygote -> launcher: the incarnation has this pid."""

    node: str
    incarnation: int
    pid: int


Order = Fork | Signal
Answer = Forked | Exited

decode_order: Callable[[bytes], Order] = msgspec.msgpack.Decoder(Order).decode
decode_answer: Callable[[bytes], Answer] = msgspec.msgpack.Decoder(Answer).decode
