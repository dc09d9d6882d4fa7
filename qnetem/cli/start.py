"""The `qnetem` command before its imports: what can be begun at once is begun here.

Owns the answer to `--version`, the new start of a run in one process, and the early start of a run's emulator
and zygote. Does not own the command line (main.py), which reads the same words again: a word that looks
like an option here and is none costs time and changes nothing.

Rule: it imports next to nothing, because all that it imports comes before that.
"""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..launcher.early import EarlyProcesses

#: Words after `run` with which it starts no emulator of its own.
_NO_PROCESSES = frozenset(("--in-process", "--twice", "--help"))


def main() -> None:
    """The `qnetem` command."""
    words = sys.argv[1:]
    if words == ["--version"] and sys.stdout is not None:
        from ..version import package_version

        sys.stdout.write(f"qnetem {package_version()}\n")
        return
    if words[:1] != ["run"] or not _NO_PROCESSES.isdisjoint(words):
        if words[:1] == ["run"] and "--in-process" in words and "--twice" not in words:
            from ..processes.reexecution import reexecute_with_fixed_environment

            reexecute_with_fixed_environment()
        _command_line()
        return
    from ..launcher.early import EarlyProcesses

    gc.disable()  # until a run has been read (main.py): imports make no garbage worth a collection
    with EarlyProcesses() as early:
        if len(words) > 1:
            early.start()
        _command_line(early)


def _command_line(early: EarlyProcesses | None = None) -> None:
    from .main import main as command_line

    command_line(early)


if __name__ == "__main__":
    main()
