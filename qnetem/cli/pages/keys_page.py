"""The page of `qnetem keys list`: who had which keys.

Owns the layout. Does not own what it is made of (keys/listing.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ...text.columns import in_columns

if TYPE_CHECKING:
    from ...keys.listing import SiteKeys

_COLUMNS = ("as master", "by id", "bits")


def page_of(sites: list[SiteKeys], width: int) -> list[str]:
    """Applications and what they had, each key that was delivered, and whether the trails are whole."""
    rows = [
        [site.site, name, *(str(row[column]) for column in _COLUMNS)]
        for site in sites
        for name, row in sorted(site.tenants.items())
    ]
    head = ["site", "application", *_COLUMNS]
    lines = in_columns([head, *rows], width, yields=1, right=(2, 3, 4))
    keys = [
        [
            datetime.fromtimestamp(entry.t_ns / 1e9, UTC).isoformat(timespec="milliseconds"),
            site.site,
            entry.facts["key"],
            str(entry.facts["bits"]),
            entry.facts["to"],
            entry.facts["role"],
            " - ".join(entry.facts["path"]),
            f"{entry.facts['failure']:.2g}",
        ]
        for site in sites
        for entry in site.entries
        if entry.what == "delivered"
    ]
    head = ["time", "site", "key", "bits", "to", "as", "path", "fails with"]
    lines += ["", *in_columns([head, *keys], width, yields=6, right=(3,))]
    for site in sites:
        state = "whole" if site.broken is None else f"broken at entry {site.broken}"
        lines.append(f"audit trail of {site.site}: {len(site.entries)} entries, {state}")
    return lines
