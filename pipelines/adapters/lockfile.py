"""`environments/data.lock`, read and written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pipelines import documents
from pipelines.domain.candles import DataLock, DataSet, Series
from pipelines.domain.soundness import written

WHERE = "environments/data.lock"

_HEAD = """\
# Which candles strategies may be judged on, and on which windows of them (first and last day).
# Written by 'sluice data pin', read by 'sluice check'; 'sluice docs data' explains it.
"""


def load(root: Path) -> DataLock:
    """The lock of a project.

    :raises BadInput: when it is missing or wrong.
    """
    return documents.load(root / WHERE, DataLock, WHERE, topic="data")


def load_or_empty(root: Path) -> DataLock:
    """The lock of a project; one without sets when there is none yet.

    :raises BadInput: when it is wrong.
    """
    return load(root) if (root / WHERE).exists() else DataLock(sets={})


def save(root: Path, lock: DataLock) -> None:
    """Write the lock as a whole or not at all.

    :raises CannotTell: when it cannot be written.
    """
    documents.write(root / WHERE, text(lock))


def text(lock: DataLock) -> str:
    """The lock as YAML: the same text for the same lock, whatever order it was made in."""
    sets = {name: _set(data) for name, data in sorted(lock.sets.items())}
    body = yaml.dump({"sets": sets}, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)
    return _HEAD + body


class _Line(dict[str, Any]):
    """Keys and values that are written on one line."""


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which leaves dates without quotes: our loader takes them as text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML declares it without ClassVar
        first: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _one_line(dumper: yaml.SafeDumper, data: _Line) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=True)


_Dumper.add_representer(_Line, _one_line)


def _set(data: DataSet) -> Mapping[str, Any]:
    windows = sorted(data.windows.items(), key=lambda item: (item[1].start, item[0]))
    series: dict[str, dict[str, Any]] = {}
    for pair, timeframe, pinned in data.every():
        series.setdefault(pair, {})[timeframe] = _series(pinned)
    return {
        "exchange": data.exchange,
        "trading_mode": data.trading_mode,
        "synthetic": data.synthetic,
        "source": data.source,
        "windows": {n: _Line(start=str(w.start), end=str(w.end)) for n, w in windows},
        "series": series,
    }


def _series(pinned: Series) -> Mapping[str, Any]:
    shown: dict[str, Any] = {
        "digest": pinned.digest,
        "rows": pinned.rows,
        "start": written(pinned.start),
        "end": written(pinned.end),
    }
    if pinned.gaps:
        shown["gaps"] = [_Line(at=written(gap.at), missing=gap.missing) for gap in pinned.gaps]
    return shown
