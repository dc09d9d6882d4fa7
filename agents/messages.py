"""Messages: their bodies, and the envelope they travel in.

Owns the envelope on MQTT and the rules for bodies. Does not know where messages come from, nor where they
wait (mailbox.py).

Rules: a body is a JSON value, a dataclass, a msgspec Struct, or numpy's numbers and arrays of them, which
travel as numbers and lists. NaN, infinities, int keys, complex numbers and untyped bytes are refused at
`send`, because JSON would change or lose them, and so is what is nested too deep or too large for its
readers. A body is encoded where it is sent, so what arrives is the same in every mode. However many
receivers ask for a body as one type, it is decoded once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from ..emulator.errors import MessageError
from ..emulator.plain_text import encodable, shortened
from ..emulator.wire import UNREADABLE
from .secret import Secret, why_not_sent
from .tracebacks import headline


def _as_plain(value: Any) -> Any:
    """What msgspec encodes for a value that it does not know, after `_check` has let it pass."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{type(value).__qualname__} is no JSON")


_encode = msgspec.json.Encoder(enc_hook=_as_plain).encode
#: The integers that the whole path carries (the emulator plane's msgpack ends there).
_LEAST, _MOST = -(2**63), 2**64 - 1
#: Levels of lists, mappings and Structs in a body: a program can build more than its readers can follow.
DEEPEST = 100
#: Bytes of JSON in a message, in a record and in what a program returns.
LARGEST_VALUE = 16 * 1024 * 1024
#: Characters of a name that a program gives: a kind of message, a record, a probe.
LONGEST_NAME = 256
#: Characters of a value or a place that an error shows.
_SHOWN, _SHOWN_BITS = 60, 200
#: Bodies of so many bytes are hashed once: where nodes share a process both ends ask, and words repeat.
_SHORT, _SHORT_HASHES = 256, 1024


class Envelope(msgspec.Struct, omit_defaults=True):
    """One MQTT payload. `body` is kept as it was encoded, so that its hash can be compared."""

    seq: int
    inc: int
    kind: str
    body: msgspec.Raw
    port: str = ""


#: By the type that a body is decoded to; a program may make types without end.
_decoders: dict[Any, Callable[[bytes], Any]] = {}
_MOST_DECODERS = 1024

_decode_envelope = msgspec.json.Decoder(Envelope).decode


class Message:
    """A received message.

    Attributes:
        body: the decoded body; raw bytes if the message is damaged.
        source: the node that sent it.
        destination: the node it was meant for: another one than this if it was overheard.
        kind: the word its sender gave it, or "".
        sent_ns: the virtual time at which it was sent.
        seq: its number among the messages of its sender.
        damaged: whether a fault has changed its bits.
        port: the mailbox it was sent to, "" for a program's own.
        incarnation: the sender's, by which mail from before its restart is told from mail after it.
    """

    __slots__ = (
        "source", "destination", "port", "kind", "seq", "incarnation", "sent_ns", "body", "damaged",
        "_raw", "_decoded",
    )  # fmt: skip

    def __init__(
        self,
        source: str,
        kind: str,
        seq: int,
        sent_ns: int,
        raw: bytes,
        damaged: bool = False,
        destination: str = "",
        port: str = "",
        incarnation: int = 1,
    ) -> None:
        self.source, self.kind, self.seq, self.sent_ns = source, kind, seq, sent_ns
        self.destination, self.port, self.incarnation = destination, port, incarnation
        self.body: Any = None
        self.damaged = damaged
        self._raw = raw
        #: What the body is as a type, or why it is none: one entry for each type that was asked for.
        self._decoded: list[tuple[Any, Any, str]] = []

    def read(self, type: Any = None) -> Message:
        """Decode the body: to JSON values, or to `type`; raw bytes if the message is damaged.

        Raises MessageError when the body is not of `type`.
        """
        self.body = self._raw if self.damaged else self.decoded(type)
        return self

    def decoded(self, type: Any = None) -> Any:
        """The body as `type`, decoded at the first time of asking. Raises MessageError as `read` does."""
        for known, value, problem in self._decoded:
            if known is type:
                if problem:
                    raise MessageError(problem)
                return value
        try:
            value = _decoder(type)(self._raw)
        except UNREADABLE as error:
            problem = f"message {self.kind!r} from {self.source} is not a {type}: {error}"
            self._decoded.append((type, None, problem))
            raise MessageError(problem) from error
        self._decoded.append((type, value, ""))
        return value

    def __repr__(self) -> str:
        port = f" on {self.port}" if self.port else ""
        return f"<Message {self.kind!r} from {self.source}{port} seq {self.seq}>"


def _decoder(type: Any) -> Callable[[bytes], Any]:
    """Of JSON to a type: each is made once, which costs more than most bodies."""
    try:
        found = _decoders.get(type)
    except TypeError:  # a type that does not hash
        return msgspec.json.Decoder(type).decode
    if found is None:
        found = msgspec.json.Decoder(Any if type is None else type).decode
        if len(_decoders) < _MOST_DECODERS:
            _decoders[type] = found
    return found


def encode_body(body: Any, hash_key: bytes | None = None) -> bytes:
    """A body as JSON. Raises MessageError for what JSON would change or cannot hold, and for too much.

    A Secret in it is refused, or stands there in its short form: where `hash_key`, of the run, is given.
    """
    try:
        _check(body, "body", hash_key is not None)
        encoded = _encode(body) if hash_key is None else _encode_forms(body, hash_key)
    except MessageError:
        raise
    except Exception as error:
        raise MessageError(f"a message body must be JSON: {headline(error)}") from error
    if len(encoded) > LARGEST_VALUE:
        size = f"{len(encoded):,} bytes as JSON"
        raise MessageError(f"{size} are too many: at most {LARGEST_VALUE:,}")
    return encoded


def as_json(value: Any, hash_key: bytes | None = None) -> Any:
    """What is left of a value once it has travelled as JSON: lists for tuples, dicts for Structs.

    Raises MessageError as `encode_body` does.
    """
    return msgspec.json.decode(encode_body(value, hash_key))


def _encode_forms(value: Any, hash_key: bytes) -> bytes:
    """A value as JSON, with the short form of each Secret in it."""
    try:
        return _encode(value)
    except TypeError:  # as msgspec says that there is a Secret: few values have one

        def plain(item: Any) -> Any:
            return item.form(hash_key) if type(item) is Secret else _as_plain(item)

        return msgspec.json.encode(value, enc_hook=plain)


def seal(seq: int, inc: int, kind: str, body: bytes, port: str = "") -> bytes:
    """The MQTT payload around an encoded body."""
    return _encode(Envelope(seq, inc, kind, msgspec.Raw(body), port))


def unseal(payload: bytes) -> Envelope:
    """The envelope of an MQTT payload. Raises MessageError when it is none."""
    try:
        return _decode_envelope(payload)
    except UNREADABLE as error:
        raise MessageError(f"not an envelope: {error}") from error


def body_hash(body: bytes) -> bytes:
    """Eight bytes of BLAKE2b, by which a grant names a payload."""
    return _short_hash(body) if len(body) <= _SHORT else _short_hash.__wrapped__(body)


@lru_cache(_SHORT_HASHES)
def _short_hash(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=8).digest()


def _is_plain(value: Any) -> bool:
    """Whether JSON carries it without a second look, so that its place need not be worded."""
    kind = type(value)
    return kind is str or kind is bool or (kind is int and _LEAST <= value <= _MOST)


def _check(value: Any, where: str, secrets: bool, levels: int = DEEPEST) -> None:
    kind = type(value)
    if value is None or kind in (str, bool):
        return
    if issubclass(kind, int):  # a member of an IntEnum too: JSON carries its value
        if not _LEAST <= value <= _MOST:
            bits = int.bit_length(value)
            shown = f"{value:d}" if bits < _SHOWN_BITS else f"an integer of {bits:,} bits"
            raise MessageError(f"{where} is {shown}, which does not fit into 64 bits")
    elif kind is float:
        if not math.isfinite(value):
            raise MessageError(f"{where} is {value!r}, which JSON cannot carry")
    elif issubclass(kind, np.generic):
        _check_scalar(value, where)
    elif not levels:
        raise MessageError(f"a message body has at most {DEEPEST} levels of lists and mappings")
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise MessageError(f"{where} has the key {quoted(key)}: keys must be strings")
            if not _is_plain(item):
                _check(item, f"{where}[{quoted(key)}]", secrets, levels - 1)
    elif kind in (list, tuple):
        for index, item in enumerate(value):
            if not _is_plain(item):
                _check(item, f"{where}[{index}]", secrets, levels - 1)
    elif issubclass(kind, msgspec.Struct):
        _check_fields(value, value.__struct_fields__, where, secrets, levels)
    elif dataclasses.is_dataclass(kind):
        _check_fields(
            value, [field.name for field in dataclasses.fields(kind)], where, secrets, levels
        )
    elif kind is np.ndarray:
        _check_array(value, where, levels)
    elif issubclass(kind, (bytes, bytearray, memoryview)):
        raise MessageError(f"{where} is bytes: put it into a msgspec Struct with a bytes field")
    elif kind is Secret:
        if not secrets:
            raise MessageError(why_not_sent(where, value))
    elif issubclass(kind, str):
        return  # an enum member, say: JSON carries its value
    else:
        raise MessageError(
            f"{where} is a {kind.__module__}.{kind.__qualname__}: a message body must be JSON values,"
            " dataclasses, msgspec Structs, or numpy's numbers and arrays of them"
        )


def _check_fields(value: Any, names: Sequence[str], where: str, secrets: bool, levels: int) -> None:
    """The fields of a class; bytes are allowed, because `receive(type=...)` decodes them, and JSON."""
    for name in names:
        field = getattr(value, name)
        kind = type(field)
        # What needs no second look first, as `_is_plain` has it: a message of ours has little else.
        if kind is str or kind is bool or field is None:
            continue
        if (kind is int and _LEAST <= field <= _MOST) or (kind is float and math.isfinite(field)):
            continue
        if not isinstance(field, (bytes, bytearray, msgspec.Raw)):
            _check(field, f"{where}.{name}", secrets, levels - 1)


def _check_scalar(value: np.generic, where: str) -> None:
    """A number of numpy's, or a word: what JSON has, too."""
    if isinstance(value, np.complexfloating):
        raise MessageError(
            f"{where} is {value!r}: JSON has no complex numbers; send [z.real, z.imag]"
        )
    plain = value.item()
    if type(plain) not in (bool, int, float, str):
        raise MessageError(f"{where} is {value!r}, which JSON cannot carry")
    _check(plain, where, secrets=False)


def _check_array(value: np.ndarray[Any, Any], where: str, levels: int) -> None:
    """An array of such numbers, which travels as nested lists."""
    if value.dtype.kind not in "biufU" or value.dtype == np.longdouble:
        raise MessageError(
            f"{where} is an array of {value.dtype}: JSON carries bool, int, float and str"
        )
    if value.ndim > levels:
        raise MessageError(f"a message body has at most {DEEPEST} levels of lists and mappings")
    if 2 * value.size > LARGEST_VALUE:  # a digit and a comma each, at least
        raise MessageError(f"{where} has {value.size:,} numbers, which are too many for a message")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        at = np.argwhere(~np.isfinite(value))[0]
        place = where + "".join(f"[{index}]" for index in at)
        raise MessageError(f"{place} is {float(value[tuple(at)])!r}, which JSON cannot carry")


def plain_name(value: object, what: str) -> str:
    """A name as the wire carries it: a str, and no subclass (numpy's choice among names gives one).

    Raises MessageError for anything that is no str, is longer than `LONGEST_NAME`, or cannot be encoded.
    """
    if not issubclass(type(value), str):
        raise MessageError(f"{what} is a str, not {quoted(value)}")
    name = str.__str__(value)
    if len(name) > LONGEST_NAME:
        raise MessageError(f"{what} has {len(name):,} characters: at most {LONGEST_NAME}")
    if not name.isascii() and encodable(name) != name:
        raise MessageError(f"{what} is {quoted(name)}, which no encoding carries")
    return name


def plain_names(peer: str, link: str | None) -> tuple[str, str | None]:
    """A peer and perhaps a link, as the wire carries them. Raises MessageError."""
    return plain_name(peer, "a node"), None if link is None else plain_name(link, "a link")


def quoted(value: object) -> str:
    """`repr(value)`, in short; of an object that cannot give one, its class."""
    try:
        return encodable(shortened(repr(value), _SHOWN))
    except Exception:  # noqa: BLE001 the error that is worded is another one
        return f"a {type(value).__qualname__}"
