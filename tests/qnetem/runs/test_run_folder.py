"""The files of a run folder have one owner of their names; and which run a name means."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import qnetem
from qnetem.emulator.errors import InputError
from qnetem.runs.run_folder import RunFolder, find_run

HOUSE = Path(qnetem.__file__).parent


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for age, name in enumerate(("metro-2", "metro-1", "lab-1")):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text("{}")
        os.utime(folder / "run.json", (1000 + age, 1000 + age))
    (tmp_path / "runs" / "other").mkdir()
    return tmp_path / "runs"


def test_a_run_is_found_by_folder_by_name_and_as_the_latest(runs: Path) -> None:
    assert find_run(str(runs / "metro-1")) == runs / "metro-1"
    assert find_run("metro-1", runs) == runs / "metro-1"
    assert find_run("latest", runs) == runs / "lab-1"


def test_the_error_for_an_unknown_run_names_the_nearest(runs: Path) -> None:
    with pytest.raises(InputError, match=r"there is no run 'metro-3' here or in .*did you mean"):
        find_run("metro-3", runs)
    with pytest.raises(InputError, match=r"other is not the folder of a run: it has no run\.json"):
        find_run(str(runs / "other"), runs)
    with pytest.raises(InputError, match="there is no run in "):
        find_run("latest", runs / "nothing")


def test_only_run_folder_names_the_files_of_a_run() -> None:
    folder = RunFolder(Path("run"))
    names = [path.name for path in paths(folder) if path.suffix]
    names.append(folder.record("alice", 1).suffix)
    assert len(names) > 8
    for path in sorted(HOUSE.rglob("*.py")):
        if path.name == "run_folder.py":
            continue
        for text in literals(ast.parse(path.read_text(encoding="utf-8"))):
            assert not any(name in text for name in names), f"{path}: {text!r}"


def paths(folder: RunFolder) -> Iterator[Path]:
    """All paths that are properties of a run folder."""
    for name, value in vars(RunFolder).items():
        if isinstance(value, property) and isinstance(path := getattr(folder, name), Path):
            yield path


def literals(tree: ast.AST) -> Iterator[str]:
    """The texts of a module without its docstrings."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in docstrings:
            yield node.value
