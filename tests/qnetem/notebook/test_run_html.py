"""A run as a notebook shows it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

import qnetem
from qnetem import Agent, Run
from qnetem.emulator.errors import InputError

EVIL = "<script>alert(1)</script>"


class Tells(Agent):
    """Returns and records what it is given."""

    async def run(self, value: Any = 0) -> Any:
        self.record("seen", 2.0)
        self.record("seen", 4.0)
        return {"value": value}


class Fails(Agent):
    """Raises."""

    async def run(self) -> None:
        raise ValueError(EVIL)


def ran(folder: Path, program: type[Agent], expect: dict[str, str], **options: Any) -> Run:
    data = {
        "name": "told",
        "seed": 3,
        "nodes": {"alice": {"program": program, "with": options}},
        "expect": expect,
    }
    return qnetem.run(data, in_process=True, runs_folder=folder)


def test_a_run_is_one_line(tmp_path: Path) -> None:
    good = ran(tmp_path, Tells, {"alice.value": "== 5"}, value=5)
    assert repr(good) == (
        f"<Run 'told' seed 3: ok, 1 expectation holds, 0 ns, digest {good.digest}>"
    )
    missed = ran(tmp_path, Tells, {"alice.value": "== 5"}, value=6)
    assert "1 expectation failed (alice.value)" in repr(missed)
    assert "ProgramFailed at alice" in repr(ran(tmp_path, Fails, {}))


def test_the_page_holds_picture_results_verdicts_and_metrics_with_their_errors(
    tmp_path: Path,
) -> None:
    page = ran(tmp_path, Tells, {"alice.value": "< 5", "alice.seen": "> 9"}, value=3)._repr_html_()
    words = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    words = " ".join(words.split())
    for part in (
        "told 1 expectation failed (alice.seen)",
        "alice.value 3 &lt; 5 ok",
        "alice.seen 3.0 ± 1.0 &gt; 9 failed, off by 6",
        "alice value 3",
        "alice.seen 2 3.0 ± 1.0 2 .. 4",
    ):
        assert part in words
    assert page.count("<svg") == page.count("</svg>") == 1


@pytest.mark.parametrize("program", [Tells, Fails])
def test_what_a_program_says_is_text(tmp_path: Path, program: type[Agent]) -> None:
    options = {"value": EVIL + "\x1b[31m\u202e"} if program is Tells else {}
    page = ran(tmp_path, program, {}, **options)._repr_html_()
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "\x1b" not in page and "\u202e" not in page


def test_a_long_table_is_folded(tmp_path: Path) -> None:
    nodes = {f"n{i}": {"program": Tells} for i in range(13)}
    run = qnetem.run({"name": "many", "nodes": nodes}, in_process=True, runs_folder=tmp_path)
    assert "<summary>13 results</summary>" in run._repr_html_()


def test_times_are_in_seconds(tmp_path: Path) -> None:
    run = ran(tmp_path, Tells, {})
    assert (run.virtual_time_s, run.wall_time_s) == (0.0, run.outcome.wall_s)


def test_metrics_and_events_are_tables(tmp_path: Path) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed (extra: data)")
    run = ran(tmp_path, Tells, {}, value=1)
    metrics = run.to_pandas()
    seen = metrics.loc["alice.seen"]
    assert (seen["count"], seen["mean"], seen["standard_error"]) == (2, 3, 1)
    assert metrics.attrs == {"name": "told", "seed": 3, "digest": run.digest}
    events = run.to_pandas("events")
    assert list(events.columns) == ["t_ns", "time_s", "m", "entity", "kind", "fields"]
    assert [tuple(row) for row in events[["entity", "kind", "fields"]].itertuples(index=False)] == [
        (event.entity, event.kind, event.fields) for event in run.events()
    ]
    with pytest.raises(InputError, match="'metrics' or 'events', not 'event'; did you mean"):
        run.to_pandas("event")  # type: ignore[arg-type]


def test_without_pandas_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"pip install 'qnetem\[data\]'"):
        ran(tmp_path, Tells, {}).to_pandas()
