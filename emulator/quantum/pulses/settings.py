"""Settings of an operation on a train, as they come from a node: axes of its bases, and lazy columns.

Owns their limits, and how many bases there are. Does not own columns as bit planes (sending.py, reception.py)
or the hash (wire/hashed_settings.py).
"""

from __future__ import annotations

import math

from ...errors import OperationError
from ...wire import MOST_SETTINGS, LazySettings
from ...wire.hashed_settings import KEY_BYTES
from ...wire.operations import Axis

#: Z and X.
_DEFAULT = 2


def bases_of(axes: list[Axis] | None) -> int:
    """How many bases an operation chooses from."""
    return _DEFAULT if axes is None else len(axes)


def check_axes(axes: list[Axis] | None) -> None:
    """Raises OperationError for axes that are no unit vectors, or too many."""
    if axes is None:
        return
    if not 1 <= len(axes) <= MOST_SETTINGS:
        raise OperationError(why=f"{len(axes)} axes, expected 1 to {MOST_SETTINGS}")
    for axis in axes:
        if not abs(math.hypot(*axis) - 1) <= 1e-9:
            raise OperationError(why=f"axis {axis}, expected a vector of length 1")


def check_lazy(lazy: LazySettings, bases: int, intensities: int | None = None) -> None:
    """Raises OperationError for a key or shares that do not fit; `intensities` None: a receiver's."""
    if len(lazy.key) != KEY_BYTES:
        raise OperationError(why=f"a key of {len(lazy.key)} bytes, expected {KEY_BYTES}")
    check_shares("bases", lazy.bases, bases)
    if intensities is not None:
        check_shares("bits", lazy.bits, 2)
        check_shares("intensities", lazy.intensities, intensities)


def check_shares(name: str, shares: list[float], count: int) -> None:
    """Raises OperationError for shares that are not `count` numbers from 0 with the sum 1."""
    if len(shares) != count:
        raise OperationError(why=f"{len(shares)} shares of {name}, expected {count}")
    if not (all(share >= 0 for share in shares) and abs(sum(shares) - 1) <= 1e-9):
        raise OperationError(why=f"shares of {name}: expected numbers from 0 that sum to 1")
