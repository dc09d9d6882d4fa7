"""The files of a run folder that one process writes and another reads: where each of them lies.

Owns those names, so that the node's and the emulator's process and the launcher agree on them. Does not own
what is in a file, nor the launcher's own files (qnetem/runs/run_folder.py, which has all paths of a run).
"""

from __future__ import annotations

import os
from pathlib import Path

Folder = str | os.PathLike[str]
RECORD_SUFFIX = ".bin.gz"


def journal(run_folder: Folder) -> Path:
    """Events, compressed, with `record: full` only (emulator/record/journal.py)."""
    return Path(run_folder, "journal.jsonl.gz")


def inputs(run_folder: Folder) -> Path:
    """Of a replay: the list of `RecordedInput`s that it feeds from outside, as msgpack."""
    return Path(run_folder, "inputs.bin")


def refusals(run_folder: Folder) -> Path:
    """Connections that the emulator refused (emulator/record/refusals.py)."""
    return Path(run_folder, "access.jsonl")


def logs(run_folder: Folder) -> Path:
    """The folder of logs: emulator, zygote, and one for each incarnation of a node."""
    return Path(run_folder, "logs")


def node_log(run_folder: Folder, node: str, incarnation: int) -> Path:
    """What an incarnation of a node logged and printed."""
    return logs(run_folder) / f"{node}.{incarnation}.log"


def node_stacks(run_folder: Folder, node: str, incarnation: int) -> Path:
    """Where an incarnation of a node writes its stacks on SIGUSR1."""
    return logs(run_folder) / f"{node}.{incarnation}.stacks"


def worker_log(run_folder: Folder, number: int) -> Path:
    """What a worker printed that none of its nodes did. No node's log is called like this."""
    return logs(run_folder) / f"worker-{number}.log"


def worker_stacks(run_folder: Folder, number: int) -> Path:
    """Where a worker writes the stacks of the node at work on SIGUSR1."""
    return logs(run_folder) / f"worker-{number}.stacks"


def worker_step(run_folder: Folder, number: int) -> Path:
    """Where a worker says which of its nodes is at work (agents/process/step_marker.py)."""
    return logs(run_folder) / f"worker-{number}.step"


def records(run_folder: Folder) -> Path:
    """The folder of what each incarnation received and did; with `record: full` only."""
    return Path(run_folder, "nodes")


def stores(run_folder: Folder) -> Path:
    """The folder of what services have stored (agents/storage.py)."""
    return Path(run_folder, "stores")


def node_record(run_folder: Folder, node: str, incarnation: int) -> Path:
    """What an incarnation of a node received and did, compressed (agents/process/files.py)."""
    return records(run_folder) / f"{node}.{incarnation}{RECORD_SUFFIX}"
