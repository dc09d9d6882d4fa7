"""What docs/programs.md says of options, probes and comparisons is true, word for word."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import qnetem
from qnetem import Agent
from qnetem.agents.node.program import load_program
from qnetem.agents.options.fitting import fit_options
from qnetem.emulator.closed_forms.limits import werner_chsh

PAGE = (Path(__file__).parent.parent / "docs" / "programs.md").read_text(encoding="utf-8")
PROGRAM = """
import collections, enum, typing
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType, TypedDict
import msgspec, numpy as np, pydantic
from numpy.typing import NDArray
from qnetem import Agent, Nanoseconds, Seconds

class Basis(enum.Enum):
    X = "X"

@dataclass
class Plan:
    rounds: int

class Plans(msgspec.Struct):
    rounds: int
    rest: float = 0.5

class Keys(TypedDict):
    rounds: int

class Tuple(NamedTuple):
    rounds: int

class Model(pydantic.BaseModel):
    rounds: int

Rounds = NewType("Rounds", int)

class Alice(Agent):
    async def run(self, it: ANNOTATION): ...
"""


def rows(section: str, columns: int) -> list[list[str]]:
    """The rows of a section's first table."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in cells[2:] if len(row) == columns and not row[0].startswith("---")]


#: Of each row of the page's table: (annotation, value in the file, what the program gets).
CASES: dict[str, list[tuple[str, Any, Any]]] = {
    "`int`, `float`, `str`, `bool`": [
        ("int", 3, 3), ("float", 0.5, 0.5), ("float", 3, 3.0), ("str", "bob", "bob"), ("bool", True, True),
    ],
    "`qnetem.Seconds`": [("Seconds", "3 ms", 0.003)],
    "`qnetem.Nanoseconds`": [("Nanoseconds", "3 ms", 3_000_000)],
    "`pathlib.Path`": [("Path", "./table.csv", Path("/net/table.csv"))],
    '`Literal["X", "Z"]`, an enum (by value)': [
        ('Literal["X", "Z"]', "X", "X"), ("Basis", "X", "Basis.X"),
    ],
    "`datetime`, `date`, `time`, `timedelta`": [
        ("date", "2026-01-31", "2026-01-31"), ("timedelta", "PT3S", "0:00:03"),
        ("datetime", "2026-01-31T10:00:00", "2026-01-31 10:00:00"), ("time", "10:00:00", "10:00:00"),
    ],
    "`complex`": [("complex", "1+2j", 1 + 2j)],
    "`list[T]`, `tuple[A, B]`, `tuple[T, ...]`, `set[T]`, `deque[T]`, `Sequence[T]`": [
        ("list[int]", [1, 2], [1, 2]), ("tuple[int, float]", [1, 2], (1, 2.0)), ("set[int]", [1, 2], {1, 2}),
        ("tuple[int, ...]", [1, 2], (1, 2)), ("Sequence[int]", [1, 2], [1, 2]),
        ("deque[int]", [1, 2], "deque([1, 2])"),
    ],
    "`dict[str, T]`, `dict[int, T]`, `Mapping[K, V]`": [
        ("dict[str, int]", {"a": 1}, {"a": 1}), ("dict[int, int]", {"3": 1}, {3: 1}),
        ("Mapping[str, int]", {"a": 1}, {"a": 1}),
    ],
    "dataclass, `msgspec.Struct`, `TypedDict`, `NamedTuple`, attrs class": [
        ("Plan", {"rounds": 3}, "Plan(rounds=3)"), ("Plans", {"rounds": 3}, "Plans(rounds=3, rest=0.5)"),
        ("Keys", {"rounds": 3}, {"rounds": 3}), ("Tuple", {"rounds": 3}, (3,)),
    ],
    "pydantic model": [("Model", {"rounds": 3}, "rounds=3")],
    "numpy array or scalar, `NDArray[np.float64]`": [
        ("NDArray[np.float64]", [0.5, 1], "[0.5 1. ]"), ("np.int64", 3, 3),
    ],
    "`X \\| None`, `A \\| B`": [("int | None", None, None), ("int | str", "3", "3")],
    "`Annotated[int, msgspec.Meta(ge=1)]`, `NewType`, type variables": [
        ("Annotated[int, msgspec.Meta(ge=1)]", 1, 1), ("Rounds", 2, 2),
    ],
    "none, `Any`": [("Any", {"a": [1]}, {"a": [1]})],
}  # fmt: skip


def test_every_kind_of_annotation_on_the_page_is_tried() -> None:
    assert [row[0] for row in rows("Options", 3)] == list(CASES)


@pytest.mark.parametrize("row", CASES)
def test_an_option_is_what_the_page_says(row: str, tmp_path: Path) -> None:
    for at, (annotation, given, expected) in enumerate(CASES[row]):
        (tmp_path / f"p{at}.py").write_text(PROGRAM.replace("ANNOTATION", annotation))
        program = load_program(f"./p{at}.py:Alice", tmp_path)
        found = fit_options(program, {"it": given}, "/net")["it"]
        assert str(found) == str(expected) or found == expected, annotation


def test_every_probe_on_the_page_is_a_call_that_can_be_read() -> None:
    calls = [row[0].strip("`") for row in rows("The record", 2)]
    assert len(calls) == 6
    for call in calls:
        tree = ast.parse(f"async def run(self):\n    {call}")
        assert "self.probe(" in ast.unparse(tree)


def test_the_bell_test_of_the_page_finds_what_theory_says(tmp_path: Path) -> None:
    section = PAGE.partition("\n## Measure and compare\n")[2].partition("\n## ")[0]
    bell, party = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (expected,) = re.findall(r'`(bob\.chsh\.a\.b): "([^"]*)"`', section)
    (tmp_path / "bell.py").write_text(bell)
    (tmp_path / "party.py").write_text(party)
    assert issubclass(load_program("./party.py:Party", tmp_path), Agent)
    file = tmp_path / "bell.yaml"
    file.write_text(f"""
name: bell
seed: 7
nodes:
  alice: {{program: "./bell.py:Bell", with: {{peer: bob}}}}
  bob: {{program: "./bell.py:Bell", with: {{peer: alice}}}}
links:
  - {{between: [alice, bob], quantum: {{entangle: {{success: 1, fidelity: 0.95, attempt: 1 us}}}}}}
expect:
  {expected[0]}: "{expected[1]}"
""")
    run = qnetem.run(file, in_process=True, runs_folder=tmp_path / "runs")
    run.assert_ok()
    found = run.results["alice"]["S"]
    assert abs(found["value"] - werner_chsh(0.95)) < 4 * found["error"]
    assert run.results["alice"] == run.results["bob"]


def test_a_file_that_an_option_names_is_part_of_what_a_replay_compares(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("1,2\n")
    (tmp_path / "reads.py").write_text(
        "from pathlib import Path\nfrom qnetem import Agent\n"
        "class Reads(Agent):\n    async def run(self, plan: dict[str, list[Path]], peer: str):\n"
        "        return plan['tables'][0].read_text()\n"
    )
    (tmp_path / "bob").write_text("not an option")
    file = tmp_path / "reads.yaml"
    file.write_text(
        'name: reads\nnodes:\n  alice: {program: "./reads.py:Reads",'
        " with: {plan: {tables: [./table.csv]}, peer: bob}}\n"
    )
    run = qnetem.run(file, in_process=True, runs_folder=tmp_path / "runs")
    assert run.results["alice"] == "1,2\n"
    from qnetem.compare.replay import changed_since
    from qnetem.runs.recorded import open_run

    recorded = open_run(run.run_folder)
    assert set(recorded.programs) == {str(tmp_path / name) for name in ("reads.py", "table.csv")}
    assert not changed_since(recorded)
    (tmp_path / "table.csv").write_text("1,3\n")
    (changed,) = changed_since(recorded)
    assert "table.csv" in str(changed)
