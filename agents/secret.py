"""Secret: key material that shows itself only where the program says so.

Owns the type, and how it appears elsewhere: as `{id, bits, check}`. Does not own who may have a key.

Rules. `check` is a keyed hash (emulator/wire/keyed_hash.py) from the run's seed and the label: equal keys
under one label have equal checks at every node, other keys other ones, and without the seed no search finds
a short key. Only the words `reveal_bits`, `reveal_bytes` and `reveal_int` give the bits. Every other way to
the value shows the check or is refused by name: text, formats, JSON, pickles, iteration, arrays. No error
quotes the value.
"""

from __future__ import annotations

from collections.abc import Iterable
from hmac import compare_digest
from typing import Any, NoReturn, SupportsIndex, final

import numpy as np
from numpy.typing import NDArray

from ..emulator.errors import InputError
from ..emulator.wire.keyed_hash import keyed_hash
from .guards.running_program import current

_REVEAL = "reveal_bits() or reveal_bytes() says so in so many words"


@final
class Secret:
    """Key material: bits that are in no log, no result and no message unless they are revealed.

    `material`: bytes (8 bits each, the most significant first), a sequence or an array of 0 and 1, or an
    integer with `bits=`. `label` says what it is for: both ends of a key use the same one, and their checks
    then agree. `id` names it for people. Raises InputError for other material.
    """

    __slots__ = ("_count", "_data", "_key", "id", "label")

    id: str
    label: str

    def __init__(
        self, material: Any, *, label: str = "", id: str = "", bits: int | None = None
    ) -> None:
        self.label, self.id = str(label), str(id)
        self._data, self._count = _packed(material, bits)
        #: Of the run that it was made in, so that it has its check in an error that is shown after the step.
        self._key = _key_of_run()

    # --- what it shows ---

    @property
    def check(self) -> str:
        """A keyed hash of the bits, equal at two nodes that have the same key; "" outside of a run."""
        key = self._key or _key_of_run()
        return "" if key is None else self._check(key)

    def form(self, key: bytes | None = None) -> dict[str, Any]:
        """How it stands in results, records and events; `key`: of the run's keyed hashes."""
        check = self._check(key) if key is not None else self.check
        return {"id": self.id, "bits": self._count, "check": check}

    def _check(self, key: bytes) -> str:
        length = self._count.to_bytes(8, "big")
        return keyed_hash(key, f"secret\x1f{self.label}", length + self._data)

    def __repr__(self) -> str:
        name = f"{self.id!r} " if self.id else ""
        check = self.check
        return f"<Secret {name}{self._count} bits{' check ' + check if check else ''}>"

    def __format__(self, spec: str) -> str:
        """As text, whatever the format asks for: `f"{key:x}"` must not raise in the middle of a log line."""
        return repr(self)

    def __len__(self) -> int:
        """How many bits it has."""
        return self._count

    def __eq__(self, other: object) -> bool:
        """Whether the bits are equal, in a time that does not depend on where they differ."""
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(self._data, other._data) and self._count == other._count

    __hash__ = None  # type: ignore[assignment]  # by `id`: a table would compare parts of the bits

    # --- new ones from old ones ---

    def named(self, *, id: str | None = None, label: str | None = None) -> Secret:
        """The same bits under another name or label."""
        return self._like(self._data, self._count, id, label)

    def __getitem__(self, part: slice | SupportsIndex) -> Secret:
        """A part: `key[:128]`, or one bit. Its id is that of the whole with the place."""
        if not isinstance(part, slice):
            at = part.__index__()
            if not -self._count <= at < self._count:
                raise IndexError(f"bit {at} of a Secret of {self._count} bits")
            part = slice(at % self._count, at % self._count + 1)
        start, stop, step = part.indices(self._count)
        packed = self._packed_part(range(start, stop, step))
        place = f"[{start}:{stop}{'' if step == 1 else f':{step}'}]"
        return self._like(
            packed, len(range(start, stop, step)), f"{self.id}{place}" * bool(self.id)
        )

    def __xor__(self, other: object) -> Secret:
        """Bit by bit, as a one-time pad does. Raises InputError for another length."""
        if not isinstance(other, Secret):
            return NotImplemented
        if other._count != self._count:
            raise InputError(
                f"a Secret of {self._count} bits ^ one of {other._count}: lengths differ"
            )
        pads = (np.frombuffer(each._data, np.uint8) for each in (self, other))
        return self._like(np.bitwise_xor(*pads).tobytes(), self._count, "")

    def __add__(self, other: object) -> Secret:
        """One after the other."""
        if not isinstance(other, Secret):
            return NotImplemented
        joined = np.packbits(np.concatenate([self.reveal_bits(), other.reveal_bits()])).tobytes()
        return self._like(joined, self._count + other._count, "")

    def _like(
        self, data: bytes, count: int, id: str | None = None, label: str | None = None
    ) -> Secret:
        made = object.__new__(Secret)
        made.id = self.id if id is None else id
        made.label = self.label if label is None else label
        made._data, made._count, made._key = data, count, self._key
        return made

    # --- the only words that give the bits ---

    def reveal_bits(self) -> NDArray[np.uint8]:
        """The bits, as an array of 0 and 1."""
        return np.unpackbits(np.frombuffer(self._data, np.uint8), count=self._count)

    def reveal_bytes(self) -> bytes:
        """The bytes. Raises InputError for bits that fill no whole bytes."""
        if self._count % 8:
            raise InputError(f"a Secret of {self._count} bits has no whole bytes: reveal_bits()")
        return self._data

    def reveal_int(self) -> int:
        """The number whose binary digits the bits are, the first one the most significant."""
        return int.from_bytes(self._data, "big") >> (-self._count % 8)

    def _packed_part(self, places: range) -> bytes:
        """The bits at these places in whole bytes, without a look at what lies far from them."""
        if not places:
            return b""
        first, last = min(places[0], places[-1]), max(places[0], places[-1])
        skipped = first // 8
        near = self._data[skipped : last // 8 + 1]
        if places.step == 1 and first % 8 == 0:
            unused = -len(places) % 8
            return near[:-1] + bytes([near[-1] >> unused << unused])
        bits = np.unpackbits(np.frombuffer(near, np.uint8))
        start, stop = first - 8 * skipped, last + 1 - 8 * skipped
        found = bits[start : stop : abs(places.step)]
        return np.packbits(found if places.step > 0 else found[::-1]).tobytes()

    # --- refused ---

    def __iter__(self) -> NoReturn:
        raise TypeError(f"a Secret does not give its bits one by one: {_REVEAL}")

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f"a Secret is no array: {_REVEAL}")

    def __bytes__(self) -> NoReturn:
        raise TypeError(f"a Secret is not bytes: {_REVEAL}")

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(f"a Secret is not pickled, as a pickle holds its bits: {_REVEAL}")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: Any) -> Secret:
        return self


def why_not_sent(where: str, secret: Secret) -> str:
    """The error of one that stands in a message or another value that leaves the node."""
    return f"{where} is {secret!r}: key material leaves a node only if it is revealed; {_REVEAL}"


def _key_of_run() -> bytes | None:
    loop = current()
    return (loop.hash_key or None) if loop is not None else None


def _packed(material: Any, bits: int | None) -> tuple[bytes, int]:
    """The bits in whole bytes, 0 behind the last one, and their number. No error quotes them."""
    if isinstance(material, Secret):
        raise InputError("a Secret is one already: named() gives it another id or label")
    if isinstance(material, (int, np.integer)) and not isinstance(material, bool):
        return _packed_int(int(material), bits)
    if bits is not None:
        raise InputError("`bits` goes with an integer: bytes and bits have their own length")
    if isinstance(material, (bytes, bytearray, memoryview)):
        data = bytes(material)
        return data, 8 * len(data)
    if isinstance(material, str) or not isinstance(material, (Iterable, np.ndarray)):
        raise InputError(
            f"key material is bytes, bits or an integer, not a {type(material).__name__}"
        )
    return _packed_bits(material)


def _packed_int(number: int, bits: int | None) -> tuple[bytes, int]:
    if bits is None or bits < 0:
        raise InputError("an integer as key material needs its length: Secret(number, bits=128)")
    if number < 0 or number.bit_length() > bits:
        raise InputError(f"the integer does not fit into {bits} bits")
    size = -(-bits // 8)
    return (number << (-bits % 8)).to_bytes(size, "big"), bits


def _packed_bits(material: Iterable[Any]) -> tuple[bytes, int]:
    items = material if isinstance(material, np.ndarray) else list(material)
    try:
        values = np.asarray(items)
        good = values.ndim == 1 and bool(np.isin(values, (0, 1)).all())
    except (TypeError, ValueError):
        good = False
    if not good:
        raise InputError("bits as key material are a flat sequence of 0 and 1") from None
    return np.packbits(values.astype(np.uint8)).tobytes(), len(values)
