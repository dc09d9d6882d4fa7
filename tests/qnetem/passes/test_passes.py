"""`qnetem passes`: what is printed of a pass is what the emulator makes of it."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qnetem.cli import main as cli
from qnetem.emulator.kernel.streams import Streams
from qnetem.emulator.loading import load_topology
from qnetem.emulator.quantum.links.channels import light_channel_of
from qnetem.passes.coastlines import coastlines
from qnetem.passes.passes import moving_links

TOPOLOGIES = Path(__file__).parents[3] / "topologies"
MICIUS = TOPOLOGIES / "space" / "micius.yaml"


def typed(*words: str) -> Result:
    return CliRunner().invoke(cli.app, ["passes", *words])


def test_a_pass_is_where_the_emulator_has_it_with_its_loss() -> None:
    topology = load_topology(MICIUS)
    (link,) = moving_links(topology)
    (row,) = link.rows(600 * 10**9)
    channel = light_channel_of(topology, topology.links["micius-xinglong"], Streams(1))
    assert channel is not None
    for t_ns, lit in ((row.start_ns - 1, False), (row.start_ns, True), (row.end_ns, False)):
        assert (channel.at(t_ns, "micius").survival > 0) is lit
    for moment in link.moments(row.start_ns, row.end_ns)[::40]:
        got = channel.at(moment.t_ns, "micius").survival
        assert got == pytest.approx(10 ** (-moment.loss_db / 10), rel=1e-9)
    assert row.range_km == pytest.approx(632, abs=1)
    assert row.night and row.sunlit is False


def test_the_expected_key_is_of_the_size_that_was_published() -> None:
    """300,939 bits of 273 s at 100 times the pulses, of finite size: less than without that limit."""
    (link,) = moving_links(load_topology(MICIUS))
    (row,) = link.rows(600 * 10**9)
    assert row.key_bits is not None
    assert 3009 < row.key_bits < 2 * 3009
    # light goes the way of the laser, and a link without detectors has no key
    assert not link.reverse


def test_all_formats_tell_the_same() -> None:
    words = (str(MICIUS), "--until", "24 h")
    objects = json.loads(typed(*words, "--format", "json").stdout)["passes"]
    assert len(objects) == 3
    rows = list(csv.DictReader(io.StringIO(typed(*words, "--format", "csv").stdout)))
    assert [list(row) for row in rows] == [list(each) for each in objects]
    assert [float(row["start_s"]) for row in rows] == [each["start_s"] for each in objects]
    table = typed(*words).stdout.splitlines()
    assert len(table) == 4
    for line, each in zip(table[1:], objects, strict=True):
        assert line.split()[:2] == [each["link"], each["start"]]
        assert f"{each['highest_deg']:.1f} deg" in line and f"{each['key_bits']:,} bit" in line
    assert objects[0]["start"] == "2016-12-19T18:00:19Z"


DOUBLE = str(TOPOLOGIES / "space" / "double-downlink.yaml")


@pytest.mark.parametrize("file", ["micius.yaml", "double-downlink.yaml"])
def test_a_pass_by_which_no_light_arrives_says_so_in_every_format(
    tmp_path: Path, file: str
) -> None:
    """A loss of which the transmittance is 0 in floating point."""
    folder = shutil.copytree(TOPOLOGIES / "space", tmp_path / "space")
    path = folder / file
    path.write_text(re.sub(r"insertion_loss: \S+ dB", "insertion_loss: 16000 dB", path.read_text()))
    words = (str(path), "--until", "24 h")
    told = json.loads(typed(*words, "--format", "json").stdout, parse_constant=pytest.fail)
    assert told["passes"]
    assert all(each["loss_db"] is None for each in told["passes"])
    assert all(each["first_loss_db"] is None for each in told["common"])
    table = typed(*words).stdout
    assert table.count("no light") == len(told["passes"]) + len(told["common"])
    for row in csv.DictReader(io.StringIO(typed(*words, "--format", "csv").stdout)):
        assert row["loss_db"] == ""
        assert row["key_bits"] in ("", "0")
    assert typed(*words, "--out", str(tmp_path / "dark.svg")).exit_code == 0


def test_common_passes_of_a_source_of_pairs_are_a_table_of_their_own() -> None:
    lines = typed(DOUBLE, "--until", "24 h").stdout.splitlines()
    at = lines.index("")
    assert lines[0].split()[0] == "link" and lines[at + 1].startswith("common pass of")
    only = typed(DOUBLE, "--until", "24 h", "--common")
    assert only.stdout.splitlines() == lines[at + 1 :]
    told = json.loads(typed(DOUBLE, "--until", "24 h", "--format", "json").stdout)
    common = told["common"]
    assert len(common) == len(lines) - at - 2 == 4
    rows = list(csv.DictReader(io.StringIO(
        typed(DOUBLE, "--until", "24 h", "--common", "--format", "csv").stdout)))  # fmt: skip
    assert [list(row) for row in rows] == [list(each) for each in common]
    alone = [each for each in told["passes"] if each["link"] == "micius-delingha"]
    other = [each for each in told["passes"] if each["link"] == "micius-lijiang"]
    for line, row in zip(lines[at + 2 :], common, strict=True):
        assert line.startswith(f"delingha and lijiang  {row['start']}")
        assert f"{row['first_loss_db']:.1f} + {row['second_loss_db']:.1f} dB" in line
        # each lies in a pass of either link
        for passes in (alone, other):
            assert any(
                each["start_s"] <= row["start_s"] < row["end_s"] <= each["end_s"] for each in passes
            )


def test_stations_without_a_common_pass_are_named() -> None:
    never = ("--set", "nodes.lijiang.position.latitude=-60 deg", "--until", "2 h")
    words = "no common pass of delingha and lijiang under micius in 2 h"
    assert typed(DOUBLE, *never).stdout.splitlines()[-1] == words
    assert typed(DOUBLE, *never, "--common").stdout == f"{words}\n"
    refused = typed(str(MICIUS), "--common")
    assert refused.exit_code == 2 and "no source of pairs here has arms" in refused.stderr


def test_without_a_window_neither_coincidences_nor_a_key_are_known() -> None:
    unknown = ("--set", "nodes.delingha.with={peer: lijiang, source: micius}")
    (row,) = json.loads(typed(DOUBLE, *unknown, "--format", "json").stdout)["common"]
    assert row["pairs"] is row["key_bits"] is None
    slots = ("--set", "nodes.micius.source={kind: spdc, rate: 100 MHz, mean_pairs: 0.059}")
    (row,) = json.loads(typed(DOUBLE, *unknown, *slots, "--format", "json").stdout)["common"]
    assert row["pairs"] > 200


def test_no_pass_is_said_and_no_satellite_is_an_error() -> None:
    assert typed(str(MICIUS), "--until", "5 s").stdout == "micius: no pass in 5 s\n"
    never = ("--set", "nodes.xinglong.position.latitude=-89 deg", "--set", "time.until=24 h",
             "--set", "nodes.micius.orbit.inclination=10 deg")  # fmt: skip
    assert typed(str(MICIUS), *never).stdout == "micius: no pass in 24 h\n"
    refused = typed(str(TOPOLOGIES / "decoy.yaml"))
    assert refused.exit_code == 2
    assert "no link of this topology has an end in orbit" in refused.stderr


def test_a_picture_is_drawn_with_the_worlds_coasts_and_the_same_every_time(tmp_path: Path) -> None:
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    for out in (first, second):
        assert typed(str(MICIUS), "--until", "2 h", "-o", str(out)).exit_code == 0
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size > 50_000
    assert typed(str(MICIUS), "-o", str(tmp_path / "map.doc")).exit_code == 2


def test_coasts_are_on_the_map() -> None:
    coasts = coastlines()
    assert sum(len(longitudes) for longitudes, _ in coasts) > 2000
    for longitudes, latitudes in coasts:
        assert len(longitudes) == len(latitudes) >= 3
        assert all(-180 <= x <= 180 for x in longitudes) and all(-90 <= y <= 90 for y in latitudes)
    # one point of Africa's west, within a degree and a half
    assert any(
        abs(x + 17.5) < 1.5 and abs(y - 14.7) < 1.5
        for xs, ys in coasts
        for x, y in zip(xs, ys, strict=True)
    )
