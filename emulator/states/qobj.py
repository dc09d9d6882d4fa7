"""QuTiP's objects where users meet them: what they hand in, and what they are handed.

Owns the way from a Qobj to an array and back. Does not own what an operator means.
Rule: QuTiP takes a second to import and no run needs it by itself. So it is imported where a Qobj is asked
for; and nothing can be a Qobj before another module has imported QuTiP.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .pauli import Superoperator, column_strings, qubits_of


@contextmanager
def no_word_of_plots() -> Iterator[None]:
    """QuTiP may be imported in here, and does not say that it cannot plot: nothing of ours does."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="matplotlib not found")
        yield


def is_qobj(value: Any) -> bool:
    """Whether it is a Qobj; imports nothing."""
    kind = getattr(sys.modules.get("qutip"), "Qobj", None)
    return kind is not None and isinstance(value, kind)


def is_superoperator(value: Any) -> bool:
    """Whether it is a Qobj that stands for a map, in any of QuTiP's representations."""
    return is_qobj(value) and bool(value.issuper)


def as_array(value: Any) -> Any:
    """The matrix of a Qobj; anything else as it is."""
    return value.full() if is_qobj(value) else value


def superoperator_array(value: Any) -> NDArray[np.complex128]:
    """The matrix on stacked columns of a Qobj that stands for a map. Raises InputError."""
    from .qutip_import import qutip

    try:
        return np.asarray(qutip.to_super(value).full())
    except Exception as error:  # QuTiP raises whatever its shapes lead to
        raise InputError(f"not a superoperator that QuTiP can read: {error}") from error


def operator(matrix: NDArray[Any]) -> Any:
    """An operator or density matrix, shape (2**n, 2**n), as a Qobj with per-qubit dims."""
    from .qutip_import import qutip

    return qutip.Qobj(matrix, dims=[[2] * qubits_of(matrix.shape[0])] * 2)


def superoperator_of(matrix: Superoperator) -> Any:
    """The superoperator (a Qobj with per-qubit dims) that a Pauli transfer matrix stands for."""
    from .qutip_import import qutip

    qubits = (matrix.shape[0].bit_length() - 1) // 2
    columns = column_strings(qubits)
    dims = [[[2] * qubits] * 2] * 2
    return qutip.Qobj(columns @ matrix @ columns.conj().T / 2**qubits, dims=dims)
