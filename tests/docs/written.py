"""What docs show of the code, written from the code: `make docs`, or `python -m tests.docs.written`.

Owns docs/reference.md as a whole (reference.py), the blocks of docs/examples.md that are files of
`examples/` or what a run of them prints, and the blocks of other pages that show an output (outputs.py).
Tests compare all of them with what stands in the pages.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import qnetem

from .outputs import OUTPUTS, printed
from .pages import ROOT
from .reference import REFERENCE, reference

EXAMPLES = ROOT / "examples"
_PAGE = "docs/examples.md"


def with_block(page: str, head: str, make: Callable[[str], str]) -> str:
    """The page with another text in the block whose fence reads `head`; `make` is given the present one."""
    pattern = re.compile(rf"^```{re.escape(head)}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    assert len(pattern.findall(page)) == 1, f"expected one block ```{head}"
    return pattern.sub(lambda found: f"```{head}\n{make(found[1])}```", page)


def swept(folder: Path) -> str:
    """What the script of the sweep prints; its files are left in the folder."""
    command = [sys.executable, EXAMPLES / "sweep.py"]
    folder.mkdir(exist_ok=True)
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def with_examples(page: str, runs: Path) -> str:
    """The page of the examples with files and outputs as they are now."""
    for language, name in re.findall(r"^```(\w+) examples/(.+)$", page, re.MULTILINE):
        file = EXAMPLES / name
        if (language, name) == ("text", "sweep.py"):
            text = swept(runs)
        elif language == "text":
            text = printed(qnetem.run(file, in_process=True, runs_folder=runs))
        else:
            text = file.read_text(encoding="utf-8")
        page = with_block(page, f"{language} examples/{name}", lambda _, text=text: text)
    return page


def with_outputs(name: str, page: str, folder: Path) -> str:
    """A page with what its commands print now."""
    for (where, block), make in OUTPUTS.items():
        if where == name:
            own = folder / block
            own.mkdir()
            page = with_block(page, f"text {block}", lambda old, make=make, own=own: make(old, own))
    return page


def main() -> None:
    """Write all of it."""
    REFERENCE.write_text(reference(), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for name in dict.fromkeys([_PAGE, *(page for page, _ in OUTPUTS)]):
            path = ROOT / name
            page = with_outputs(name, path.read_text(encoding="utf-8"), Path(folder))
            path.write_text(with_examples(page, Path(folder, "runs")), encoding="utf-8")


if __name__ == "__main__":
    main()
