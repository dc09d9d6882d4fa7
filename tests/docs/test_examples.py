"""The examples run, come out as theory says, are short, and stand on their page as they are."""

from __future__ import annotations

import ast
import csv
import io
import runpy
import tokenize
from functools import cache
from pathlib import Path

import pytest

import qnetem

from .outputs import printed
from .pages import ROOT, block
from .written import EXAMPLES

#: Lines of Python that a person needed who knew only the docs of the first release.
NEWCOMER = {
    "superdense": 41,
    "chsh": 30,
    "ghz": 42,
    "purification": 25,
    "telegate": 37,
    "b92": 42,
    "recover": 20,
    "sweep": 25,
}
#: Programs over the network, which are to be short, too: lines of the file, all told.
OVER_NETWORK = ("chsh", "cnot", "ghz", "superdense", "teleport")
LONGEST = 60
_NO_CODE = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
)


@cache
def run_of(name: str, runs: Path) -> qnetem.Run:
    return qnetem.run(EXAMPLES / f"{name}.yaml", in_process=True, runs_folder=runs)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def code_lines(path: Path) -> int:
    """Lines with code: no blank ones, comments or docstrings."""
    text = path.read_text(encoding="utf-8")
    lines = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in _NO_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            assert node.end_lineno is not None
            lines -= set(range(node.lineno, node.end_lineno + 1))
    return len(lines)


def test_every_example_is_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == set(NEWCOMER)


@pytest.mark.parametrize("name", NEWCOMER)
def test_an_example_comes_out_as_its_closed_form_says(name: str, runs: Path) -> None:
    run = run_of(name, runs)
    run.assert_ok()
    assert any(verdict.relation == "~" for verdict in run.verdicts)


@pytest.mark.parametrize("name", NEWCOMER)
def test_an_example_has_two_thirds_of_a_newcomers_lines(name: str) -> None:
    assert 3 * code_lines(EXAMPLES / f"{name}.py") <= 2 * NEWCOMER[name]


@pytest.mark.parametrize("name", NEWCOMER)
def test_the_page_shows_an_example_as_it_is_and_what_it_prints(name: str, runs: Path) -> None:
    for file, language in ((f"{name}.py", "python"), (f"{name}.yaml", "yaml")):
        shown = block("docs/examples.md", language, f"examples/{file}")
        assert shown == (EXAMPLES / file).read_text(encoding="utf-8"), "make docs"
    shown = block("docs/examples.md", "text", f"examples/{name}.yaml")
    assert shown == printed(run_of(name, runs)), "make docs"
    assert ROOT.joinpath("docs/examples.md").read_text(encoding="utf-8").count(f"{name}.yaml") >= 2


def test_every_example_over_the_network_is_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("network/*.yaml")} == set(OVER_NETWORK)
    page = ROOT.joinpath("docs/examples.md").read_text(encoding="utf-8")
    assert all(f"../examples/network/{name}.yaml" in page for name in OVER_NETWORK)


@pytest.mark.parametrize("name", OVER_NETWORK)
def test_an_example_over_the_network_comes_out_as_its_closed_form_says(
    name: str, runs: Path
) -> None:
    run = run_of(f"network/{name}", runs)
    run.assert_ok()
    assert any(verdict.relation == "~" for verdict in run.verdicts)


@pytest.mark.parametrize("name", OVER_NETWORK)
def test_a_program_over_the_network_has_less_than_sixty_lines(name: str) -> None:
    text = EXAMPLES.joinpath(f"network/{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < LONGEST
    assert "entangle(" not in text


@pytest.mark.processes
def test_a_process_that_is_killed_and_comes_back_leaves_the_same_digest(runs: Path) -> None:
    apart = qnetem.run(EXAMPLES / "recover.yaml", runs_folder=runs)
    apart.assert_ok()
    assert apart.digest == run_of("recover", runs).digest


@pytest.mark.usefixtures("sweeps_here")
def test_the_sweep_makes_a_table_and_a_plot_and_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / "sweep.py"), run_name="__main__")
    assert capsys.readouterr().out == block("docs/examples.md", "text", "examples/sweep.py")
    with (tmp_path / "sweep.csv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == 20 and {row["ok"] for row in rows} == {"true"}
    assert "transmittance" in (tmp_path / "sweep.svg").read_text(encoding="utf-8")
