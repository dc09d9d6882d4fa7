"""`qnetem passes FILE`: when the satellites of a topology can be seen, and what a pass may give.

Owns the command, its options and its three formats. Does not own the passes (passes/) nor the picture.
"""

from __future__ import annotations

import csv
import io
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..emulator.units import format_ns, parse_ns
from ..text.folding import width_of
from .completion import topology_files
from .help import FILES
from .set_option import SetOption, overrides_from
from .terminal import errors_on_standard_error, print_object, reader_may_close

if TYPE_CHECKING:
    from ..emulator.loading import Topology
    from ..passes.passes import PassRow


class PassesFormat(StrEnum):
    """How passes are printed."""

    table = "table"
    json = "json"
    csv = "csv"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("passes", rich_help_panel=FILES)(passes_command)


def passes_command(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A topology (YAML).", autocompletion=topology_files),
    ],
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How far to look: 7 h (until of the file, or 24 h)."),
    ] = None,
    form: Annotated[
        PassesFormat, typer.Option("--format", help="How passes are printed.")
    ] = PassesFormat.table,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="PICTURE", help="Draw losses and ground tracks (svg, pdf, png)."
        ),
    ] = None,
    sets: SetOption = None,
) -> None:
    """List when satellites are seen, with loss and expected key."""
    with errors_on_standard_error():
        from ..emulator.loading import load_topology
        from ..emulator.space.contacts import DAY_NS
        from ..passes.passes import moving_links

        topology = load_topology(file, overrides=overrides_from(sets))
        until_ns = parse_ns(until) if until is not None else topology.time.until_ns or DAY_NS
        links = moving_links(topology)
        rows = sorted(
            (row for link in links for row in link.rows(until_ns)),
            key=lambda row: (row.start_ns, row.link),
        )
        if out is not None:
            from ..passes.picture import draw_passes

            draw_passes(out, links, rows, until_ns)
        with reader_may_close():
            if form is PassesFormat.json:
                print_object(_object(topology, rows, until_ns))
                return
            lines = (
                _csv(topology, rows)
                if form is PassesFormat.csv
                else _table(topology, rows, until_ns)
            )
            for line in lines:
                typer.echo(line)


def _data(topology: Topology, row: PassRow) -> dict[str, Any]:
    """One pass in plain values; None where there is nothing to say."""
    from ..emulator.topology.model.epoch import utc_text

    def utc(t_ns: int) -> str:
        whole_s = (topology.time.epoch_ns + t_ns + 500_000_000) // 10**9
        return utc_text(whole_s * 10**9)

    return {
        "link": row.link,
        "start_s": row.start_ns / 1e9,
        "end_s": row.end_ns / 1e9,
        "start": utc(row.start_ns),
        "end": utc(row.end_ns),
        "highest_deg": None if row.highest_deg is None else round(row.highest_deg, 3),
        "range_km": round(row.range_km, 3),
        "loss_db": round(row.loss_db, 3),
        "doppler_ghz": round(row.doppler_ghz, 3),
        "night": row.night,
        "sunlit": row.sunlit,
        "key_bits": None if row.key_bits is None else round(row.key_bits),
    }


def _object(topology: Topology, rows: list[PassRow], until_ns: int) -> dict[str, Any]:
    return {
        "name": topology.name,
        "until_s": until_ns / 1e9,
        "passes": [_data(topology, row) for row in rows],
    }


_FIELDS = ("link", "start_s", "end_s", "start", "end", "highest_deg", "range_km", "loss_db",
           "doppler_ghz", "night", "sunlit", "key_bits")  # fmt: skip


def _csv(topology: Topology, rows: list[PassRow]) -> list[str]:
    text = io.StringIO()
    writer = csv.DictWriter(text, _FIELDS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        data = _data(topology, row)
        writer.writerow({key: "" if value is None else value for key, value in data.items()})
    return text.getvalue().splitlines()


_HEAD = ("link", "start (UTC)", "lasts", "highest", "range", "loss", "night", "key")


def _table(topology: Topology, rows: list[PassRow], until_ns: int) -> list[str]:
    if not rows:
        return [f"{topology.name}: no pass in {_span(until_ns)}"]
    from ..text.columns import in_columns

    table = [_HEAD, *(_cells(_data(topology, row), row) for row in rows)]
    return in_columns(table, width_of(sys.stdout), yields=0, right=(2, 3, 4, 5, 7))


def _cells(data: dict[str, Any], row: PassRow) -> tuple[str, ...]:
    highest, bits = data["highest_deg"], data["key_bits"]
    return (
        row.link,
        data["start"],
        f"{row.duration_s:.0f} s",
        "-" if highest is None else f"{highest:.1f} deg",
        f"{row.range_km:.0f} km",
        f"{row.loss_db:.1f} dB",
        "-" if row.night is None else "yes" if row.night else "no",
        "-" if bits is None else f"{bits:,} bit",
    )


def _span(time_ns: int) -> str:
    hours = time_ns / 3_600e9
    return f"{hours:g} h" if hours >= 1 else format_ns(time_ns)
