"""Columns of small numbers as bytes: how arrays of a pulse train travel and rest.

Owns the bit planes, nothing else; imports numpy only, so that nodes and emulator can share it.

Rule: plane j holds bit j of every value, eight values a byte, the first in the highest bit; the last byte
of a plane is filled with zeros. A column is its planes one after the other, the lowest bit first.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
_Array = TypeVar("_Array", bound=NDArray[Any])


def read_only(array: _Array) -> _Array:
    """The array itself, now read-only: later runs of the process share it."""
    array.setflags(write=False)
    return array


def planes_for(kinds: int) -> int:
    """How many planes hold numbers from 0 to `kinds` - 1."""
    return max(0, kinds - 1).bit_length()


def packed_size(count: int, planes: int = 1) -> int:
    """Bytes of a column of `count` values."""
    return planes * ((count + 7) // 8)


def packed(values: NDArray[np.integer] | NDArray[np.bool_], planes: int = 1) -> bytes:
    """`values`, all below 2**planes, as bytes."""
    if planes == 1:
        return np.packbits(values.astype(np.uint8, copy=False)).tobytes()
    column = values.astype(np.uint8, copy=False)
    return b"".join(np.packbits(column >> plane & 1).tobytes() for plane in range(planes))


def unpacked(data: bytes, count: int, planes: int = 1) -> Bytes:
    """The uint8 array (count,) behind `data`. Raises ValueError if that has another size."""
    if len(data) != packed_size(count, planes):
        raise ValueError(f"{len(data)} bytes, expected {packed_size(count, planes)}")
    raw = np.frombuffer(data, dtype=np.uint8)
    if planes == 1:
        return np.unpackbits(raw, count=count)
    column = np.zeros(count, dtype=np.uint8)
    for plane, bits in enumerate(raw.reshape(planes, -1) if planes else ()):
        column |= np.unpackbits(bits, count=count) << np.uint8(plane)
    return column


def picked(data: bytes, count: int, places: NDArray[np.int64], planes: int = 1) -> Bytes:
    """Some values of a column, without unpacking the rest."""
    raw = np.frombuffer(data, dtype=np.uint8)
    byte, shift = places >> 3, (7 - (places & 7)).astype(np.uint8)
    values = np.zeros(len(places), dtype=np.uint8)
    size = packed_size(count)
    for plane in range(planes):
        values |= (raw[plane * size + byte] >> shift & 1) << np.uint8(plane)
    return values
