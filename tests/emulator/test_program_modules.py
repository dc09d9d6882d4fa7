"""What `import` in a program means: its own folder first, whatever else there is, and for one run only."""

from __future__ import annotations

import pickle
import sys
import threading
import typing
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from qnetem.emulator import program_modules
from qnetem.emulator.program_modules import ProgramModules, compile_ahead, plainly


class Folder:
    """Files, and what comes of importing them in one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.modules = ProgramModules()

    def write(self, **files: str) -> None:
        """`pkg__sub="..."` is pkg/sub.py."""
        for name, text in files.items():
            path = self.path / (name.replace("__", "/").replace("/init", "/__init__") + ".py")
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(text)

    def load(self, name: str = "p") -> ModuleType:
        return self.modules.load((self.path / f"{name}.py").resolve())


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    before = set(sys.modules), sys.path[:]
    here = Folder(tmp_path)
    yield here
    here.modules.close()
    assert {name for name in sys.modules if name.startswith("qnetem_programs")} <= before[0]
    assert sys.path == before[1]


# --- which module a name is -----------------------------------------------------------------------

#: the program's text -> what its `found` must be; the folder has all of FILES.
FILES = {
    "helper": "WHO = 'mine'\ndef late():\n    import other\n    return other.WHO\n",
    "other": "WHO = 'other'\n",
    "queue": "WHO = 'mine'\n",
    "time": "WHO = 'mine'\n",
    "agents": "WHO = 'mine'\n",
    "numpy": "WHO = 'mine'\n",
    "qnetem": "WHO = 'mine'\n",
    "sys": "WHO = 'mine'\n",
    "pkg__init": "from . import inner\nWHO = inner.WHO\n",
    "pkg__inner": "from .deep.leaf import WHO\n",
    "pkg__deep__leaf": "import helper\nWHO = helper.WHO\n",
    "json__data": "",
    "bare__leaf": "WHO = 'mine'\n",
}
MEANINGS: dict[str, tuple[str, object]] = {
    "import": ("import helper; found = helper.WHO", "mine"),
    "import as": ("import helper as h; found = h.WHO", "mine"),
    "from": ("from helper import WHO as found", "mine"),
    "star": ("from helper import *; found = WHO", "mine"),
    "standard library": ("import queue; found = queue.WHO", "mine"),
    "built into the interpreter": ("import time; found = time.WHO", "mine"),
    "our folder in a checkout": ("import agents; found = agents.WHO", "mine"),
    "installed": ("import numpy; found = numpy.WHO", "mine"),
    "never qnetem": ("from qnetem import Agent; found = Agent.__name__", "Agent"),
    "never sys": ("import sys; found = 'modules' in vars(sys)", True),
    "package": ("import pkg; found = pkg.WHO", "mine"),
    "dotted": ("import pkg.deep.leaf; found = pkg.deep.leaf.WHO", "mine"),
    "dotted as": ("import pkg.deep.leaf as leaf; found = leaf.WHO", "mine"),
    "from a package": ("from pkg import inner; found = inner.WHO", "mine"),
    "from a folder": ("from bare import leaf; found = leaf.WHO", "mine"),
    "a folder hides no module": ("import json; found = json.loads('1')", 1),
    "relative": ("from .helper import WHO as found", "mine"),
    "a neighbour's, later": ("from helper import late; found = late()", "other"),
    "in a function": ("def f():\n    import helper\n    return helper.WHO\nfound = f()", "mine"),
    "in a class": ("class C:\n    import helper\nfound = C.helper.WHO", "mine"),
    "__import__": ("found = __import__('helper').WHO", "mine"),
    "__import__ dotted": ("found = __import__('pkg.inner').WHO", "mine"),
    "exec": ("space = {}\nexec('import helper', space)\nfound = space['helper'].WHO", "mine"),
    "import_module": ("import importlib; found = importlib.import_module('helper').WHO", "mine"),
    "import_module, imported": (
        "from importlib import import_module\nfound = import_module('pkg.inner').WHO",
        "mine",
    ),
    "find_spec": (
        "import importlib.util\nfound = importlib.util.find_spec('helper').origin[-9:]",
        "helper.py",
    ),
    "the library's own": ("import queue, logging.handlers\nfound = logging.handlers.queue", None),
    "once": ("import helper as a\nfrom helper import late as b\nfound = a.late is b", True),
    "the program itself": ("import p\nfound = p.__name__ == __name__", True),
}


@pytest.mark.parametrize("meaning", MEANINGS)
def test_a_name_is_of_the_programs_folder_first(folder: Folder, meaning: str) -> None:
    text, expected = MEANINGS[meaning]
    folder.write(**FILES, p=text)
    found = folder.load().found
    assert getattr(found, "Empty", None) if expected is None else found == expected


def test_what_is_elsewhere_means_what_it_did(folder: Folder) -> None:
    folder.write(**FILES, p="import queue, numpy, time, agents")
    folder.load()
    import queue
    import time

    import numpy

    assert hasattr(queue, "Queue")
    assert hasattr(numpy, "ndarray")
    assert hasattr(time, "monotonic")


def test_the_working_directory_means_nothing(
    folder: Folder, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = Folder(tmp_path_factory.mktemp("elsewhere"))
    elsewhere.write(helper="WHO = 'elsewhere'", queue="1/0")
    monkeypatch.chdir(elsewhere.path)
    monkeypatch.syspath_prepend(elsewhere.path)
    folder.write(helper="WHO = 'mine'", p="import helper, queue\nfound = helper.WHO")
    assert folder.load().found == "mine"


# --- which modules there are ----------------------------------------------------------------------


def test_two_folders_are_apart(folder: Folder) -> None:
    program = "import helper\nfrom helper import *\nfound = helper.WHO"
    folder.write(a__helper="WHO = 'a'", a__p=program, b__helper="WHO = 'b'", b__p=program)
    assert [folder.load("a/p").found, folder.load("b/p").found] == ["a", "b"]


def test_a_file_is_one_module_by_whatever_path(folder: Folder) -> None:
    folder.write(p="found = object()", user="import p\nfound = p.found")
    (folder.path / "link.py").symlink_to(folder.path / "p.py")
    (folder.path / "sub").symlink_to(folder.path)
    first = folder.load()
    assert folder.load("link") is first
    assert folder.load("sub/p") is first
    assert folder.load("user").found is first.found


@pytest.mark.parametrize("name", ["my-program", "2nd", "with space", "a.b", "class"])
def test_a_program_may_have_a_name_that_no_import_can_say(folder: Folder, name: str) -> None:
    (folder.path / f"{name}.py").write_text("import helper\nfound = helper.WHO")
    folder.write(helper="WHO = 'mine'")
    assert folder.load(name).found == "mine"
    assert folder.load(name) is folder.load(name)


def test_a_program_beside_a_package_of_its_name(folder: Folder) -> None:
    folder.write(p="import p\nfound = p.WHO", p__init="WHO = 'package'")
    assert folder.load().found == "package"


def test_circular_imports_are_those_of_any_package(folder: Folder) -> None:
    folder.write(
        p="import one\nfound = one.both()",
        one="import two\nWHO = 1\ndef both(): return WHO, two.both()",
        two="import one\ndef both(): return one.WHO",
    )
    assert folder.load().found == (1, 1)


def test_what_looks_a_class_up_by_its_module_finds_it(folder: Folder) -> None:
    text = """
from __future__ import annotations
import pickle, enum
from dataclasses import dataclass
from typing import ClassVar, get_type_hints
import msgspec

class Colour(enum.Enum):
    RED = 1

@dataclass
class Point:
    x: int
    kind: ClassVar[int] = 2

class Struct(msgspec.Struct):
    inner: Point

def round_trip(value):
    return pickle.loads(pickle.dumps(value))
"""
    folder.write(helper=text, p="import helper\nfrom helper import Point")
    helper = folder.load().helper
    assert helper.round_trip(helper.Point(1)) == helper.Point(1)
    assert helper.round_trip(helper.Colour.RED) is helper.Colour.RED
    assert typing.get_type_hints(helper.Struct)["inner"] is helper.Point
    assert helper.Point.__module__ in sys.modules
    assert pickle.loads(pickle.dumps(helper.Point(3))).x == 3


def test_a_helper_that_fails_names_itself_and_can_be_mended(folder: Folder) -> None:
    folder.write(p="import helper\nfound = helper.WHO", helper="def broken(:\n")
    with pytest.raises(SyntaxError) as error:
        folder.load()
    assert (error.value.filename, error.value.lineno) == (f"{folder.path}/helper.py", 1)
    folder.write(helper="WHO = 'mended'\n")
    assert folder.load().found == "mended"


def test_an_error_says_the_name_that_the_author_wrote(folder: Folder) -> None:
    folder.write(p="from helper import nothing", helper="")
    with pytest.raises(ImportError) as error:
        folder.load()
    assert plainly(str(error.value)).startswith("cannot import name 'nothing' from 'helper'")


# --- runs -----------------------------------------------------------------------------------------


def test_each_run_imports_helpers_anew(folder: Folder) -> None:
    folder.write(p="import helper\nhelper.COUNT.append(1)", helper="COUNT = []")
    names = []
    for _ in range(2):
        with ProgramModules() as modules:
            module = modules.load(folder.path / "p.py")
            assert module.helper.COUNT == [1]
            names.append(module.helper.__name__)
    assert names[0] == names[1]


def test_a_constant_set_has_one_order_whether_or_not_there_was_a_run_before(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    # Read from a .pyc, a set is made in another order than from the source; names that collide show it.
    names = ", ".join(repr(f"name{number}") for number in range(40))
    folder.write(p=f"WORDS = [word for word in {{{names}}}]\n", q="import p\nWORDS = p.WORDS\n")
    first = folder.load().WORDS
    folder.modules.close()
    assert folder.load().WORDS == folder.load("q").WORDS == first
    assert not list(folder.path.rglob("*.pyc"))


def test_a_file_that_was_compiled_ahead_is_not_compiled_again_unless_it_has_changed(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    compile_source = program_modules._ProgramLoader.compiled

    def counted(loader: typing.Any, data: bytes, path: str) -> CodeType:
        compiled.append(Path(path).stem)
        return compile_source(loader, data, path)

    folder.write(p="found = 1", q="found = 1", broken="found =", warned="found = 1 is 1")
    names = [str((folder.path / f"{name}.py").resolve()) for name in ("p", "q", "broken", "warned")]
    compile_ahead([*names, "no_such.py"])
    folder.write(q="found = 2")
    monkeypatch.setattr(program_modules._ProgramLoader, "compiled", counted)
    assert (folder.load("p").found, folder.load("q").found) == (1, 2)
    with pytest.raises(SyntaxError):
        folder.load("broken")
    with pytest.warns(SyntaxWarning, match='"is" with a literal') as told:
        folder.load("warned")
    assert len(told) == 1
    assert compiled == ["q", "broken", "warned"]


def test_an_edited_helper_is_read_by_the_next_run(folder: Folder) -> None:
    folder.write(p="import helper\nfound = helper.WHO", helper="WHO = 'first'")
    assert folder.load().found == "first"
    folder.write(helper="WHO = 'the second'")
    with ProgramModules() as modules:
        assert modules.load(folder.path / "p.py").found == "the second"


def test_runs_at_once_do_not_meet(folder: Folder) -> None:
    """One is in the middle of importing its helper while the other imports the same."""
    gate = "import sys\nsys.modules['the gate'](__name__)\nCOUNT = []\n"
    folder.write(p="import helper\nhelper.COUNT.append(1)\nfound = helper.COUNT", helper=gate)
    half_done, finished = threading.Event(), threading.Event()
    found: list[list[int]] = []

    def at_gate(name: str) -> None:
        if threading.current_thread() is thread:
            half_done.set()
            assert finished.wait(30)

    def other() -> None:
        with ProgramModules() as modules:
            found.append(modules.load(folder.path / "p.py").found)

    sys.modules["the gate"] = at_gate  # type: ignore[assignment]
    thread = threading.Thread(target=other)
    try:
        thread.start()
        assert half_done.wait(30)
        found.append(folder.load().found)
        finished.set()
        thread.join()
    finally:
        del sys.modules["the gate"]
    assert found == [[1], [1]]
