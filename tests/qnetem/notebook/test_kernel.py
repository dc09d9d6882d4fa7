"""The page about notebooks, in a real kernel; and what is special about one: prints, loops, interrupts.

One kernel for all of it, because each costs seconds.
"""

from __future__ import annotations

import asyncio
import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest

from ..trouble import left_in

PAGE = Path(__file__).parents[3] / "docs" / "notebook.md"
#: A cell, and whatever it waits for, may take so long (s) on a busy machine.
PATIENCE_S = 200
#: Runs as processes, and without an end.
ENDLESS = '''
talk = """
from qnetem import Agent

class Talks(Agent):
    async def run(self):
        while True:
            print("a line of", self.name)
            await self.send("bob" if self.name == "alice" else "alice")
            await self.receive()
"""
open("talk.py", "w").write(talk)
talks = {
    "name": "talks",
    "nodes": {"alice": {"program": "./talk.py:Talks"}, "bob": {"program": "./talk.py:Talks"}},
    "links": [{"between": ["alice", "bob"], "quantum": "none", "classical": {"latency": "1 ms"}}],
}
for _ in range(2):
    qnetem.run(talks, runs_folder="endless")
'''
SHORT = 'qnetem.run(talks, until="3 ms", in_process=True, runs_folder="short").virtual_time_s'


def cells_of_the_page() -> list[str]:
    return re.findall(
        r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.mark.processes
@pytest.mark.slow
async def test_the_page_s_cells_run_and_an_interrupt_ends_a_run_with_its_processes(
    tmp_path: Path,
) -> None:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from nbformat import v4

    page = cells_of_the_page()
    book = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in [*page, ENDLESS, SHORT]])
    where = {"metadata": {"path": str(tmp_path)}}
    client = NotebookClient(book, timeout=PATIENCE_S, kernel_name="python3", resources=where)
    with warnings.catch_warnings():  # those of the libraries that speak to the kernel
        warnings.simplefilter("ignore")
        async with client.async_setup_kernel():
            for index in range(len(page)):
                await client.async_execute_cell(book.cells[index], index)
            before = left_in(tmp_path)
            endless = asyncio.create_task(
                client.async_execute_cell(book.cells[len(page)], len(page))
            )
            await _begun(tmp_path / "endless")
            await client.km.interrupt_kernel()
            with pytest.raises(CellExecutionError, match="KeyboardInterrupt"):
                await endless
            [left] = (tmp_path / "endless").iterdir()
            assert json.loads((left / "outcome.json").read_bytes())["problem"]["text"] == (
                "interrupted by SIGINT"
            )
            assert left_in(tmp_path) == before
            await client.async_execute_cell(book.cells[-1], len(page) + 1)
    _shows_what_the_page_says(book.cells)
    assert _texts(book.cells[-1]) == ["0.003"]
    [short] = (tmp_path / "short").iterdir()
    assert "a line of alice" in (short / "logs" / "alice.1.log").read_text(encoding="utf-8")


def _shows_what_the_page_says(cells: list[Any]) -> None:
    by_start = {cell.source.splitlines()[0]: cell for cell in cells}
    [run] = by_start["run = qnetem.run(stored(0.002), in_process=True)"].outputs
    assert run.data["text/plain"] in PAGE.read_text(encoding="utf-8")
    assert "<svg" in run.data["text/html"] and "bob.error" in run.data["text/html"]
    [picture] = by_start["qnetem.picture(stored(0.002))"].outputs
    assert "<svg" in picture.data["text/html"] and "1 km" in picture.data["text/html"]
    [plot] = by_start["import matplotlib.pyplot as plt"].outputs
    assert plot.output_type == "display_data" and "image/png" in plot.data


def _texts(cell: Any) -> list[str]:
    return [output.data["text/plain"] for output in cell.outputs]


async def _begun(runs: Path) -> None:
    """Wait until a run there has written events."""
    async with asyncio.timeout(PATIENCE_S):
        while not any(  # noqa: ASYNC110 a file does not tell
            path.stat().st_size for path in runs.glob("*/journal.jsonl.gz")
        ):
            await asyncio.sleep(0.05)
