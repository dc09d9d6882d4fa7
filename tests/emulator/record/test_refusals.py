"""Refused connections: noted with what is known of them, and with nothing that is secret."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import msgspec
import pytest

from qnetem.emulator import wire
from qnetem.emulator.record import refusals
from qnetem.emulator.record.refusals import Refusal, Refusals, count_refusals
from qnetem.emulator.wire import run_files

from ..service.test_server import stage


def noted(folder: Path) -> list[Refusal]:
    lines = run_files.refusals(folder).read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Refusal) for line in lines]


async def test_a_claim_that_is_refused_is_noted_with_who_made_it(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        alice = await here.alice()
        stranger = await here.connect()
        stranger.say(wire.Hello("alice", 7, "a guess", 4711))
        assert await stranger.ends()
        here.world.answers[wire.Waits] = [("alice", wire.Grant(3, 0))]
        alice.say(wire.Waits([]))  # the node that is meant works as before
        assert wire.decode_to_node(await alice.body() or b"") == wire.Grant(3, 0)
    [refusal] = noted(tmp_path)
    assert (refusal.node, refusal.incarnation) == ("alice", 7)
    assert "wrong token" in refusal.why
    assert b"a guess" not in run_files.refusals(tmp_path).read_bytes()
    assert stat.S_IMODE(run_files.refusals(tmp_path).stat().st_mode) == 0o600
    if hasattr(socket, "SO_PEERCRED"):
        assert (refusal.pid, refusal.uid) == (os.getpid(), os.getuid())


async def test_each_is_counted_and_long_words_are_cut(tmp_path: Path) -> None:
    assert count_refusals(tmp_path) == 0
    async with stage(tmp_path) as here:
        for nonsense in (b"\xff\xff\xff\xff", wire.frame(wire.Hello("\x9b" * 2_000, 1, "", 1))):
            stranger = await here.connect()
            stranger.writer.write(nonsense)
            assert await stranger.ends()
    assert count_refusals(tmp_path) == 2
    assert noted(tmp_path)[1].node == "\x9b" * 200
    assert run_files.refusals(tmp_path).read_bytes().isascii()
    assert run_files.refusals(tmp_path).stat().st_size < 4000


async def test_who_comes_again_and_again_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(refusals, "MOST_NOTED", 3)
    async with stage(tmp_path) as here:
        for _ in range(5):
            stranger = await here.connect()
            stranger.say(wire.Hello("alice", 1, "bad", 1))
            assert await stranger.ends()
        await here.alice()
    whys = [refusal.why for refusal in noted(tmp_path)]
    assert whys == [*2 * ["wrong token for alice"], f"{whys[0]} (no more than 3 are noted)"]
    assert capsys.readouterr().err.count("wrong token") == 3


async def test_a_full_disk_is_no_way_to_end_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Refusals, "add", full)
    async with stage(tmp_path) as here:
        stranger = await here.connect()
        stranger.say(wire.Hello("alice", 1, "bad", 1))
        assert await stranger.ends()
        await here.alice()
    assert "no space left" in capsys.readouterr().err


async def test_a_run_without_strangers_has_no_such_file(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        await here.alice()
    assert not run_files.refusals(tmp_path).exists()
