"""Releases whose signing key has expired since they were delivered still run, or run again."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.adapters import signing
from pipelines.adapters.releases import ReleaseStore
from pipelines.adapters.signing import SigningKey
from pipelines.domain.release import Release
from pipelines.errors import ExitCode
from tests.agent.conftest import Lay
from tests.agent.train import Train, made

pytestmark = pytest.mark.freqtrade


def trust(train: Train, line: str) -> None:
    """What trust.yaml says of the first key from now on; the second one always counts."""
    path = train.project / "environments" / "demo" / "trust.yaml"
    rest = [each for each in path.read_text().splitlines() if "demo-1" not in each]
    public = train.key.public
    first = f"  demo-1: {{role: demo, kind: ed25519, key: {public}{line}}}"
    path.write_text("\n".join([rest[0], *([first] if line != "gone" else []), *rest[1:], ""]))


@pytest.fixture(scope="module")
def train(lay: Lay) -> Iterator[Train]:
    with lay() as laid:
        laid.start()
        yield laid


@pytest.fixture(scope="module")
def fresh(train: Train, tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    """A second key."""
    key = signing.create(tmp_path_factory.mktemp("fresh") / "demo.pem")
    path = train.project / "environments" / "demo" / "trust.yaml"
    line = f"  demo-2: {{role: demo, kind: ed25519, key: {key.public}}}"
    path.write_text(f"{path.read_text()}{line}\n")
    return key


def without_trades(train: Train) -> None:
    for _ in range(12):
        if train.strategy("test").open_trades == 0:
            return
        train.step(1)
    raise AssertionError(train.told())


def killed(train: Train) -> None:
    """The bot was killed, after a steady time, and the wait for its next start is over."""
    train.exchange.step(minutes=11)
    train.end_bot(train.house.lock("test", "beat"))
    train.until_phase("test", "failed")
    train.exchange.step(minutes=1)


@pytest.fixture(scope="module")
def expired(train: Train, fresh: SigningKey) -> tuple[Release, Release]:
    """The first release was delivered with a key that has expired since; the second one runs."""
    releases = []
    for version, key in (("1.0.0", None), ("1.1.0", fresh)):
        release = train.release(version, signed_by=key)
        ended = train.sluice("deliver", str(release.id))
        assert ended.returncode == 0, ended.stderr
        without_trades(train)
        train.until_running("test", release)
        releases.append(release)
    trust(train, f", until: {datetime.now(UTC).isoformat()}")
    # A new agent remembers nothing of what it has verified before.
    train.stop()
    train.start()
    return releases[0], releases[1]


@pytest.fixture(scope="module")
def back(train: Train, expired: tuple[Release, Release]) -> Release:
    """The same, rolled back to the first."""
    without_trades(train)
    assert train.sluice("rollback", "test", "--reason", "worse").returncode == 0
    train.until_running("test", expired[0])
    return expired[0]


def test_a_delivery_is_written_down_in_both_clocks(
    train: Train, expired: tuple[Release, Release]
) -> None:
    entries = [entry for entry in train.entries() if entry["entry"] == "delivered"]
    assert [entry["digest"] for entry in entries] == [release.digest for release in expired]
    for entry in entries:
        verified, at = (datetime.fromisoformat(entry[name]) for name in ("verified", "at"))
        assert timedelta() < datetime.now(UTC) - verified < timedelta(hours=1)
        assert at.year == 2022, "the exchange's, like every entry of a rehearsal"


def test_a_rollback_leads_back_to_it_and_it_trades(train: Train, back: Release) -> None:
    there = train.strategy("test")
    assert (there.running, there.verified, there.healthy) == (str(back.id), True, True)


def test_a_bot_of_it_that_dies_is_started_again(train: Train, back: Release) -> None:
    killed(train)
    train.until_running("test", back)


def test_delivering_it_again_changes_nothing(train: Train, back: Release) -> None:
    before = train.counted()["delivered"]
    assert train.sluice("deliver", str(back.id)).returncode == 0
    assert train.counted()["delivered"] == before


def test_what_that_key_signed_and_nobody_delivered_counts_as_of_now(
    train: Train, back: Release, tmp_path: Path
) -> None:
    # As whoever has the key's file could date it.
    other = train.release("1.2.0", taken_at=datetime.now(UTC) - timedelta(days=1))
    ended = train.sluice("deliver", str(other.id))
    assert ended.returncode == ExitCode.REFUSED
    assert "demo-1 has expired" in ended.stderr
    train.want("sandbox", other)
    assert train.strategy("sandbox").phase == "absent"
    assert not train.house.lock("sandbox", "beat").held()
    assert any("demo-1 has expired" in alert.text for alert in train.alerts())


def test_another_envelope_in_its_place_does_not_inherit_the_delivery(
    train: Train, back: Release
) -> None:
    """The same key signs the same once more: a file that was edited says no earlier time."""
    store = ReleaseStore(train.home)
    path = store.dsse(back.digest)
    before = path.read_bytes()
    earlier = datetime.now(UTC) - timedelta(days=1)
    _, _, dsse = made(train.project, train.key, back.version, taken_at=earlier)
    assert signing.opened(dsse, "dsse")[1].predicate.release == back
    path.write_bytes(dsse)
    try:
        killed(train)
        there = train.strategy("test")
        assert "demo-1 has expired" in there.decision
        assert not train.house.lock("test", "beat").held()
    finally:
        path.write_bytes(before)
    train.exchange.step(minutes=2)
    train.until_running("test", back)


@pytest.mark.parametrize(
    ("line", "said"),
    [(", revoked: 2026-01-01T00:00:00Z", "demo-1 was revoked"), ("gone", "knows no key")],
)
def test_a_key_that_was_revoked_or_taken_out_lets_nothing_run(
    train: Train, back: Release, line: str, said: str
) -> None:
    trust(train, line)
    try:
        killed(train)
        assert said in train.strategy("test").decision
        assert not train.house.lock("test", "beat").held()
    finally:
        trust(train, f", until: {datetime.now(UTC).isoformat()}")
    train.exchange.step(minutes=2)
    train.until_running("test", back)
