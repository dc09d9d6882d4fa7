"""Peers run in environments of their own; one that cannot be had is named, and the rest is measured."""

from __future__ import annotations

import ast
import os
import re
import select
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import pytest
import teleportation
from suite import environments
from suite.environments import FAR_ENDS, PEERS, Peer, PeerFailed, Peers

BENCHMARKS = FAR_ENDS.parent


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Peers:
    """A peer called Twice whose environment is there: this one, behind another name."""
    python = tmp_path / "msgspec" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    (tmp_path / "msgspec" / "installed").touch()
    (tmp_path / "with_twice.py").write_text(_TWICE, encoding="utf-8")
    monkeypatch.setitem(PEERS, "Twice", Peer("msgspec", "with_twice.py"))
    monkeypatch.setattr(environments, "FAR_ENDS", tmp_path)
    return Peers(wanted=True, keep=tmp_path)


_TWICE = f"""
import signal, subprocess, sys
sys.path.append({str(FAR_ENDS)!r})
from far_end import serve
def twice(value):
    print("a line before the value")
    return 2 * value
def fails():
    raise SystemExit("it does not know how")
def leaves():
    return subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid
def hangs():
    signal.pause()
def second(mark):
    try:
        open(mark, "x")
    except FileExistsError:
        return 2
    sys.exit("an accident")
def mute():
    sys.exit()
serve({{"twice": twice, "fails": fails, "leaves": leaves, "hangs": hangs, "mute": mute, "second": second}})
"""


def test_a_case_of_a_peer_is_one_process_with_options_and_a_value(kept: Peers) -> None:
    cases = kept.cases("twice", "Twice")
    assert cases["Twice"](value=21) == 42.0
    assert kept.versions == {"Twice": version("msgspec")}
    assert not kept.skipped


def test_what_a_peer_says_last_is_the_reason_why_it_failed(kept: Peers) -> None:
    assert kept.has("Twice")
    with pytest.raises(PeerFailed, match=r"^Twice, fails: it does not know how$"):
        kept.run("Twice", "fails")
    with pytest.raises(PeerFailed, match=r"^Twice, mute: it printed no value, but ''$"):
        kept.run("Twice", "mute")


def test_a_peer_that_fails_by_accident_is_tried_again(
    kept: Peers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(PEERS, "Twice", Peer("msgspec", "with_twice.py", tries=2))
    assert kept.has("Twice")
    assert kept.run("Twice", "second", mark=str(tmp_path / "mark")) == 2.0
    with pytest.raises(PeerFailed, match="it does not know how"):
        kept.run("Twice", "fails")


def test_what_a_peer_leaves_behind_is_ended(kept: Peers) -> None:
    assert kept.has("Twice")
    pid = int(kept.run("Twice", "leaves"))
    with suppress(ProcessLookupError):
        ends = os.pidfd_open(pid)
        assert select.select([ends], [], [], 10.0)[0], "it runs on"
        os.close(ends)


def test_a_peer_that_hangs_is_ended_at_the_limit(
    kept: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept.has("Twice")
    monkeypatch.setattr(environments, "RUN_S", 0.5)
    with pytest.raises(PeerFailed, match=r"^Twice, hangs: not done within 0\.5 s$"):
        kept.run("Twice", "hangs")


def test_a_peer_that_cannot_be_installed_is_named_once_and_skipped(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with Peers(wanted=True, python=str(tmp_path / "no" / "python")) as peers:
        assert peers.cases("chain", "SimQN") == {}
        assert peers.cases("steps", "SimQN") == {}
    assert "qns cannot be installed" in peers.skipped["SimQN"]
    assert not peers.versions
    assert capsys.readouterr().out.count("skipped: SimQN: ") == 1


def test_an_environment_is_gone_when_the_peers_are_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folders: list[Path] = []

    def install(python: str, distribution: str, folder: Path) -> None:
        folders.append(folder)

    monkeypatch.setattr(environments, "_install", install)
    monkeypatch.setattr(environments, "_version", lambda python, distribution: "1")
    with Peers(wanted=True) as peers:
        assert peers.has("SimQN") and peers.has("SimQN")
        assert folders[0].is_dir()
    assert len(folders) == 1 and not folders[0].exists()


def test_without_peers_nothing_is_installed() -> None:
    peers = Peers()
    assert not any(peers.has(name) for name in PEERS)
    assert not peers.skipped


def _served(script: Path) -> set[str]:
    """The cases that a far end has."""
    [call] = [
        node
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "serve"
    ]
    return set(map(str, ast.literal_eval(ast.List(call.args[0].keys))))  # type: ignore[attr-defined]


def _asked(script: Path) -> set[tuple[str, str]]:
    """The (peer, case)s that a benchmark asks for."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    found: set[tuple[str, str]] = set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        words = [word.value for word in call.args if isinstance(word, ast.Constant)]
        strings = [word for word in words if isinstance(word, str)]
        if ast.unparse(call.func).rpartition(".")[2] in {"cases", "growing"} and strings:
            names = strings[1:] or list(teleportation.PEER_STATES)
            found |= {(name, strings[0]) for name in names}
    return found


def test_every_case_that_a_benchmark_asks_for_is_served_and_every_one_served_is_asked_for() -> None:
    asked = set().union(*(_asked(path) for path in sorted(BENCHMARKS.glob("*.py"))))
    assert {name for name, _ in asked} == set(PEERS)
    served = {
        (name, case) for name, peer in PEERS.items() for case in _served(FAR_ENDS / peer.script)
    }
    assert asked == served


def test_every_far_end_says_what_is_asked_of_it_and_how_it_is_seeded() -> None:
    for peer in PEERS.values():
        head = ast.get_docstring(ast.parse((FAR_ENDS / peer.script).read_text(encoding="utf-8")))
        assert head
        assert f"PyPI `{peer.distribution}`" in head
        assert re.search(r"seed|random", head), peer
        for case in _served(FAR_ENDS / peer.script):
            assert re.search(rf"^{case}: ", head, re.MULTILINE), (peer, case)


def test_the_readme_names_every_peer_and_what_it_stands_beside() -> None:
    text = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\w+) \| `(\w+)` \| ", text, re.MULTILINE))
    assert rows == {name: peer.distribution for name, peer in PEERS.items()}
