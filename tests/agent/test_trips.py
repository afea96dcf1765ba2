"""What is written down of a trip, and which limit counts over a whole host."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines import documents
from pipelines.domain.entry import Entry, Flattened, Halted, Resumed, Tripped
from pipelines.domain.environment import Environment
from pipelines.domain.limits import Then
from pipelines.domain.protections import Finding, Lifted, News, Unknown
from pipelines.domain.record import Line, Record
from runner.agent.guarding import _entries, _limits

NOW = datetime(2023, 5, 6, 12, tzinfo=UTC)
KEY = ("sandbox", "beat")
D = Decimal
TWO = D(2)


def environment(root: Path, name: str, **protections: Any) -> Environment:
    tree = yaml.safe_load((root / "environments" / f"{name}.yaml").read_text())
    tree["protections"] |= protections
    return documents.parse(yaml.safe_dump(tree).encode(), Environment, f"{name}.yaml")


def host_limit(own: Environment, *every: Environment) -> Decimal | None:
    limit = _limits(own, every).max_host_exposure
    return limit.limit if limit else None


def test_the_strictest_limit_of_a_host_counts_for_all_that_trade_money(root: Path) -> None:
    sandbox = environment(root, "sandbox", max_host_exposure=900)
    prod = environment(root, "prod", max_host_exposure=700)
    paper = environment(root, "test", max_host_exposure=10)
    every = (sandbox, prod, paper)
    assert [host_limit(each, *every) for each in every] == [D(700), D(700), D(10)]


def test_a_host_limit_that_one_environment_declares_counts_for_the_others(root: Path) -> None:
    sandbox = environment(root, "sandbox", max_host_exposure=None)
    prod = environment(root, "prod", max_host_exposure=700)
    assert host_limit(sandbox, sandbox, prod) == D(700)
    assert host_limit(sandbox, sandbox) is None


def written(item: News, *before: Entry, left: tuple[str, ...] = ()) -> list[Entry]:
    record = Record.of(Line(number, entry) for number, entry in enumerate(before, 1))
    return list(_entries(KEY, item, left, record, NOW))


def found(limit: str, then: Then, actual: Decimal | Unknown = TWO) -> Finding:
    return Finding(limit, D(1), actual, then)


def halt(limit: str = "") -> Halted:
    return Halted(environment="sandbox", strategy="beat", by="ann", at=NOW, limit=limit)


@pytest.mark.parametrize(
    ("item", "kinds"),
    [
        (found("max_drawdown", "flatten"), [Tripped, Flattened]),
        (found("max_drawdown", "halt"), [Tripped, Halted]),
        (found("max_drawdown", "warn"), [Tripped]),
        (found("max_drawdown?", "warn", Unknown("gone")), []),
        (found("max_drawdown?", "halt", Unknown("gone")), [Tripped, Halted]),
        (found("reference", "halt"), [Tripped, Halted]),
        (Lifted("reference"), []),
    ],
)
def test_what_a_trip_writes(item: News, kinds: list[type]) -> None:
    entries = written(item)
    assert [type(entry) for entry in entries] == kinds
    assert {getattr(entry, "limit", "") for entry in entries} <= {getattr(item, "limit", "")}


def test_what_is_written_tells_what_was_measured_and_what_is_allowed() -> None:
    trip, halted = written(found("max_drawdown", "halt"))
    assert isinstance(trip, Tripped)
    assert (trip.actual, trip.allowed, trip.then) == (D(2), D(1), "halt")
    assert isinstance(halted, Halted)
    assert trip.reason == halted.reason == "max_drawdown: 2, allowed is 1"
    (blind, _) = written(found("max_drawdown?", "halt", Unknown("gone")))
    assert isinstance(blind, Tripped)
    assert blind.actual is None


def test_what_ends_by_itself_takes_the_place_of_no_halt_that_somebody_has_to_end() -> None:
    for before in (halt(), halt("max_drawdown")):
        assert [type(e) for e in written(found("reference", "halt"), before)] == [Tripped]
    both = written(found("max_drawdown", "halt"), halt("reference"))
    assert [type(entry) for entry in both] == [Tripped, Halted]


def test_only_its_own_halt_is_lifted() -> None:
    (lifted,) = written(Lifted("reference"), halt("reference"))
    assert isinstance(lifted, Resumed)
    assert (lifted.lifts, lifted.by) == ("reference", "agent")
    assert written(Lifted("reference"), halt()) == []
    assert written(Lifted("reference"), halt("max_drawdown")) == []


def test_what_is_over_leaves_its_place_to_what_is_not() -> None:
    (still,) = written(Lifted("max_drawdown?"), halt("max_drawdown?"), left=("reference?",))
    assert isinstance(still, Halted)
    assert still.limit == "reference?"


def test_every_shipped_environment_declares_every_limit_that_it_can(root: Path) -> None:
    for name in ("test", "sandbox", "prod", "demo/test", "demo/sandbox", "demo/prod"):
        declared = environment(root, name).protections
        missing = {n for n in type(declared).model_fields if getattr(declared, n) is None}
        # In the demo there is one exchange; what is on paper has nothing at risk over a host.
        allowed = {"reference"} if name.startswith("demo/") else set()
        allowed |= {"reference", "max_host_exposure"} if name.endswith("test") else set()
        assert missing == allowed
