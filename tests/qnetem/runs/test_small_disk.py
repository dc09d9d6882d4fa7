"""A run on a disk that is nearly full: whichever file is the one too many, it is named and none is half."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qnetem.runs.node_record import NodeRecord
from tests.counts import count
from tests.harness import content

from ..trouble import Told, in_process, typed, written

pytestmark = [
    pytest.mark.processes,
    pytest.mark.campaign,
    pytest.mark.usefixtures("mosquitto"),
    pytest.mark.skipif(
        not sys.platform.startswith("linux") or os.geteuid() != 0,
        reason="only root may mount a small disk",
    ),
]

#: From a disk that takes nothing to one on which journals grow: at each size another file is the last.
SIZES = [f"size={kilobytes}k" for kilobytes in range(4, 84, 4)]
FILES = [f"size=80k,nr_inodes={number}" for number in range(3, 27)]
#: In a tenth: where the launcher, the broker, the observer and a node are the ones to be refused.
FEW = ["size=8k", "size=28k", "size=36k", "size=80k,nr_inodes=10", "size=80k,nr_inodes=22"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on which a disk can be mounted; nothing is mounted on it in the end."""
    folder = tmp_path / "disk"
    folder.mkdir()
    yield folder
    subprocess.run(["umount", str(folder)], check=False, capture_output=True)


def mounted(folder: Path, limit: str) -> None:
    words = ["mount", "-t", "tmpfs", "-o", limit, "tmpfs", str(folder)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this container may not mount a disk: {done.stderr.strip()}")


@pytest.mark.parametrize("limit", SIZES + FILES if count(10) > 1 else FEW)
@pytest.mark.parametrize("way", ["processes", "in-process"])
def test_a_run_on_a_disk_that_is_too_small_ends_by_name_and_with_whole_files(
    tmp_path: Path, disk: Path, limit: str, way: str
) -> None:
    mounted(disk, limit)
    written(tmp_path, "Talks", "Talks")
    see_the_name(run(tmp_path, disk, way), disk)
    for path in disk.rglob("*"):
        if path.is_file():
            see_that_it_is_whole(path)


@pytest.mark.parametrize("way", ["processes", "in-process"])
def test_a_program_is_not_to_blame_for_a_log_that_is_full(
    tmp_path: Path, disk: Path, way: str
) -> None:
    mounted(disk, "size=200k")
    file = written(tmp_path, "Talks", "Talks")
    file.write_text(file.read_text() + "record: hashes\n")
    programs = (tmp_path / "programs.py").read_text()
    programs = programs.replace("count += 1", "count += 1; print('a line ' * 100)")
    (tmp_path / "programs.py").write_text(programs)
    told = run(tmp_path, disk, way)
    see_the_name(told, disk)
    assert told.code == 3 and ".log cannot be written" in told.error


def run(folder: Path, disk: Path, way: str) -> Told:
    words: list[str | Path] = ["trouble.yaml", "--runs", disk]
    if way == "processes":
        return typed(folder, "run", *words, "--format", "json")
    return in_process(folder, *words)


def see_the_name(told: Told, disk: Path) -> None:
    """No end of an unknown kind; the text says what could not be written, and why."""
    assert told.code in (2, 3), told.stderr
    assert "Traceback" not in told.stderr
    assert str(disk) in told.error
    assert "No space left on device" in told.error


def see_that_it_is_whole(path: Path) -> None:
    data = content(path)
    assert not path.name.startswith("."), path  # a draft
    if path.suffix == ".json":
        assert json.loads(data)
    elif ".jsonl" in path.suffixes:
        assert data == b"" or data.endswith(b"\n")
        assert all(json.loads(line) for line in data.splitlines())
    elif ".bin" in path.suffixes and data:
        record = NodeRecord(path)
        assert list(record.records())
        assert not record.cut
