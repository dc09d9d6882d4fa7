"""What commands print, as the pages show it: made anew from runs, with folders of no real machine.

Owns a maker for each block ```` ```text NAME ```` that shows an output. What differs from run to run
(processes, real time, names of folders) is replaced by what the pages say.
"""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
from rich.console import Console
from typer.testing import CliRunner

import qnetem
from qnetem.cli.main import app
from qnetem.cli.pages.diff_page import print_comparison
from qnetem.cli.pages.replay_page import print_node_replay
from qnetem.cli.pages.summary import print_summary
from qnetem.compare.diff import compare
from qnetem.compare.node_replay import replay_node
from qnetem.runs.recorded import open_run

from .pages import ROOT, files_of

#: In place of the numbers of processes.
_FIRST_PID = 2401
_HOME = "/home/me"
_TIMES = re.compile(r"\n\n([^\n]* of virtual time in )[^:\n]*(: [^,]*(?:,\d+)* instants?)[^\n]*")


def printed(run: qnetem.Run) -> str:
    """What `qnetem run` prints in 80 columns, without its last lines, which differ from run to run."""
    return _TIMES.split(_summary(run))[0].rstrip() + "\n"


def quickstart(page: str, folder: Path) -> str:
    """The quickstart of the README, shortened in the middle; its last lines stay as they stand there."""
    run = qnetem.run(ROOT / "topologies" / "quickstart.yaml", in_process=True, runs_folder=folder)
    text = _summary(run)
    head = text.partition("\nmetric ")[0].rstrip()
    virtual, instants = _TIMES.findall(text)[0]
    last = re.search(r" in ([0-9.]+ s): [^,]*,?\d* instants?(.*)\n(run folder .*)\n", page)
    assert last, "the block in README.md does not end with the times of the run and its folder"
    return f"{head}\n...\n{virtual}{last[1]}{instants}{last[2]}\n{last[3]}\n"


def difference(page: str, folder: Path) -> str:
    """Two runs of the README's coin, of which one measures along another axis."""
    coin = _coin(folder)
    first = _recorded(coin, folder)
    program = coin.with_suffix(".py")
    program.write_text(program.read_text("utf-8").replace('measure("X")', 'measure("Z")'), "utf-8")
    second = _recorded(coin, folder)
    text = _page(
        lambda console: print_comparison(compare(open_run(first), open_run(second)), console)
    )
    text = text.replace(str(first), "runs/coin-20261124-a").replace(
        str(second), "runs/coin-20261124-b"
    )
    return text.replace(str(folder), _HOME)


def replayed_node(page: str, folder: Path) -> str:
    """bob of the README's coin, replayed with a program that says something else in the fifth round."""
    coin = _coin(folder)
    run = _recorded(coin, folder)
    text = coin.with_suffix(".py").read_text("utf-8")
    body = '{"done": len(bits)}'
    assert body in text
    changed = text.replace(body, f'{body} | ({{"ok": False}} if len(bits) == 5 else {{}})')
    (folder / "new.py").write_text(changed, "utf-8")
    replay = replay_node(open_run(run), "bob", program=f"{folder}/new.py:Bob")
    shown = _page(lambda console: print_node_replay(replay, console))
    return shown.replace(str(run), "runs/coin-20261124-a").replace(str(folder), _HOME)


def common_passes(page: str, folder: Path) -> str:
    """The common passes of a day over two stations."""
    del page, folder
    file = ROOT / "topologies" / "space" / "double-downlink.yaml"
    result = CliRunner().invoke(app, ["passes", str(file), "--until", "24 h", "--common"])
    assert result.exit_code == 0, result.output
    return result.output


def passes(page: str, folder: Path) -> str:
    """The passes of a day over the ground station of a shipped topology."""
    file = ROOT / "topologies" / "space" / "micius.yaml"
    result = CliRunner().invoke(app, ["passes", str(file), "--until", "24 h"])
    assert result.exit_code == 0, result.output
    return result.stdout


def failure_in(output: str) -> str:
    """What pytest prints of a failed test: the error, and the section on its run."""
    parts = r"^E +(AssertionError: .*\n)(?:.*\n)*?(-+ qnetem -+\n(?:\w+ .*\n)+)"
    found = re.search(parts, output + "\n", re.MULTILINE)
    assert found, output
    folder = r"[^ ]*/(test_\w+)/runs/coin-[-0-9]+-[0-9a-f]+"
    shown = r"/tmp/pytest-of-me/pytest-3/\1/runs/coin-20261124-151303-52bdf2"
    return re.sub(folder, shown, "".join(found.groups()))


#: (page, name of the block) -> from the block as it stands, and a folder of its own, what it must be.
OUTPUTS: dict[tuple[str, str], Callable[[str, Path], str]] = {
    ("README.md", "quickstart"): quickstart,
    ("docs/replay.md", "diff"): difference,
    ("docs/replay.md", "replay"): replayed_node,
    ("docs/space.md", "passes"): passes,
    ("docs/space.md", "common"): common_passes,
}


def _summary(run: qnetem.Run) -> str:
    outcome = run.outcome
    nodes = {
        name: msgspec.structs.replace(state, pid=_FIRST_PID + place)
        for place, (name, state) in enumerate(outcome.nodes.items())
    }
    left = {
        name: msgspec.structs.replace(each, worked_s=0.0) for name, each in outcome.left.items()
    }
    outcome = msgspec.structs.replace(outcome, nodes=nodes, left=left)
    same = dataclasses.replace(run, result=dataclasses.replace(run.result, outcome=outcome))
    return _page(lambda console: print_summary(same, console))


def _page(show: Callable[[Console], None]) -> str:
    text = io.StringIO()
    show(Console(file=text, width=80))
    return "\n".join(line.rstrip() for line in text.getvalue().split("\n")).rstrip() + "\n"


def _coin(folder: Path) -> Path:
    """The README's example in a folder; its topology."""
    for name, text in files_of("README.md").items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "coin.yaml"


def _recorded(topology: Path, folder: Path) -> Path:
    return qnetem.run(topology, in_process=True, runs_folder=folder / "runs").run_folder
