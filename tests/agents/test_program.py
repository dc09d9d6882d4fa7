"""From a name to a program, and from `with` to its arguments."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qnetem import Agent
from qnetem.agents.options import fit_options
from qnetem.agents.program import load_program
from qnetem.emulator.errors import ProgramError


class Settings(msgspec.Struct):
    rounds: int
    bases: list[str] = []


class Takes(Agent):
    async def run(self, rounds: int, peer: str = "bob", settings: Settings | None = None) -> None:
        """Annotated."""


class TakesAnything(Agent):
    async def run(self, first, **rest: Any) -> None:  # type: ignore[no-untyped-def]
        """Partly annotated."""


class Ill(Agent):
    async def run(self, x: NoSuchType) -> None:  # type: ignore[name-defined]  # noqa: F821
        """An annotation that is not there."""


class Synchronous(Agent):
    def run(self) -> None:  # type: ignore[override]
        """Not a coroutine function."""


class NotAnAgent:
    async def run(self) -> None:
        """No Agent."""


HERE = __name__


def test_a_module_and_a_class_are_found() -> None:
    assert load_program(f"{HERE}:Takes") is Takes


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("Takes", 'expected "module:Class"'),
        (f"{HERE}:", 'expected "module:Class"'),
        (f"{HERE}:Taks", "has no 'Taks'.*'Takes'"),
        (f"{HERE}:NotAnAgent", "not a subclass of qnetem.Agent"),
        (f"{HERE}:Agent", "not a subclass"),
        (f"{HERE}:HERE", "not a subclass"),
        (f"{HERE}:Synchronous", "run must be `async def`"),
        ("no.such.module:Class", "No module named 'no'"),
        ("./none.py:Class", "there is no file .*none.py"),
    ],
)
def test_what_is_no_program_is_refused_and_named(spec: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=why):
        load_program(spec, tmp_path)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


PROGRAM = "from qnetem import Agent\nclass A(Agent):\n    async def run(self): return 1\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", sys.path[:])
    return tmp_path


def test_a_file_is_imported_once_relative_to_its_base(folder: Path) -> None:
    write(folder / "a.py", PROGRAM)
    first = load_program("./a.py:A", folder)
    assert load_program(f"{folder}/a.py:A") is first
    assert load_program("./x/../a.py:A", folder) is first


def test_two_files_of_one_name_are_two_modules(folder: Path) -> None:
    (folder / "sub").mkdir()
    write(folder / "a.py", PROGRAM)
    write(folder / "sub" / "a.py", PROGRAM)
    assert load_program("a.py:A", folder) is not load_program("sub/a.py:A", folder)


def test_a_file_may_import_its_neighbours(folder: Path) -> None:
    write(folder / "neighbour_of_b.py", "VALUE = 7\n")
    write(folder / "b.py", f"import neighbour_of_b\n{PROGRAM}    value = neighbour_of_b.VALUE\n")
    assert load_program("b.py:A", folder).value == 7  # type: ignore[attr-defined]
    del sys.modules["neighbour_of_b"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import no_such_thing\n", "No module named 'no_such_thing'"),
        ("1/0\n", "ZeroDivisionError"),
        ("def broken(:\n", "SyntaxError"),
        ("raise SystemExit(3)\n", "SystemExit"),
    ],
)
def test_a_file_that_cannot_be_imported_says_why_and_can_be_mended(
    folder: Path, text: str, why: str
) -> None:
    path = write(folder / "broken.py", text)
    with pytest.raises(ProgramError, match=why):
        load_program("broken.py:A", folder)
    write(path, PROGRAM)
    assert load_program("broken.py:A", folder).__name__ == "A"


def test_options_are_converted_by_their_annotations() -> None:
    given = {"rounds": 3, "settings": {"rounds": 1, "bases": ["X"]}}
    assert fit_options(Takes, given) == {"rounds": 3, "settings": Settings(1, ["X"])}


def test_options_without_annotation_go_as_they_are() -> None:
    given = {"first": [1], "more": {"a": None}}
    assert fit_options(TakesAnything, given) == given


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, r"Takes.run\(\) needs 'rounds'"),
        ({"rounds": 1, "round": 2}, "takes no 'round'"),
        ({"rounds": "3"}, r"run\(rounds: int\) does not take '3'.*Expected `int`"),
        ({"rounds": 1, "settings": {"bases": []}}, "settings.*'rounds' is missing"),
        ({"rounds": 1, "settings": {"rounds": 1, "bases": [1]}}, r"settings.bases\[0\]"),
    ],
)
def test_a_with_that_does_not_fit_is_refused_and_named(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ProgramError, match=why):
        fit_options(Takes, options)


def test_an_annotation_that_is_not_there_is_named() -> None:
    with pytest.raises(ProgramError, match=r"annotations of Ill.run\(\).*NoSuchType"):
        fit_options(Ill, {"x": 1})
