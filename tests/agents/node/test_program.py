"""From a name to a program, and from `with` to its arguments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qnetem import Agent
from qnetem.agents.guards import running_program
from qnetem.agents.node.program import load_program
from qnetem.agents.options.fitting import fit_options
from qnetem.emulator.errors import ProgramError
from qnetem.emulator.program_modules import ProgramModules


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
    with ProgramModules() as run:
        first = load_program("./a.py:A", folder, run)
        assert load_program(f"{folder}/a.py:A", None, run) is first
        assert load_program("./x/../a.py:A", folder, run) is first


def test_two_files_of_one_name_are_two_modules(folder: Path) -> None:
    (folder / "sub").mkdir()
    write(folder / "a.py", PROGRAM)
    write(folder / "sub" / "a.py", PROGRAM)
    assert load_program("a.py:A", folder) is not load_program("sub/a.py:A", folder)


def test_a_file_may_import_its_neighbours(folder: Path) -> None:
    write(folder / "neighbour_of_b.py", "VALUE = 7\n")
    write(folder / "b.py", f"import neighbour_of_b\n{PROGRAM}    value = neighbour_of_b.VALUE\n")
    assert load_program("b.py:A", folder).value == 7  # type: ignore[attr-defined]
    assert "neighbour_of_b" not in sys.modules


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


# --- what runs at import --------------------------------------------------------------------------

#: what is refused at import -> a statement that calls it
REFUSED_AT_IMPORT = {
    "os.fork()": "import os; os.fork()",
    "subprocess.Popen()": "import subprocess; subprocess.run(['true'])",
    "socket.socket()": "import socket; socket.socket()",
    "threading.Thread().start()": "import threading; threading.Thread(target=list).start()",
    "time.sleep()": "from time import sleep; sleep(0)",
    "os.urandom()": "import os; os.urandom(1)",
    "random.random()": "import random; random.random()",
    "random.Random() without a seed": "import random; RNG = random.Random()",
    "a numpy.random generator without a seed": "import numpy; RNG = numpy.random.default_rng()",
    "uuid.uuid4()": "import uuid; ID = uuid.uuid4()",
    "open('/proc/uptime')": "open('/proc/uptime')",
}


@pytest.mark.parametrize("call", REFUSED_AT_IMPORT)
@pytest.mark.parametrize("where", ["program", "helper", "module"])
def test_code_at_import_is_guarded_like_a_step(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, where: str
) -> None:
    bad = write(folder / f"bad_{where}.py", f"# a head\n{REFUSED_AT_IMPORT[call]}\n{PROGRAM}")
    write(folder / "p.py", f"import bad_helper\n{PROGRAM}")
    spec = {"program": "bad_program.py:A", "helper": "p.py:A", "module": "bad_module:A"}[where]
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(ProgramError) as error:
        load_program(spec, folder)
    assert f"Refused: {call} is not possible inside a program" in str(error.value)
    assert str(error.value).endswith(f"({bad}, line 2)")
    assert "bad_module" not in sys.modules


def test_clocks_stand_at_0_at_import(folder: Path) -> None:
    write(folder / "now.py", "import time, datetime\nNOW = datetime.datetime.now().year\n")
    text = f"import time\nfrom now import NOW\n{PROGRAM}    found = time.time_ns(), NOW\n"
    write(folder / "p.py", text)
    assert load_program("p.py:A", folder).found == (0, 1970)  # type: ignore[attr-defined]


def test_a_library_may_do_at_import_what_libraries_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed module asks the machine, seeds a generator, starts a tool; its functions may not later."""
    installed = folder / "site"
    installed.mkdir()
    library = (
        "import os, platform, random, subprocess, uuid\nRNG = random.Random()\n"
        "FOUND = os.getpid(), platform.node(), uuid.getnode()\n"
        "subprocess.run(['true'])\ndef entropy(): return os.urandom(1)\n"
    )
    write(installed / "a_library_of_mine.py", library)
    monkeypatch.setattr(
        running_program, "_LIBRARIES", (*running_program._LIBRARIES, f"{installed}/")
    )
    monkeypatch.syspath_prepend(installed)
    write(folder / "p.py", f"import a_library_of_mine\n{PROGRAM}")
    load_program("p.py:A", folder)
    write(folder / "q.py", f"import a_library_of_mine\na_library_of_mine.entropy()\n{PROGRAM}")
    with pytest.raises(ProgramError, match=r"os\.urandom\(\) is not possible.*q\.py, line 2\)"):
        load_program("q.py:A", folder)
    monkeypatch.delitem(sys.modules, "a_library_of_mine")


def test_scipy_and_qutip_are_imported_by_programs(folder: Path) -> None:
    """In a fresh process, so that they are executed."""
    lines = "import scipy.stats, scipy.optimize, qutip, multiprocessing, tempfile"
    write(folder / "p.py", f"{lines}\n{PROGRAM}")
    code = f"from qnetem.agents.node.program import load_program; load_program({str(folder / 'p.py:A')!r})"
    subprocess.run([sys.executable, "-c", code], check=True)


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
