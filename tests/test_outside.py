"""The server of docs/outside.md, driven by a real client, has its digest again in a replay."""

from __future__ import annotations

import asyncio
import contextlib
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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def example(folder: Path, served: int) -> tuple[dict[str, Any], int]:
    """The page's program and topology, at a free port, to end after so many requests."""
    page = PAGE.read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(# bits\.py.*?)```", page, re.DOTALL)
    (folder / "bits.py").write_text(program, encoding="utf-8")
    port = free_port()
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


async def lines(inside: Any, port: int) -> None:
    """An outside half of plain sockets: a line in, a line out; `gone` where no reply will come."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readline()).decode().strip():
            try:
                answer = await inside.put(line)
            except qnetem.OutsideError:
                answer = "gone"
            writer.write(f"{answer}\n".encode())
        writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", port)
    async with server:
        await asyncio.Event().wait()


class Counter(qnetem.Agent):
    """It counts requests in each of its lives, never answers `hold`, and ends with `stop`."""

    async def run(self, port: int) -> Any:
        async with self.outside(lines, port) as requests:
            async for request in requests:
                if request.body == "stop":
                    return request.number
                if request.body != "hold":
                    request.reply(f"{self.incarnation}.{request.number} {request.body}")


class Line:
    """A client with one connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None

    async def open(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self._reader is None:
                try:
                    opened = await asyncio.open_connection("127.0.0.1", self._port)
                    self._reader, self._writer = opened
                except ConnectionError:
                    await asyncio.sleep(0.05)  # the node's process is starting

    async def ask(self, word: str) -> str:
        self.say(word)
        return await self.answer()

    def say(self, word: str) -> None:
        self._writer.write(f"{word}\n".encode())

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def answer(self) -> str:
        assert self._reader is not None
        async with asyncio.timeout(PATIENCE_S):
            return (await self._reader.readline()).decode().strip()


@pytest.mark.processes
async def test_pauses_kills_and_waiting_clients_are_fed_again_by_a_replay(tmp_path: Path) -> None:
    port = free_port()
    node = {"program": Counter, "with": {"port": port}}
    source = {"name": "lines", "time": {"mode": "real"}, "nodes": {"counter": node}}
    async with qnetem.launch(source, runs_folder=tmp_path / "runs") as network:
        first, waits = Line(port), Line(port)
        await first.open()
        assert await first.ask("a") == "1.1 a"
        await network.fault("{pause: counter, for: 300 ms}")
        assert await first.ask("b") == "1.2 b"
        await network.fault("{kill: counter, restart: 10 ms}")
        assert await first.answer() == "", "the connection ends with its process"
        second = Line(port)
        await second.open()
        await waits.open()
        assert await second.ask("c") == "2.1 c"
        waits.say("hold")
        assert await second.ask("d") in ("2.2 d", "2.3 d")
        second.say("stop")
        assert await waits.answer() == "gone" and await second.answer() == "gone"
        run = await network.finished()
    for line in (first, second, waits):
        await line.close()
    done = await asyncio.to_thread(_replayed, run.run_folder)
    assert done.same and done.comparison.b.digest == run.digest
    assert [event.fields[1] for event in run.events(kind="input")][:2] == [1, 2]
