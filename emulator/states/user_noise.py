"""Noise that users write themselves: a function in a file or module, compiled once.

Owns finding the function, telling apart what it may return, and saying what is wrong with it. Does not
own what a channel is (noise.py) nor where it acts.

A function takes no arguments and returns one of
- a list of Kraus operators,
- a superoperator (a Qobj of type `super` in any of QuTiP's representations, or an array (4**k, 4**k)),
- a pair (collapse operators, rates in Hz), which acts for a duration that the caller knows.
A link takes all of them: what it does, it does once a passage. A memory stores for any time, so that it
takes the last alone: of a map that acts once it is not known how often it has acted by then.

Rule: the map that comes back is completely positive, trace preserving, and on as many qubits as asked
for; so is every map of a generator that comes back. A file is run as part of this process, once a call:
a topology that names it trusts it. It imports its neighbours as a program does (program_modules.py).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from numbers import Real
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import InputError
from ..program_modules import ProgramModules, plainly
from . import noise
from .pauli import Superoperator
from .qobj import is_qobj, is_superoperator, no_word_of_plots, superoperator_array

_EXPECTED = (
    "expected a list of Kraus operators, a superoperator, or (collapse operators, rates in Hz)"
)
_SPEC = re.compile(r"(?P<where>.+\.py|[A-Za-z_][A-Za-z0-9_.]*):(?P<name>[A-Za-z_][A-Za-z0-9_]*)")


def load_noise(
    spec: str, base: Path | None = None, qubits: int = 1, duration_ns: float | None = None
) -> Superoperator:
    """The map of the function `spec`, "./file.py:function" or "module:function".

    A relative file is looked for from the folder `base` (None: the working directory). `duration_ns`
    is how long collapse operators act. The answer is read-only, of shape (4**qubits, 4**qubits). Raises
    InputError, with the reason, for whatever does not become such a map.
    """
    return _made(spec, base, qubits, lambda value: _compiled(value, qubits, duration_ns))


def load_generator(spec: str, base: Path | None = None, qubits: int = 1) -> Superoperator:
    """The generator (see noise.py) of what `spec` returns: (collapse operators, rates in Hz).

    Arguments and errors as for `load_noise`; what acts once, Kraus operators or a superoperator, is
    refused.
    """
    return _made(spec, base, qubits, _generator)


def _made(
    spec: str, base: Path | None, qubits: int, compiled: Callable[[Any], Superoperator]
) -> Superoperator:
    """What comes of the function's answer, on that many qubits."""
    with no_word_of_plots(), ProgramModules() as modules:
        function = _function(spec, base, modules)
        try:
            returned = function()
        except Exception as error:  # the user's function may raise anything
            problem = plainly(f"{type(error).__name__}: {error}")
            raise InputError(f"noise {spec}: the function raised {problem}") from error
    try:
        superoperator = compiled(returned)
    except InputError as error:
        raise InputError(f"noise {spec}: {error}") from error
    if superoperator.shape[0] != 4**qubits:
        found = (superoperator.shape[0].bit_length() - 1) // 2
        raise InputError(f"noise {spec}: acts on {found} qubits, expected {qubits}")
    return superoperator


def _generator(returned: Any) -> Superoperator:
    if not _is_lindblad(returned):
        raise InputError(
            f"the function returned {_shown(returned)}; a memory stores for any time, which Kraus "
            "operators and superoperators say nothing about: expected (collapse operators, rates in Hz)"
        )
    return noise.collapse_generator(*_lindblad(returned))


def _compiled(returned: Any, qubits: int, duration_ns: float | None) -> Superoperator:
    if _is_lindblad(returned):
        if duration_ns is None:
            raise InputError(
                "collapse operators with rates need a duration, and there is none here: expected "
                "Kraus operators or a superoperator"
            )
        return noise.from_collapse(*_lindblad(returned), duration_ns)
    if is_superoperator(returned):
        return noise.from_superoperator(superoperator_array(returned))
    if isinstance(returned, (list, tuple)):
        return noise.from_kraus(list(returned))
    shape = getattr(returned, "shape", None)
    if shape == (4**qubits, 4**qubits):
        return noise.from_superoperator(returned)
    if shape == (2**qubits, 2**qubits):
        return noise.from_kraus([returned])
    raise InputError(f"the function returned {_shown(returned)}; {_EXPECTED}")


def _is_lindblad(returned: Any) -> bool:
    return isinstance(returned, tuple) and len(returned) == 2 and _is_rates(returned[1])


def _lindblad(returned: tuple[Any, Any]) -> tuple[list[Any], list[float]]:
    operators, rates = returned
    listed = [operators] if is_qobj(operators) else list(operators)
    return listed, [float(rate) for rate in rates]


def _is_rates(value: Any) -> bool:
    """Whether these are numbers, one a collapse operator."""
    if not isinstance(value, Sequence) and not hasattr(value, "tolist"):
        return False
    if isinstance(value, (str, bytes)) or is_qobj(value) or getattr(value, "ndim", 1) != 1:
        return False
    return len(value) > 0 and all(isinstance(rate, Real) for rate in value)


def _shown(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" + ("" if shape is None else f" of shape {shape}")


def _function(spec: str, base: Path | None, modules: ProgramModules) -> Callable[[], Any]:
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise InputError(f"expected './file.py:function' or 'module:function', found {spec!r}")
    where, name = match["where"], match["name"]
    try:
        if where.endswith(".py"):
            module = _run(Path(base or ".") / where, modules)
        else:
            module = _imported(where)
    except InputError as error:
        raise InputError(f"noise {spec}: {error}") from error
    function = getattr(module, name, None)
    if function is None:
        raise InputError(f"noise {spec}: there is no {name} in {where}")
    if not callable(function):
        raise InputError(f"noise {spec}: {name} is {_shown(function)}, expected a function")
    return function  # type: ignore[no-any-return]


def _run(path: Path, modules: ProgramModules) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    try:
        return modules.load(path)
    except Exception as error:  # a user's file may raise anything
        problem = plainly(f"{type(error).__name__}: {error}")
        raise InputError(f"it cannot be run: {problem}") from error


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # a user's module may raise anything
        raise InputError(f"it cannot be imported: {type(error).__name__}: {error}") from error
