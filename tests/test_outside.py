"""The server of docs/outside.md, driven by a real client, has its digest again in a replay."""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path
from typing import Any

import pytest

import qnetem
from qnetem.compare.node_replay import replay_node
from qnetem.compare.replay import replay
from qnetem.launcher.launcher import RunOptions
from qnetem.runs.recorded import open_run

from . import counts

PAGE = Path(__file__).parent.parent / "docs" / "outside.md"
PATIENCE_S = 120.0


def example(folder: Path, served: int) -> tuple[dict[str, Any], int]:
    """The page's program and topology, at a free port, to end after so many requests."""
    page = PAGE.read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(# bits\.py.*?)```", page, re.DOTALL)
    (folder / "bits.py").write_text(program, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    node = {"program": f"{folder / 'bits.py'}:Server", "with": {"port": port, "served": served}}
    return {"name": "bits", "seed": 11, "time": {"mode": "real"}, "nodes": {"server": node}}, port


def test_the_server_of_the_page_has_about_thirty_lines() -> None:
    (program,) = re.findall(r"```python\n# bits\.py[^\n]*\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert sum(bool(line.strip()) for line in program.splitlines()) <= 40


async def _asked(url: str, counts_asked: list[str], side_by_side: int) -> list[Any]:
    """What a client gets for each request, once the server listens."""
    import aiohttp

    room = asyncio.Semaphore(side_by_side)
    async with aiohttp.ClientSession() as session:

        async def ask(count: str) -> tuple[int, Any]:
            async with room, session.get(url, params={"count": count}) as answer:
                return answer.status, await answer.json()

        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    first = await ask(counts_asked[0])
                    break
                except aiohttp.ClientConnectorError:
                    await asyncio.sleep(0.05)  # the node's process is starting
            rest = await asyncio.gather(*(ask(count) for count in counts_asked[1:]))
    return [first, *rest]


async def _served(
    folder: Path, requests: int, side_by_side: int = 4
) -> tuple[qnetem.Run, list[Any]]:
    source, port = example(folder, requests)
    asked = [("1", "2", "4", "8", "many")[index % 5] for index in range(requests)]
    async with qnetem.launch(source, runs_folder=folder / "runs") as network:
        answers = await _asked(f"http://127.0.0.1:{port}/bits", asked, side_by_side)
        run = await network.finished()
    assert [len(body.get("bits", "")) for _, body in answers] == [
        0 if count == "many" else int(count) for count in asked
    ]
    return run, answers


def _replayed(folder: Path) -> Any:
    options = RunOptions(runs_folder=folder.parent / "replays")
    return replay(open_run(folder), options, in_process=True)


@pytest.mark.processes
@pytest.mark.campaign
async def test_requests_over_http_are_fed_again_by_a_replay_with_the_same_digest(
    tmp_path: Path,
) -> None:
    requests = counts.count(500)
    run, answers = await _served(tmp_path, requests)
    assert run.results == {"server": {"served": requests}} and len(answers) == requests
    done = await asyncio.to_thread(_replayed, run.run_folder)
    assert done.same and done.comparison.b.digest == run.digest
    inputs = [event for event in run.events() if event.kind == "input"]
    replies = [event for event in run.events() if event.kind == "reply"]
    assert len(inputs) == len(replies) == requests
    one = await asyncio.to_thread(replay_node, open_run(run.run_folder), "server")
    assert one.same and one.ended
    again = await asyncio.to_thread(_replayed, done.comparison.b.path)
    assert again.same, "a replay can be replayed"
