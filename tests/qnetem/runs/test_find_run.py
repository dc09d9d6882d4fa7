"""Which run is meant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qnetem.emulator.errors import InputError
from qnetem.runs.run_folder import find_run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for age, name in enumerate(("metro-2", "metro-1", "lab-1")):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text("{}")
        os.utime(folder / "run.json", (1000 + age, 1000 + age))
    (tmp_path / "runs" / "other").mkdir()
    return tmp_path / "runs"


def test_a_run_is_found_by_folder_by_name_and_as_the_latest(runs: Path) -> None:
    assert find_run(str(runs / "metro-1")) == runs / "metro-1"
    assert find_run("metro-1", runs) == runs / "metro-1"
    assert find_run("latest", runs) == runs / "lab-1"


def test_a_run_that_is_not_there_is_told_with_the_nearest_name(runs: Path) -> None:
    with pytest.raises(InputError, match=r"there is no run 'metro-3' here or in .*did you mean"):
        find_run("metro-3", runs)
    with pytest.raises(InputError, match=r"other is not the folder of a run: it has no run\.json"):
        find_run(str(runs / "other"), runs)
    with pytest.raises(InputError, match="there is no run in "):
        find_run("latest", runs / "nothing")
