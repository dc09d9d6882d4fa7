"""The reference report: every vector agrees, and the command says so, or says what does not."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest
from typer.testing import CliRunner, Result

from qnetem.cli import main as cli
from qnetem.emulator.errors import InputError
from qnetem.physics import catalogue
from qnetem.physics.catalogue import SECTIONS, Section, select
from qnetem.physics.emulated.decoy_runs import DecoyRun, foreseen, gain, qber
from qnetem.physics.emulated.runs import play, topology_of
from qnetem.physics.report import WIDTH, Report
from qnetem.physics.vectors import (
    Kind,
    Sample,
    Source,
    Tolerance,
    Vector,
    absolute,
    between,
    check,
    frequency,
    generator,
    item,
    relative,
    sigmas,
    within_factor,
)

from ...counts import papers

VECTORS = [vector for section in SECTIONS for vector in section.vectors]
#: Published systems whose counts are drawn, distance by distance.
DRAWN = [each for each in VECTORS if each.section in ("3.1", "3.6") and "km" in each.quantity
         and each.quantity.endswith("drawn")]  # fmt: skip
PAPER = Source("Author, Journal 1, 1 (2001)", Kind.unchecked)


def vector(expected: float, got: float | Sample, tolerance: Tolerance, name: str = "x") -> Vector:
    return Vector("9.1", name, expected, tolerance, PAPER, lambda: got)


@pytest.mark.papers
@pytest.mark.parametrize(
    "each",
    [*(each for each in VECTORS if each not in DRAWN), *papers(DRAWN)],
    ids=lambda each: f"{each.section} {each.quantity}",
)
def test_the_emulator_agrees(each: Vector) -> None:
    verdict = check(each)
    assert verdict.agrees, f"expected {each.expected}, got {verdict.got} ({each.tolerance.text})"
    # what is drawn is judged by its spread in theory, and nothing else is
    assert (verdict.samples > 0) == (each.tolerance.sigmas is not None)


def test_the_table_is_whole() -> None:
    """Each vector stands in one section, by one name; every section of the reference has some."""
    names = [(vector.section, vector.quantity) for vector in VECTORS]
    assert len(set(names)) == len(names)
    assert {section.number[0] for section in SECTIONS} == set("01234567")
    for section in SECTIONS:
        assert section.vectors, section.number
    assert all(math.isfinite(each.expected) for each in VECTORS)


# --- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "got", "tolerance", "agrees"),
    [
        (2.0, 2.001, relative(1e-3), True),
        (2.0, 2.003, relative(1e-3), False),
        (-2.0, -2.001, relative(1e-3), True),
        (-2.0, -1.9, relative(1e-3), False),
        (0.6, 0.66, between(0.03, 0.07), True),
        (0.6, 0.56, between(0.03, 0.07), False),
        (0.6, 0.68, between(0.03, 0.07), False),
        (6.0, 3.1, within_factor(2.0), True),
        (6.0, 11.9, within_factor(2.0), True),
        (6.0, 2.9, within_factor(2.0), False),
        (6.0, 12.1, within_factor(2.0), False),
        (142.0, 142.2, absolute(0.3), True),
        (142.0, math.nan, absolute(0.3), False),
        (0.5, frequency(5_149, 10_000), sigmas(), True),
        (0.5, frequency(5_151, 10_000), sigmas(), False),
        (0.0, frequency(1, 10_000), sigmas(), False),
        (10.0, Sample(10.29, 100, 1.0), sigmas(), True),
        (10.0, Sample(10.31, 100, 1.0), sigmas(), False),
        (10.0, Sample(10.01, 100, 1.0), relative(0.5), False),
    ],
)
def test_agreement_is_within_the_tolerance(
    expected: float, got: float | Sample, tolerance: Tolerance, agrees: bool
) -> None:
    assert check(vector(expected, got, tolerance)).agrees is agrees


def test_what_compute_raises_is_no_verdict() -> None:
    def broken() -> float:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        check(Vector("9.1", "x", 1.0, relative(1.0), PAPER, broken))


def test_generators_go_by_name() -> None:
    assert generator("a").random() == generator("a").random() != generator("b").random()
    assert item(1, divmod, 7, 4)() == 3


def test_no_two_runs_share_their_luck_and_each_is_the_same_every_time() -> None:
    far, near = (DecoyRun("gys", 1.0, loss_db, 0.033, 200_000) for loss_db in (0.2, 0.3))
    seeds = [topology_of(run.nodes(), run.links()).seed for run in (far, near, far)]
    assert seeds[0] == seeds[2] != seeds[1]
    counted = [play(run.nodes(), run.links()).results["bob"]["clicks"] for run in (far, far)]
    assert counted[0] == counted[1] > 0


def test_what_is_foreseen_is_what_a_bright_link_counts() -> None:
    """Where two detectors often click at once; the papers' formulas leave that out."""
    run = DecoyRun("gys", 0.0, 0.0, 0.1, 400_000, intensities=(60.0,))
    chance, error = foreseen(run)
    assert chance > 0.9 and error > 0.11
    seen = Source("the same, drawn"), sigmas()
    for expected, drawn in ((chance, gain), (error, qber)):
        each = Vector("9.1", "x", expected, seen[1], seen[0], lambda drawn=drawn: drawn(run))
        assert check(each).agrees


# --- the command ----------------------------------------------------------------------------------


def typed(*words: str) -> Result:
    return CliRunner().invoke(cli.app, ["physics", *words])


def put_in_place(monkeypatch: pytest.MonkeyPatch, *vectors: Vector) -> None:
    monkeypatch.setattr(catalogue, "SECTIONS", (Section("9.1", "Another", vectors),))


def test_a_section_is_a_page_of_80_columns_that_ends_in_a_count() -> None:
    result = typed("--section", "6.6")
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[-1] == "5 of 5 agree"
    assert "6.6 Paths" in result.stdout
    assert "  width 1, 3 hops                       0.17496     0.17496" in result.stdout
    [header] = [line for line in lines if line.split()[:1] == ["expected"]]
    [row] = [line for line in lines if line.startswith("  width 1, 3 hops")]
    assert header.index("expected") + len("expected") == row.index("0.17496") + len("0.17496")


def test_every_row_fits_a_page() -> None:
    for each in VECTORS:
        assert len(each.quantity) <= 33, each.quantity
        assert len(each.tolerance.text) <= 11, each.tolerance.text
        assert len(f"{each.expected:.6g}") <= 11


def test_what_was_drawn_says_how_often(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = {
        "a": (683, " 3 sigma 683  ok"),
        "b": (98_900, " 98k  ok"),
        "d": (1_988, " 1.9k  ok"),
        "c": (12_000_000, " 12M  ok"),
    }
    drawn = [vector(0.5, Sample(0.5, n), sigmas(), name) for name, (n, _) in numbers.items()]
    put_in_place(monkeypatch, *drawn)
    lines = typed().stdout.splitlines()
    for name, (_, ending) in numbers.items():
        [row] = [line for line in lines if line.startswith(f"  {name} ")]
        assert row.endswith(ending) and len(row) <= WIDTH


def test_what_disagrees_is_named_and_the_exit_code_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    good = vector(1.0, 1.0, relative(0.1), "good")
    put_in_place(monkeypatch, good, vector(2.0, 3.0, relative(0.1), "bad"))
    result = typed()
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[-2:] == ["1 of 2 agree", "FAIL  9.1  bad"]
    assert any(line.endswith("FAIL") and "bad" in line for line in lines)
    assert "  Author, Journal 1, 1 (2001) (unchecked)" in lines
    assert "unchecked  a figure known at second hand" in result.stdout
    result = typed("--format", "json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["ok"] is False


def test_a_source_stands_once_above_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_place(monkeypatch, *(vector(1.0, 1.0, relative(0.1), name) for name in "ab"))
    assert typed().stdout.count("Author, Journal") == 1


def test_json_is_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_place(
        monkeypatch,
        vector(0.5, frequency(1, 2), sigmas(), "drawn"),
        vector(1.0, math.nan, absolute(0.1), "nothing"),
    )
    data = json.loads(typed("--format", "json").stdout)
    assert (data["agree"], data["of"]) == (1, 2)
    drawn, nothing = data["vectors"]
    assert drawn == {
        "section": "9.1",
        "title": "Another",
        "quantity": "drawn",
        "expected": 0.5,
        "got": 0.5,
        "tolerance": "3 sigma",
        "samples": 2,
        "source": "Author, Journal 1, 1 (2001)",
        "kind": "unchecked",
        "ok": True,
    }
    assert nothing["got"] is None and not nothing["ok"]


def test_csv_has_a_line_for_each_vector_in_the_words_of_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors = [
        vector(0.5, frequency(1, 2), sigmas(), 'drawn, "so"'),
        vector(1.0, math.nan, absolute(0.1), "nothing"),
    ]
    put_in_place(monkeypatch, *vectors)
    objects = json.loads(typed("--format", "json").stdout)["vectors"]
    result = typed("--format", "csv")
    assert result.exit_code == 1
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [list(row) for row in rows] == [list(each) for each in objects]
    for row, each in zip(rows, objects, strict=True):
        assert row == {key: "" if value is None else f"{value}" for key, value in each.items()}


def test_sections_are_chosen_by_their_numbers() -> None:
    assert [section.number for section in select("6")] == ["6.1", "6.2", "6.3", "6.4", "6.5", "6.6"]
    assert [section.number for section in select("3.1")] == ["3.1"]
    assert select(None) == select() == SECTIONS
    for wrong in ("8", "6.9", "", "6.", "x"):
        if wrong == "6.":
            assert len(select(wrong)) == 6
            continue
        with pytest.raises(InputError, match="no section"):
            select(wrong)


def test_an_unknown_section_is_the_users_error() -> None:
    result = typed("--section", "42")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: no section '42'")


def test_a_page_comes_section_by_section() -> None:
    report = Report(select("6.5")[:1] + select("6.6")[:1])
    pages = report.pages()
    next(pages)
    assert "6.5" in next(pages)
    assert len(report.verdicts) == len(select("6.5")[0].vectors)
