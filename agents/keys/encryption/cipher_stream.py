"""Cipher streams: files and streams of real bytes, under session keys that change by volume and time.

Owns the format and the driving loops. Does not own keys' derivation (session_key.py) nor where quantum
keys are from: the sender is given a function that asks for one, the receiver one that fetches it by its id,
as a client of ETSI GS QKD 014 does. It is for real bytes, outside of runs; programs have traffic.py.

    frame = kind (1 byte), length (4 bytes, big endian), content
    kind K: a new session key: suite, id of the quantum key, ciphertext of the KEM; D: a record; E: the last

Rules. A receiver takes the suite it accepts and no weaker one. A stream that ends without E was cut off. What
comes out before that is authentic, up to where it was cut.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from ....emulator.errors import InputError
from ...secret import Secret
from .kem import KemKey, closed
from .session_key import HYBRID, PQC, TAG_BYTES, NotOpened, SessionKey, Terms

CHUNK = 1 << 20
_MOST = CHUNK + TAG_BYTES


class Starved(InputError):
    """There is no quantum key, and the policy is to stop."""

    code = "starved"


class Downgrade(NotOpened):
    """The other end has used a weaker suite than this one accepts."""

    code = "downgrade"


class Header(msgspec.Struct, frozen=True):
    """The content of a frame K."""

    suite: str
    key_id: str
    kem: bytes


@dataclass(frozen=True)
class Rekeying:
    """After how many bytes and seconds a new session key is due, and what to do without a quantum key.

    `starvation`: "block" waits `pause_s` and asks again, "pqc" uses ML-KEM alone, "stop" raises
    Starved.
    `alarm` is called with the policy each time that a key is missing.
    """

    bytes: int = 1 << 30
    seconds: float = 3600.0
    starvation: str = "block"
    pause_s: float = 1.0
    alarm: Callable[[str], None] = lambda policy: None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = threading.Event().wait

    def __post_init__(self) -> None:
        if self.starvation not in ("block", PQC, "stop") or self.bytes < 1 or self.seconds <= 0:
            raise InputError("rekeying: expected block, pqc or stop, and limits above 0")


def encrypt(
    source: BinaryIO,
    target: BinaryIO,
    public: bytes,
    new_key: Callable[[], Secret | None],
    rekeying: Rekeying = Rekeying(),
) -> list[Terms]:
    """Encrypt all of `source` for the owner of a public key; the terms of all session keys.

    `new_key`: a new quantum key with its id, or None where there is none. Raises Starved.
    """
    used: list[Terms] = []
    key, since = None, 0.0
    data = source.read(CHUNK)
    while True:
        following = source.read(CHUNK)
        if (
            key is None
            or key.bytes + len(data) > rekeying.bytes
            or rekeying.clock() - since >= rekeying.seconds
        ):
            key = _new_session_key(target, public, new_key, rekeying, len(used))
            since = rekeying.clock()
            used.append(key.terms)
        _write(target, b"D" if following else b"E", key.seal(data, last=not following))
        if not following:
            return used
        data = following


def _new_session_key(
    target: BinaryIO,
    public: bytes,
    new_key: Callable[[], Secret | None],
    rekeying: Rekeying,
    epoch: int,
) -> SessionKey:
    quantum = new_key()
    while quantum is None:
        rekeying.alarm(rekeying.starvation)
        if rekeying.starvation == "stop":
            raise Starved("no quantum key, and the policy is to stop")
        if rekeying.starvation == PQC:
            break
        rekeying.sleep(rekeying.pause_s)
        quantum = new_key()
    secret, kem = closed(public)
    suite, key_id = (PQC, "") if quantum is None else (HYBRID, quantum.id)
    _write(target, b"K", msgspec.msgpack.encode(Header(suite, key_id, kem)))
    return SessionKey(Terms(suite, epoch, key_id, kem), quantum, secret)


def decrypt(
    source: BinaryIO,
    target: BinaryIO,
    private: KemKey,
    fetch: Callable[[str], Secret],
    accepts: tuple[str, ...] = (HYBRID,),
) -> list[Terms]:
    """Decrypt all of `source`; the terms of all session keys. `fetch`: the quantum key with an id.

    Raises NotOpened, and Downgrade for a suite that is not accepted; `target` then has what came before.
    """
    used: list[Terms] = []
    key: SessionKey | None = None
    for kind, content in _frames(source):
        if kind == b"K":
            key = _same_session_key(content, private, fetch, accepts, len(used))
            used.append(key.terms)
        elif key is None:
            raise NotOpened("a record before any key")
        else:
            target.write(key.open(content, last=kind == b"E"))
    return used


def _same_session_key(
    content: bytes,
    private: KemKey,
    fetch: Callable[[str], Secret],
    accepts: tuple[str, ...],
    epoch: int,
) -> SessionKey:
    try:
        header = msgspec.msgpack.decode(content, type=Header)
    except msgspec.MsgspecError:
        raise NotOpened("a key frame that is none") from None
    if header.suite not in accepts:
        raise Downgrade(f"the suite {header.suite[:16]!r}, where {', '.join(accepts)} is accepted")
    quantum = fetch(header.key_id) if header.suite == HYBRID else None
    terms = Terms(header.suite, epoch, header.key_id, header.kem)
    return SessionKey(terms, quantum, private.opened(header.kem))


def _write(target: BinaryIO, kind: bytes, content: bytes) -> None:
    target.write(kind + len(content).to_bytes(4, "big"))
    target.write(content)


def _frames(source: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """All frames up to the last one. Raises NotOpened."""
    while True:
        head = source.read(5)
        kind, count = head[:1], int.from_bytes(head[1:], "big")
        if len(head) < 5:
            raise NotOpened("the stream was cut off")
        if kind not in (b"K", b"D", b"E") or count > _MOST:
            raise NotOpened("a frame that is none")
        content = source.read(count)
        if len(content) < count:
            raise NotOpened("the stream was cut off")
        yield kind, content
        if kind == b"E":
            if source.read(1):
                raise NotOpened("something follows the last record")
            return
