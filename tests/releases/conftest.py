"""A project with a plugin, evidence about it, and keys: what releases are made of."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.adapters import pins, plugins
from pipelines.adapters.storage import EvidenceStore
from pipelines.checks import CHECKS
from pipelines.domain.evidence import Evidence, Isolation
from pipelines.domain.verdict import Status, Verdict
from pipelines.workflow import keys
from pipelines.workflow.docs import CHECKOUT
from pipelines.workflow.pack import PackedRelease, pack
from pipelines.workflow.place import Place

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

FILES = {
    "plain/strategy.yaml": """\
class: Plain
version: 1.4.0
owner: us
summary: buys above the mean
pairs: [BTC/USDT]
timeframe: 1h
handover: drain
""",
    "plain/strategy.py": '"""Means."""\n\nfrom shared.means_v1 import MEAN\n',
    "plain/strategy.json": '{"params": {}}\n',
    "shared/means_v1.py": "MEAN = 1\n",
}


@pytest.fixture
def here(project: Path, tmp_path: Path) -> Place:
    """A project with the plugin `plain`, no key and no evidence."""
    for path, text in FILES.items():
        file = project / "strategies" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return Place(project, tmp_path / "home")


@pytest.fixture
def trusted(here: Place) -> Callable[..., keys.NewKey]:
    """Make a key and add its line to trust.yaml, changed as asked."""

    def add(role: str, *, out: Path | None = None, **changed: str) -> keys.NewKey:
        made = keys.new(here, role, out, NOW)
        line = made.line
        for name, value in changed.items():
            line = line.replace("}", f", {name}: {value}}}")
        file = here.root / "environments" / "trust.yaml"
        file.write_text(f"{file.read_text()}{line}\n")
        return made

    return add


@pytest.fixture
def examined(here: Place) -> Callable[..., Path]:
    """Put down evidence about the plugin as it is now: passing, unless told otherwise."""

    def put(data: str = "binance-2020-2023", **changed: Any) -> Path:
        strategy = plugins.read(here.root, "plain")
        chosen = here.data_lock().sets[data]
        digest = chosen.digest_of(strategy.manifest.candle_pairs, strategy.manifest.timeframes)
        pinned = pins.read(here.root, CHECKOUT)
        values: dict[str, Any] = {
            "strategy": "plain",
            "version": strategy.manifest.version,
            "subject_digest": strategy.digest,
            "data_digest": digest,
            "data_name": data,
            "thresholds_digest": here.door().thresholds_digest(),
            "complete": True,
            "isolation": Isolation.FULL,
            "synthetic": chosen.synthetic,
            "tool_versions": {"freqtrade": pinned.freqtrade, "python": f"{pinned.python}.7"},
            "verdicts": tuple(Verdict(check=c.NAME, status=Status.PASSED) for c in CHECKS),
            "taken_at": NOW,
        }
        return EvidenceStore(here.home).save(Evidence(**{**values, **changed}))

    return put


@pytest.fixture
def packed(
    here: Place, trusted: Callable[..., keys.NewKey], examined: Callable[..., Path]
) -> PackedRelease:
    """The plugin, packed and signed by CI."""
    trusted("ci")
    examined()
    return pack(here, "plain", "ci", None, NOW)
