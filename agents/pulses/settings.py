"""What a program says about settings: axes of bases, their shares, and keys of lazy columns.

Owns the step from a program's arguments to what operations carry. Does not own how columns travel (blocks.py,
emulator/wire/).

Rules. Basis b is along axes[b], a Bloch vector; bit 0 is the state along it, bit 1 the opposite one. The
default, Z and X, is never spelled out on the wire.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...emulator.errors import OperationError
from ...emulator.wire import MOST_SETTINGS
from ...emulator.wire.hashed_settings import KEY_BYTES

if TYPE_CHECKING:
    from ..interface import NodeInterface

Axes = list[tuple[float, float, float]]


class Intensity(NamedTuple):
    """A setting of a source.

    Its mean photon number (of a single emitter P(1)), how often it is drawn where the program leaves that to
    the node, and how probable two photons or more are in a pulse.
    """

    mean: float
    probability: float
    several: float


_LETTERS = {"X": (1.0, 0.0, 0.0), "Y": (0.0, 1.0, 0.0), "Z": (0.0, 0.0, 1.0)}
#: What every call measures in and prepares along unless its program says otherwise.
DEFAULT_AXES = "ZX"


def as_axes(axes: str | ArrayLike) -> Axes | None:
    """The axes as unit vectors; None for the default. Raises OperationError for what are none."""
    if isinstance(axes, str) and axes == DEFAULT_AXES:
        return None
    if isinstance(axes, str):
        strange = [letter for letter in axes if letter not in _LETTERS]
        if strange or not axes:
            raise OperationError(
                f"axes: found {axes!r}, expected letters of X, Y and Z, or vectors"
            )
        vectors = np.array([_LETTERS[letter] for letter in axes])
    else:
        vectors = _vectors(axes)
    if not 1 <= len(vectors) <= MOST_SETTINGS:
        raise OperationError(f"axes: found {len(vectors)}, expected 1 to {MOST_SETTINGS}")
    return [(float(x), float(y), float(z)) for x, y, z in vectors]


def _vectors(axes: ArrayLike) -> np.ndarray:
    try:
        vectors = np.asarray(axes, dtype=float)
    except (TypeError, ValueError) as error:
        raise OperationError(f"axes: expected vectors of three numbers: {error}") from error
    if vectors.ndim != 2 or vectors.shape[1] != 3:
        raise OperationError(f"axes: expected an array of shape (k, 3), found {vectors.shape}")
    lengths = np.linalg.norm(vectors, axis=1)
    if not np.all(np.isfinite(lengths) & (lengths > 1e-9)):
        raise OperationError("axes: expected vectors that have a direction")
    directions: np.ndarray = vectors / lengths[:, None]
    return directions


def count_of(axes: Axes | None) -> int:
    """How many bases there are."""
    return len(DEFAULT_AXES) if axes is None else len(axes)


def as_shares(weights: Sequence[float] | None, count: int) -> list[float]:
    """How often each basis is drawn: `weights` over their sum; None: all alike.

    Raises OperationError for weights that do not fit.
    """
    if weights is None:
        return [1 / count] * count
    shares = np.asarray(weights, dtype=float)
    if shares.shape != (count,):
        raise OperationError(f"weights: expected {count}, one for each axis, found {shares.shape}")
    if not np.all(np.isfinite(shares) & (shares >= 0)) or shares.sum() <= 0:
        raise OperationError("weights: expected numbers of at least 0, not all 0")
    return [float(share) for share in shares / shares.sum()]


def as_key(node: NodeInterface, lazy: bool | bytes) -> bytes | None:
    """The key of lazy columns: that one, or one drawn with the node's generator; None: they are explicit.

    Raises OperationError for a key of another size.
    """
    if isinstance(lazy, bytes):
        if len(lazy) != KEY_BYTES:
            raise OperationError(f"lazy: a key of {len(lazy)} bytes, expected {KEY_BYTES}")
        return lazy
    return node.rng.bytes(KEY_BYTES) if lazy else None
