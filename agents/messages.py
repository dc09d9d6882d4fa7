"""Messages and the box they wait in.

Owns the envelope on MQTT, the rules for bodies, and `Mailbox`: items that came in, and tasks that wait
for one. Does not know where messages come from.

Rules: a body is a JSON value or a msgspec Struct; NaN, infinities, int keys and untyped bytes are
refused at `send`, because JSON would change or lose them, and so is what is nested too deep or too large
for its readers. Waiting receivers are served first-in
first-out; a receiver that is cancelled never loses an item.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import msgspec

from ..emulator.errors import MessageError
from ..emulator.plain_text import encodable, shortened
from ..emulator.wire import UNREADABLE
from .secret import Secret, why_not_sent
from .tracebacks import headline

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode
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


class Envelope(msgspec.Struct):
    """One MQTT payload. `body` is kept as it was encoded, so that its hash can be compared."""

    seq: int
    inc: int
    kind: str
    body: msgspec.Raw


_decode_envelope = msgspec.json.Decoder(Envelope).decode


class Message:
    """A received message: `body`, `source`, `kind`, `sent_ns` (virtual), `seq` and `damaged`.

    `destination` is the node it was meant for: another one than this if it was overheard.
    """

    __slots__ = ("source", "destination", "kind", "seq", "sent_ns", "body", "damaged", "_raw")

    def __init__(
        self,
        source: str,
        kind: str,
        seq: int,
        sent_ns: int,
        raw: bytes,
        damaged: bool = False,
        destination: str = "",
    ) -> None:
        self.source, self.kind, self.seq, self.sent_ns = source, kind, seq, sent_ns
        self.destination = destination
        self.body: Any = None
        self.damaged = damaged
        self._raw = raw

    def read(self, type: Any = None) -> Message:
        """Decode the body: to JSON values, or to `type`; raw bytes if the message is damaged.

        Raises MessageError when the body is not of `type`.
        """
        if self.damaged:
            self.body = self._raw
            return self
        try:
            self.body = msgspec.json.decode(self._raw, type=Any if type is None else type)
        except UNREADABLE as error:
            raise MessageError(
                f"message {self.kind!r} from {self.source} is not a {type}: {error}"
            ) from error
        return self

    def __repr__(self) -> str:
        return f"<Message {self.kind!r} from {self.source} seq {self.seq}>"


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
        return msgspec.json.encode(value, enc_hook=lambda secret: secret.form(hash_key))


def seal(seq: int, inc: int, kind: str, body: bytes) -> bytes:
    """The MQTT payload around an encoded body."""
    return _encode(Envelope(seq, inc, kind, msgspec.Raw(body)))


def unseal(payload: bytes) -> Envelope:
    """The envelope of an MQTT payload. Raises MessageError when it is none."""
    try:
        return _decode_envelope(payload)
    except UNREADABLE as error:
        raise MessageError(f"not an envelope: {error}") from error


def body_hash(body: bytes) -> bytes:
    """Eight bytes of BLAKE2b, by which a grant names a payload."""
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
        for name in value.__struct_fields__:
            field = getattr(value, name)
            if not isinstance(field, (bytes, bytearray)):
                _check(field, f"{where}.{name}", secrets, levels - 1)
    elif issubclass(kind, (bytes, bytearray, memoryview)):
        raise MessageError(f"{where} is bytes: put it into a msgspec Struct with a bytes field")
    elif kind is Secret:
        if not secrets:
            raise MessageError(why_not_sent(where, value))
    elif issubclass(kind, str):
        return  # an enum member, say: JSON carries its value
    else:
        raise MessageError(
            f"{where} is a {kind.__module__}.{kind.__qualname__}: a message body must be JSON values"
            " or msgspec Structs (for numpy use .item() or .tolist())"
        )


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


def quoted(value: object) -> str:
    """`repr(value)`, in short; of an object that cannot give one, its class."""
    try:
        return encodable(shortened(repr(value), _SHOWN))
    except Exception:  # noqa: BLE001 the error that is worded is another one
        return f"a {type(value).__qualname__}"


class _Waiter(Generic[T]):
    __slots__ = ("future", "matches", "number")

    def __init__(self, future: asyncio.Future[T], matches: Callable[[T], bool]) -> None:
        self.future, self.matches = future, matches
        self.number = 0


class Mailbox(Generic[T]):
    """Items in the order they came, and waiting takers in the order they asked."""

    def __init__(self) -> None:
        self._items: list[tuple[int, T]] = []
        self._waiters: list[_Waiter[T]] = []
        self._count = 0

    def offer(self, item: T) -> None:
        """An item has come: the longest waiting taker it fits gets it, else it is kept."""
        self._count += 1
        self._place(self._count, item)

    def _place(self, number: int, item: T) -> None:
        for index, waiter in enumerate(self._waiters):
            if not waiter.future.done() and self._suits(waiter, item):
                del self._waiters[index]
                waiter.number = number
                waiter.future.set_result(item)
                return
        self._items.append((number, item))
        if len(self._items) > 1 and self._items[-2][0] > number:
            self._items.sort(key=lambda entry: entry[0])

    @staticmethod
    def _suits(waiter: _Waiter[T], item: T) -> bool:
        """Whether the taker wants the item; a condition that raises raises where the taker waits."""
        try:
            return waiter.matches(item)
        except (KeyboardInterrupt, SystemExit):
            raise
        except StopIteration as error:  # no future takes it
            waiter.future.set_exception(RuntimeError(f"the condition raised {headline(error)}"))
        except BaseException as error:  # noqa: BLE001 it is the program's own, and goes to the program
            waiter.future.set_exception(error)
        return False

    def drop(self, unwanted: Callable[[T], bool]) -> None:
        """Remove waiting items: no receiver gets them."""
        self._items = [entry for entry in self._items if not unwanted(entry[1])]

    async def take(
        self,
        matches: Callable[[T], bool],
        new_future: Callable[[], asyncio.Future[T]],
    ) -> T:
        """The first item that matches; waits for one. Cancelled: the item stays in the box."""
        for index, (_, item) in enumerate(self._items):
            if matches(item):
                del self._items[index]
                return item
        waiter = _Waiter(new_future(), matches)
        self._waiters.append(waiter)
        try:
            return await waiter.future
        except BaseException:
            self._withdraw(waiter)
            raise

    def _withdraw(self, waiter: _Waiter[T]) -> None:
        future = waiter.future
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        elif future.done() and not future.cancelled():
            self._place(waiter.number, future.result())  # back to where it was in the line

    def __iter__(self) -> Iterator[T]:
        return (item for _, item in self._items)

    def __len__(self) -> int:
        return len(self._items)
