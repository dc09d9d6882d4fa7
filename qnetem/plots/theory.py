"""A closed form along x: what `expect:` could say of the topology with each value of x in it.

Owns which topology that is, and the values. Does not own the closed forms (expect/).

A formula may name the links of the topology (`qber_of(pair('alice-bob'))`): then the topology is loaded for
each x, with the other overrides of the series. In it, `x` is the number along the x axis.
"""

from __future__ import annotations

import ast
import shlex
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from ..emulator.errors import InputError
from ..emulator.loading import Topology, load_topology, parse_topology
from ..emulator.topology.written.overrides import override_of_text
from ..expect.expressions import evaluate
from ..expect.predictions import functions
from .points import Series

_X = "x"
#: What a formula without a topology is read with.
_ALONE = "name: none\nnodes: {none: }\n"


class Theory:
    """A formula for one series. `file`: the topology; None: the one that made the series' runs."""

    def __init__(
        self, formula: str, x: str, unit: str, series: Series, file: Path | None, folder: Path
    ) -> None:
        self._formula, self._x, self._unit = formula, x, unit
        self._file, self._sets = _origin(series.command, x)
        if file is not None:
            self._file = file
        elif self._file is not None and not self._file.is_file():
            beside = folder / self._file
            self._file = beside if beside.is_file() else None

    def value(self, x: float) -> float:
        """The formula's value. Raises InputError."""
        known = functions(self._topology(f"{x:.12g} {self._unit}".strip()))
        try:
            value = evaluate(_with_number(self._formula, x), known)
        except InputError as error:
            hint = "" if self._file else "; name the topology with --file"
            raise InputError(f"theory {self._formula!r}: {error}{hint}") from error
        if not isinstance(value, float):
            raise InputError(f"theory {self._formula!r} is {value!r}, not a number")
        return value

    def curve(self, xs: Sequence[float]) -> list[float]:
        """Its values at these numbers."""
        return [self.value(x) for x in xs]

    def _topology(self, text: str) -> Topology:
        if self._file is None:
            return parse_topology(_ALONE)
        sets = [*self._sets, f"{self._x}={text}"]
        return load_topology(self._file, overrides=[override_of_text(each) for each in sets])


def _origin(command: str, x: str) -> tuple[Path | None, list[str]]:
    """The topology and the other overrides in the command that repeats a run."""
    words = shlex.split(command)
    if words[:2] != ["qnetem", "run"] or len(words) < 3:
        return None, []
    sets = [word for before, word in pairwise(words) if before == "--set"]
    return Path(words[2]), [each for each in sets if not each.startswith(f"{x}=")]


def _with_number(formula: str, x: float) -> str:
    """The formula with the number in place of `x`. What cannot be read is left to `evaluate`."""
    try:
        tree = ast.parse(formula.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return formula
    return ast.unparse(_Number(x).visit(tree))


class _Number(ast.NodeTransformer):
    def __init__(self, x: float) -> None:
        self._x = x

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(self._x) if node.id == _X else node
