"""Imports run one way through the rooms, in the order in which docs/architecture.md lists them.

A room is a folder or a single module. A module imports from its own room and from rooms that stand before
it. Imports in functions and under `TYPE_CHECKING` count like any other: a reader follows them, too.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = ("emulator", "agents", "qnetem")
#: What imports against the order, and why: (module, imported module) -> reason.
EXCEPTIONS: dict[tuple[str, str], str] = {}


def rooms() -> list[str]:
    """The rooms in their order: the first column of the tables under "Rooms"."""
    text = PAGE.read_text(encoding="utf-8").partition("\n## Rooms")[2].partition("\n## ")[0]
    return [
        each.rstrip("/").removesuffix(".py")
        for each in re.findall(r"^\| `([a-z_./]+)` \|", text, re.MULTILINE)
    ]


def modules() -> dict[str, Path]:
    """Every module by its path, as `emulator/states/noise`; a package by its folder."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).with_suffix("").as_posix().removesuffix("/__init__")
            if not name.startswith(("qnetem/emulator", "qnetem/agents")):  # links
                found[name] = path
    return found


#: What agents may import of the emulator: what both sides share, and formulas.
SHARED = (
    "emulator/closed_forms",
    "emulator/errors",
    "emulator/event_loops",
    "emulator/fixed_environment",
    "emulator/plain_text",
    "emulator/program_modules",
    "emulator/suggestions",
    "emulator/units",
    "emulator/wire",
)
ORDER = {room: place for place, room in enumerate(rooms())}
MODULES = modules()


def room_of(module: str) -> str | None:
    """The innermost room that holds the module."""
    holding = [room for room in ORDER if module == room or module.startswith(room + "/")]
    return max(holding, key=len, default=None)


def imports(module: str, path: Path) -> Iterator[tuple[int, str]]:
    """The modules of this project that a module imports, with the line."""
    folder = module if path.name == "__init__.py" else module.rpartition("/")[0]
    home = (folder if folder.startswith("qnetem") else f"qnetem/{folder}").split("/")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            within = home[: len(home) - node.level + 1]
            base = "/".join([*within, *(node.module.split(".") if node.module else [])])
            for alias in node.names:
                inner = _short(f"{base}/{alias.name}")
                yield node.lineno, inner if inner in MODULES else _short(base)


def _short(module: str) -> str:
    """`qnetem/emulator/wire` as it stands at the top level."""
    return re.sub(r"^qnetem/(emulator|agents)\b", r"\1", module)


def test_every_module_has_a_room() -> None:
    homeless = [m for m in MODULES if room_of(m) is None]
    assert set(homeless) <= {*PACKAGES, "qnetem/__main__", "emulator/topology", "emulator/quantum"}


def test_every_room_of_the_page_is_there() -> None:
    assert ORDER
    missing = [room for room in ORDER if room not in MODULES]
    assert not missing


def test_imports_run_one_way_through_the_rooms() -> None:
    upward, used = [], set()
    for module, path in MODULES.items():
        room = room_of(module)
        for line, other in imports(module, path):
            target = room_of(other)
            if room is None or target is None or ORDER[target] <= ORDER[room]:
                continue
            if (module, other) in EXCEPTIONS:
                used.add((module, other))
            else:
                upward.append(f"{path.relative_to(ROOT)}:{line} imports {other}")
    assert not upward
    assert used == set(EXCEPTIONS), "an exception that is not needed any more"


def test_agents_import_of_the_emulator_what_both_sides_share() -> None:
    used, foreign = set(), []
    for module, path in MODULES.items():
        for line, other in imports(module, path) if module.startswith("agents") else ():
            if not other.startswith("emulator/"):
                continue
            shared = [room for room in SHARED if other == room or other.startswith(room + "/")]
            used.update(shared)
            if not shared:
                foreign.append(f"{path.relative_to(ROOT)}:{line} imports {other}")
    assert not foreign
    assert used == set(SHARED), "what agents do not use any more"


def test_closed_forms_need_nothing_but_errors_units_and_the_standard_library() -> None:
    """Nodes import them: numpy or pydantic there would be paid by every process."""
    for module, path in MODULES.items():
        if not module.startswith("emulator/closed_forms"):
            continue
        rooms_used = {room_of(other) for _, other in imports(module, path)}
        assert rooms_used <= {"emulator/closed_forms", "emulator/errors", "emulator/units"}, module
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names, module


def test_no_room_is_a_heap() -> None:
    """One folder holds about 20 loose files, but for those that are all of one kind."""
    of_one_kind = {
        "emulator/closed_forms",
        "agents/protocols",
    }
    folders: dict[str, int] = {}
    for path in MODULES.values():
        folder = path.parent.relative_to(ROOT).as_posix()
        folders[folder] = folders.get(folder, 0) + 1
    assert not {f: n for f, n in folders.items() if n > 20 and f not in of_one_kind}
