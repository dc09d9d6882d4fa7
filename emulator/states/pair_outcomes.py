"""Outcomes of measurements on many pairs at once, as arrays.

Owns the arithmetic from pairs' states to outcomes at both ends. Does not own the states (the engines have one
object for each), nor where they come from.

A pair is its table R[i, j] = tr(rho s_i x s_j) over the Pauli matrices, so that a map on one half is a matrix
product. Along unit vectors a and b the outcomes x, y have

    P(x, y) = [1 + (-1)^x A + (-1)^y B + (-1)^(x+y) C]/4,   A = a.R[1:, 0], B = R[0, 1:].b, C = a.R[1:, 1:].b

Rule: A does not depend on b, so the first end's outcome is drawn without the second's axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..wire.bit_planes import read_only
from .pauli import PAULIS, Superoperator

Table = NDArray[np.float64]
Bits = NDArray[np.uint8]
_PRODUCTS = read_only(np.array([[np.kron(first, second) for second in PAULIS] for first in PAULIS]))


def table_of(density: NDArray[Any]) -> Table:
    """The table of a pair from its density matrix, shape (4, 4)."""
    found: Table = np.einsum("ijkl,lk->ij", _PRODUCTS, density).real
    return found


def mapped(tables: Table, first: Superoperator | None, second: Superoperator | None) -> Table:
    """Tables, shape (..., 4, 4), after maps on the halves, which are (4, 4) or one for each table."""
    if first is not None:
        tables = first @ tables
    if second is not None:
        tables = tables @ np.swapaxes(second, -1, -2)
    return tables


def drawn(
    tables: Table, first_axes: Table, second_axes: Table, u: Table, v: Table
) -> tuple[Bits, Bits]:
    """Outcomes of n pairs along axes, shape (n, 3): the first ends' by the numbers `u`, the others' by `v`.

    `tables`: one for all pairs, or n of them. Numbers are in [0, 1).
    """
    tables = np.broadcast_to(tables, (len(u), 4, 4))
    alone = np.einsum("ni,ni->n", first_axes, tables[:, 1:, 0])
    other = np.einsum("nj,nj->n", tables[:, 0, 1:], second_axes)
    both = np.einsum("ni,nij,nj->n", first_axes, tables[:, 1:, 1:], second_axes)
    first = (u >= (1 + alone) / 2).astype(np.uint8)
    sign = 1.0 - 2.0 * first
    marginal = 1 + sign * alone
    second = (v * 2 * marginal >= marginal + other + sign * both).astype(np.uint8)
    return first, second
