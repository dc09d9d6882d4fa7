"""The keys of a run that is over: what the audit trails of its stores say, without a bit of key.

Owns reading and adding up. Does not own the trail (agents/keys/audit.py) nor the layout
(cli/keys_commands.py).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..agents.keys.audit import Entry, first_broken
from ..agents.keys.database import file_name, read_audit
from ..emulator.errors import InputError
from ..runs.recorded import RecordedRun
from .key_sites import key_sites


@dataclass
class SiteKeys:
    """The trail of one site. `broken`: the number of the first entry that does not follow, or None.

    `entries` are those before it: what comes behind may say anything.
    """

    site: str
    entries: list[Entry]
    broken: int | None
    #: Application -> what it has had.
    tenants: dict[str, Counter[str]] = field(default_factory=dict)


def keys_of_run(run: RecordedRun) -> list[SiteKeys]:
    """Those of all sites. Raises InputError for a run without stores."""
    return [
        _site_keys(site.node, path)
        for site, path in (
            (each, _store_of(run, each.node, each.service)) for each in key_sites(run.resolved())
        )
    ]


def _store_of(run: RecordedRun, node: str, service: str) -> Path:
    options = run.resolved().nodes[node].services[service].options
    name = file_name(node, service)
    path = run.folder.stores / name
    if not path.exists() and options.get("store"):
        path = Path(options["store"]) / name
    if not path.exists():
        raise InputError(f"{run.path}: {node} has stored nothing in {path}")
    return path


def _site_keys(site: str, path: Path) -> SiteKeys:
    entries = read_audit(path)
    broken = first_broken(entries)
    if broken is not None:
        entries = entries[: broken - 1]
    found = SiteKeys(site, entries, broken)
    for entry in entries:
        if entry.what == "delivered":
            tenant = found.tenants.setdefault(entry.facts["to"], Counter())
            tenant["as master" if entry.facts["role"] == "master" else "by id"] += 1
            tenant["bits"] += entry.facts["bits"]
    return found


def as_data(site: SiteKeys) -> dict[str, Any]:
    """Plain values."""
    return {
        "site": site.site,
        "trail": "whole" if site.broken is None else f"broken at entry {site.broken}",
        "applications": {
            name: dict(sorted(row.items())) for name, row in sorted(site.tenants.items())
        },
        "entries": [
            {"number": each.number, "t_ns": each.t_ns, "what": each.what, **each.facts}
            for each in site.entries
        ],
    }
