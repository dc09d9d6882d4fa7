"""A run's metrics and events as pandas tables: `Run.to_pandas`.

Owns their columns. pandas is optional, and imported when a table is asked for. Rule: a table holds what the
run holds, in its order, and nothing that was rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..assertions import EndedRun
from ..emulator.errors import InputError
from ..emulator.suggestions import did_you_mean
from ..emulator.wire import STATISTICS
from ..expect.expect import standard_error

if TYPE_CHECKING:
    import pandas

    from ..runs.events import Event

_EVENT_COLUMNS = ("t_ns", "m", "entity", "kind", "fields")


def table(run: EndedRun, of: str) -> pandas.DataFrame:
    """The table `of` a run: "metrics" or "events". Raises InputError for another, or without pandas."""
    makers = {"metrics": _metrics, "events": _events}
    if of not in makers:
        raise InputError(
            f"to_pandas: expected 'metrics' or 'events', not {of!r}{did_you_mean(of, makers)}"
        )
    frame = makers[of](_pandas(), run)
    frame.attrs = {"name": run.outcome.name, "seed": run.outcome.seed, "digest": run.digest}
    return frame


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise InputError("to_pandas needs pandas: pip install 'qnetem[data]'") from error
    return pandas


def _metrics(pandas: Any, run: EndedRun) -> pandas.DataFrame:
    """One row a metric, by its name; NaN where a metric was counted and not observed."""
    columns = [*STATISTICS, "standard_error"]
    rows = [{**metric, "standard_error": standard_error(metric)} for metric in run.metrics.values()]
    index = pandas.Index(list(run.metrics), name="metric", dtype=object)
    return pandas.DataFrame(rows, index=index, columns=columns, dtype=float)


def _events(pandas: Any, run: EndedRun) -> pandas.DataFrame:
    """One row an event of the journal; `fields` is a tuple of JSON values, by kind."""
    events: Sequence[Event] = run.events()
    columns = {name: [getattr(event, name) for event in events] for name in _EVENT_COLUMNS}
    frame = pandas.DataFrame(columns, columns=list(_EVENT_COLUMNS))
    whole = frame.astype({"t_ns": "int64", "m": "int64"})
    whole.insert(1, "time_s", whole["t_ns"] / 1e9)
    return whole
