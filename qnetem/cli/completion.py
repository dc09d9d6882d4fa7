"""What the shell completes: topology files, runs, and the nodes of a run.

Owns the candidates. The shells' scripts are typer's (`qnetem --install-completion`, `--show-completion`).
Rules: only names are read, and not many, because a person waits at a key. Whatever is wrong gives no
candidate and no error; without candidates the shell completes file names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import typer

_TOPOLOGIES = (".yaml", ".yml")
_LATEST = "latest"
#: So many folders below the one that is typed are looked into, and so many entries altogether.
_DEPTH, _MOST_ENTRIES = 2, 2_000


def topology_files(incomplete: str) -> list[str]:
    """The YAML files that begin like this, in folders below too (a shell puts a blank behind a folder)."""
    head, slash, _ = incomplete.rpartition("/")
    top = os.path.expanduser(head) or ("/" if slash else ".")
    found = [head + slash + name for name in _below(top, _DEPTH)]
    return sorted(
        (path for path in found if path.startswith(incomplete)),
        key=lambda path: (path.count("/"), path),
    )


def run_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """`latest`, and the runs below the folder of runs, the last one first."""
    known = _runs(_runs_folder(ctx))
    return [name for name in [*([_LATEST] if known else []), *known] if name.startswith(incomplete)]


def nodes_of_run(ctx: typer.Context, incomplete: str) -> list[str]:
    """The nodes of the run that the command line names already."""
    from ..emulator.errors import InputError
    from ..runs.run_folder import RunFolder

    runs = _runs_folder(ctx)
    # An option that still lacks its value leaves what stands before it unread.
    name = str(ctx.params.get("run") or next(iter(ctx.args), _LATEST))
    if name == _LATEST:
        name = next(iter(_runs(runs)), "")
    for folder in (Path(name), runs / name):
        try:
            nodes = RunFolder(folder).read_nodes()
        except InputError:
            continue
        return [node for node in nodes if node.startswith(incomplete)]
    return []


def _below(folder: str, depth: int) -> Iterator[str]:
    """Topology files by their paths from the folder on; nothing that is hidden."""
    level, looked_at = [""], 0
    for _ in range(depth + 1):
        deeper = []
        for before in level:
            for entry in _entries(os.path.join(folder, before)):
                looked_at += 1
                if looked_at > _MOST_ENTRIES:
                    return
                if entry.name.endswith(_TOPOLOGIES):
                    yield before + entry.name
                elif entry.is_dir():
                    deeper.append(f"{before}{entry.name}/")
        level = sorted(deeper)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError:
        return []


def _runs_folder(ctx: typer.Context) -> Path:
    return Path(ctx.params.get("runs") or "runs")


def _runs(folder: Path) -> list[str]:
    """The names of runs, the last one first."""
    from ..runs.run_folder import RunFolder

    begun = []
    for entry in _entries(str(folder)):
        try:
            begun.append((RunFolder(Path(entry.path)).facts.stat().st_mtime_ns, entry.name))
        except OSError:
            continue
    return [name for _, name in sorted(begun, reverse=True)]
