"""`qnetem passes FILE`: when the satellites of a topology can be seen, and what a pass may give.

Owns the command, its options and its three formats. Does not own the passes (passes/) nor the picture.
"""

from __future__ import annotations

import csv
import io
import math
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..emulator.errors import InputError
from ..emulator.units import format_ns, parse_ns
from ..text.folding import width_of
from .completion import topology_files
from .help import FILES
from .set_option import SetOption, overrides_from
from .terminal import errors_on_standard_error, print_object, reader_may_close

if TYPE_CHECKING:
    from ..emulator.loading import Topology
    from ..passes.common import CommonPasses, CommonRow
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
    common: Annotated[
        bool,
        typer.Option("--common", help="Only common passes: a source of pairs sees two stations."),
    ] = False,
    sets: SetOption = None,
) -> None:
    """List when satellites are seen, with loss and expected key."""
    with errors_on_standard_error():
        from ..emulator.loading import load_topology
        from ..emulator.space.contacts import DAY_NS
        from ..passes.common import common_passes
        from ..passes.passes import moving_links

        topology = load_topology(file, overrides=overrides_from(sets))
        until_ns = parse_ns(until) if until is not None else topology.time.until_ns or DAY_NS
        links = moving_links(topology)
        arms = common_passes(topology, links)
        if common and not arms:
            raise InputError(
                "no source of pairs here has arms to two stations: expected source: {kind: spdc} or "
                "{kind: spdc_cw} at a node with two such links to nodes with detectors"
            )
        rows = sorted(
            (row for link in links for row in link.rows(until_ns)),
            key=lambda row: (row.start_ns, row.link),
        )
        shared = sorted(
            (row for each in arms for row in each.rows(until_ns)),
            key=lambda row: (row.start_ns, row.source, row.ends),
        )
        if out is not None:
            from ..passes.picture import draw_passes

            draw_passes(out, links, rows, until_ns, arms)
        with reader_may_close():
            if form is PassesFormat.json:
                print_object(_object(topology, rows, shared, until_ns))
            elif form is PassesFormat.csv:
                data = [_common_data(topology, row) for row in shared]
                if not common:
                    data = [_data(topology, row) for row in rows]
                _print(_csv(data, _COMMON_FIELDS if common else _FIELDS))
            else:
                tables = [] if common else [_table(topology, rows, until_ns)]
                if arms:
                    tables.append(_common_table(topology, arms, shared, until_ns))
                for index, lines in enumerate(tables):
                    _print(["", *lines] if index else lines)


def _print(lines: list[str]) -> None:
    for line in lines:
        typer.echo(line)


def _utc(topology: Topology, t_ns: int) -> str:
    from ..emulator.topology.model.epoch import utc_text

    whole_s = (topology.time.epoch_ns + t_ns + 500_000_000) // 10**9
    return utc_text(whole_s * 10**9)


def _data(topology: Topology, row: PassRow) -> dict[str, Any]:
    """One pass in plain values; None where there is nothing to say."""
    return {
        "link": row.link,
        "start_s": row.start_ns / 1e9,
        "end_s": row.end_ns / 1e9,
        "start": _utc(topology, row.start_ns),
        "end": _utc(topology, row.end_ns),
        "highest_deg": None if row.highest_deg is None else round(row.highest_deg, 3),
        "range_km": round(row.range_km, 3),
        "loss_db": _finite(row.loss_db),
        "doppler_ghz": round(row.doppler_ghz, 3),
        "night": row.night,
        "sunlit": row.sunlit,
        "key_bits": None if row.key_bits is None else round(row.key_bits),
    }


def _finite(loss_db: float) -> float | None:
    """JSON has no infinite number: none is said where no light arrives."""
    return round(loss_db, 3) if math.isfinite(loss_db) else None


def _common_data(topology: Topology, row: CommonRow) -> dict[str, Any]:
    """One common pass in plain values; the ends in the order of `ends`."""
    return {
        "source": row.source,
        "first": row.ends[0],
        "second": row.ends[1],
        "start_s": row.start_ns / 1e9,
        "end_s": row.end_ns / 1e9,
        "start": _utc(topology, row.start_ns),
        "end": _utc(topology, row.end_ns),
        "first_range_km": round(row.ranges_km[0], 3),
        "second_range_km": round(row.ranges_km[1], 3),
        "first_loss_db": _finite(row.losses_db[0]),
        "second_loss_db": _finite(row.losses_db[1]),
        "night": row.night,
        "pairs": None if row.pairs is None else round(row.pairs, 1),
        "key_bits": None if row.key_bits is None else round(row.key_bits),
    }


def _object(
    topology: Topology, rows: list[PassRow], shared: list[CommonRow], until_ns: int
) -> dict[str, Any]:
    return {
        "name": topology.name,
        "until_s": until_ns / 1e9,
        "passes": [_data(topology, row) for row in rows],
        "common": [_common_data(topology, row) for row in shared],
    }


_FIELDS = ("link", "start_s", "end_s", "start", "end", "highest_deg", "range_km", "loss_db",
           "doppler_ghz", "night", "sunlit", "key_bits")  # fmt: skip
_COMMON_FIELDS = ("source", "first", "second", "start_s", "end_s", "start", "end", "first_range_km",
                  "second_range_km", "first_loss_db", "second_loss_db", "night", "pairs",
                  "key_bits")  # fmt: skip


def _csv(data: list[dict[str, Any]], fields: tuple[str, ...]) -> list[str]:
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    for row in data:
        writer.writerow({key: "" if value is None else value for key, value in row.items()})
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
        f"{row.loss_db:.1f} dB" if math.isfinite(row.loss_db) else "no light",
        _word(row.night),
        "-" if bits is None else f"{bits:,} bit",
    )


_COMMON_HEAD = (
    "common pass of",
    "start (UTC)",
    "lasts",
    "ranges",
    "losses",
    "night",
    "pairs",
    "key",
)


def _common_table(
    topology: Topology, arms: list[CommonPasses], rows: list[CommonRow], until_ns: int
) -> list[str]:
    """Its lines; what each pair of stations lacks is said too."""
    from ..text.columns import in_columns

    seen = {(row.source, row.ends) for row in rows}
    never = [
        f"no common pass of {' and '.join(each.ends)} under {each.source} in {_span(until_ns)}"
        for each in arms
        if (each.source, each.ends) not in seen
    ]
    if not rows:
        return never
    table = [_COMMON_HEAD, *(_common_cells(topology, row) for row in rows)]
    return [*in_columns(table, width_of(sys.stdout), yields=0, right=(2, 6, 7)), *never]


def _common_cells(topology: Topology, row: CommonRow) -> tuple[str, ...]:
    (near, far), (one, other) = row.ranges_km, row.losses_db
    return (
        " and ".join(row.ends),
        _utc(topology, row.start_ns),
        f"{row.duration_s:.0f} s",
        f"{near:.0f} + {far:.0f} km",
        f"{one:.1f} + {other:.1f} dB" if math.isfinite(one + other) else "no light",
        _word(row.night),
        "-" if row.pairs is None else f"{row.pairs:,.0f}",
        "-" if row.key_bits is None else f"{row.key_bits:,.0f} bit",
    )


def _word(night: bool | None) -> str:
    return "-" if night is None else "yes" if night else "no"


def _span(time_ns: int) -> str:
    hours = time_ns / 3_600e9
    return f"{hours:g} h" if hours >= 1 else format_ns(time_ns)
