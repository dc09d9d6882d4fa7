"""An epoch is one moment in every zone and on every machine; what is none is refused where it stands."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from qnetem import Agent, run
from qnetem.emulator.errors import InputError, TopologyError
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.topology.model.epoch import utc_text
from qnetem.emulator.topology.model.topology import Time, Topology
from qnetem.sources import read_source

from .... import harness

_TEXT = "name: sky\nnodes: {a: {}}\ntime: {epoch: EPOCH}\n"
NOON_NS = int(datetime(2026, 3, 20, 12, tzinfo=UTC).timestamp()) * 10**9


def epoch_of(written: str) -> int:
    return parse_topology(_TEXT.replace("EPOCH", written)).time.epoch_ns


@pytest.mark.parametrize(
    ("written", "epoch_ns"),
    [
        ("2026-03-20T12:00:00Z", NOON_NS),
        ("2026-03-20t12:00:00z", NOON_NS),
        ("2026-03-20 12:00:00 Z", NOON_NS),
        ("'2026-03-20T12:00Z'", NOON_NS),
        ("2026-03-20T14:30:00+02:30", NOON_NS),
        ("2026-03-20T02:00:00-1000", NOON_NS),
        ("2026-03-20T12:00:00.000000001Z", NOON_NS + 1),
        ("2026-03-20T12:00:00.5000000000000Z", NOON_NS + 500_000_000),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999999Z", -1),
    ],
)
def test_an_epoch_is_read_to_the_nanosecond_in_its_zone(written: str, epoch_ns: int) -> None:
    assert epoch_of(written) == epoch_ns


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("2026-03-20T12:00:00", "without a zone: say Z for UTC"),
        ("2026-03-20", "expected a date and time with its zone"),
        ("1774008000", "expected a date and time with its zone"),
        ("2026-02-30T12:00:00Z", "day"),
        ("2026-03-20T24:00:00Z", "hour must be in 0..23"),
        ("2026-03-20T12:00:00+24:00", "strictly between"),
        ("2026-03-20T12:00:00+01:60", "less than 60 minutes"),
        ("2016-12-31T23:59:60Z", "leap second"),
        ("1899-12-31T23:59:59Z", "a year from 1900 to 2199"),
        ("2199-12-31T23:59:59-01:00", "a year from 1900 to 2199"),
        ("0000-01-01T00:00:00Z", "year 0"),
        ("2026-03-20T12:00:00.1234567891Z", "at most 9 digits"),
    ],
)
def test_what_is_no_moment_is_refused_at_its_place(written: str, why: str) -> None:
    with pytest.raises(TopologyError, match="epoch") as refused:
        epoch_of(written)
    assert why in str(refused.value)
    assert (refused.value.line, refused.value.column) == (3, 15)


@pytest.mark.parametrize(
    ("given", "epoch_ns"),
    [
        (datetime(2026, 3, 20, 12, tzinfo=UTC), NOON_NS),
        (datetime(2026, 3, 20, 13, 0, 0, 7, timezone(timedelta(hours=1))), NOON_NS + 7_000),
        (datetime(2026, 3, 20, 12), None),  # noqa: DTZ001 refused
        (date(2026, 3, 20), None),
    ],
)
def test_data_may_hold_a_datetime_with_a_zone(given: Any, epoch_ns: int | None) -> None:
    source = {"name": "sky", "nodes": {"a": {}}, "time": {"epoch": given}}
    if epoch_ns is None:
        with pytest.raises(InputError, match=r"without a zone|YAML cannot say"):
            read_source(source)
    else:
        assert read_source(source).time.epoch_ns == epoch_ns


def test_an_epoch_survives_the_record_of_a_run() -> None:
    topology = parse_topology(_TEXT.replace("EPOCH", "2026-03-20T12:00:00.25Z"))
    again = Topology.from_data(topology.to_data())
    assert utc_text(again.time.epoch_ns) == "2026-03-20T12:00:00.25Z"
    with pytest.raises(TopologyError, match="from 1900 to 2199"):
        Topology.from_data(topology.to_data() | {"time": {"epoch_ns": 10**22}})


class Calendar(Agent):
    """What a program's clocks show 1.5 s after the beginning."""

    async def run(self) -> Any:
        await self.compute("1500000001 ns")
        return [self.epoch.isoformat(), self.utc.isoformat(), self.now_ns]


def test_a_program_reads_the_calendar_from_its_node() -> None:
    nodes = {"a": {"program": Calendar}}
    source = {"name": "sky", "nodes": nodes, "time": {"epoch": "2026-03-20T12:00:00Z"}}
    shown = run(source, in_process=True).results["a"]
    assert shown == ["2026-03-20T12:00:00+00:00", "2026-03-20T12:00:01.500000+00:00", 1500000001]


async def _wall(me: Agent) -> Any:
    await me.compute("10 ms")
    return datetime.now(tz=UTC).isoformat()


def test_a_skewed_clock_is_wrong_on_top_of_the_epoch() -> None:
    topology = harness.network(
        {"a": _wall}, faults=[harness.fault("clock_skew", "a", 5_000_000, offset=1e9)]
    ).model_copy(update={"time": Time(epoch_ns=NOON_NS)})
    assert harness.run(topology).results == {"a": "2026-03-20T12:00:01.005000+00:00"}
