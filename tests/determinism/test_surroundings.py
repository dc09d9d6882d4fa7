"""Where, when and under which settings a run is started has no effect: typed as a user types it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from .lab import SCENARIOS, typed

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("mosquitto")]

HERE = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC", "OMP_NUM_THREADS": "1"}
ELSEWHERE = {
    "PYTHONHASHSEED": "12345",
    "LC_ALL": "POSIX",
    "LANG": "tr_TR.ISO8859-9",
    "TZ": "Asia/Kathmandu",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONOPTIMIZE": "1",
    "OMP_NUM_THREADS": "3",
    "OPENBLAS_NUM_THREADS": "2",
    "MKL_NUM_THREADS": "4",
}


def told(data: dict[str, Any]) -> tuple[Any, ...]:
    return data["digest"], data["results"], data["virtual_time_s"], data["instants"]


def test_nothing_around_a_run_gets_into_it(tmp_path: Path) -> None:
    file = SCENARIOS / "surroundings.yaml"
    expected = told(typed(file, "--runs", tmp_path, environment=HERE))
    far = tmp_path / "a #, a % and a space"
    far.mkdir()
    away = os.path.relpath(file, far)
    for how in ([], ["--in-process"]):
        ran = typed(away, *how, "--runs", "other runs", environment=ELSEWHERE, cwd=far)
        assert told(ran) == expected
        assert Path(ran["run_folder"]).parent == far / "other runs"


def test_a_hash_seed_drawn_at_random_changes_nothing(tmp_path: Path) -> None:
    file = SCENARIOS / "surroundings.yaml"
    runs = [
        typed(file, *how, "--runs", tmp_path, environment={"PYTHONHASHSEED": "random"})
        for how in ([], ["--in-process"], ["--in-process"])
    ]
    assert told(runs[0]) == told(runs[1]) == told(runs[2])


def test_a_register_comes_to_the_same_on_one_core_and_on_all(tmp_path: Path) -> None:
    taskset = shutil.which("taskset")
    if taskset is None:
        pytest.skip("taskset, which pins a process to a core, comes with Linux only")
    file = SCENARIOS / "register.yaml"
    core = str(min(os.sched_getaffinity(0)))
    pinned = typed(file, "--runs", tmp_path, before=(taskset, "-c", core))
    threads = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    free = typed(file, "--runs", tmp_path, environment=threads)
    alone = typed(file, "--in-process", "--runs", tmp_path, environment=threads)
    assert told(free) == told(pinned)
    assert told(alone) == told(pinned)
    assert 0.5 < pinned["metrics"]["alice.ghz.fidelity"]["mean"] < 0.999
