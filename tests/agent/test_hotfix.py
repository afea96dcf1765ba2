"""A hotfix on the way to prod: told as one, and let in early once two people have signed."""

import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.adapters import signing
from pipelines.domain.entry import Entry, Seen, Verified
from pipelines.domain.promotion import Kind, Promotion
from pipelines.domain.release import Release
from pipelines.errors import Refused
from runner.agent.launcher import Launcher
from tests.agent.light import Light, light, project
from tests.agent.train import Train, made

pytestmark = [pytest.mark.slow, pytest.mark.needs("ssh-keygen")]

REST, TRADES = "1" * 64, "2" * 64
CODE = "class Beat: ...\n"


@pytest.fixture(scope="module")
def bob(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = tmp_path_factory.mktemp("bob") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    return key


@pytest.fixture(scope="module")
def train(root: Path, approver: Path, bob: Path, tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Two people may approve for sandbox."""
    train = project(root, tmp_path_factory.mktemp("train"), approver)
    public = " ".join(bob.with_suffix(".pub").read_text().split()[:2])
    line = f'  bob: {{role: approver, kind: ssh, key: "{public}", environments: [demo/sandbox]}}'
    path = train.project / "environments" / "demo" / "trust.yaml"
    path.write_text(f"{path.read_text()}{line}\n")
    return train


def packed(train: Train, version: str, **how: Any) -> tuple[Release, bytes, bytes]:
    said = {"remainder": REST, "trades_digest": TRADES}
    return made(train.project, train.key, version, CODE, **said | how)


@pytest.fixture
def there(train: Train, tmp_path: Path) -> Iterator[Light]:
    """1.0.0 is verified in sandbox. No bot is started: two freqtrades cannot be installed here."""
    launcher = Launcher(bots=tmp_path, python="/bin/false")
    with light(train, launcher, tmp_path / "home") as light_:
        release, tar, dsse = packed(train, "1.0.0")
        light_.deliver((tar, dsse))
        write(light_, promoted(light_, release, "sandbox"), seen(light_, release, "sandbox"))
        yield light_


def promoted(there: Light, release: Release, environment: str) -> Promotion:
    return Promotion(
        kind=Kind.PROMOTE,
        environment=environment,
        strategy="beat",
        release=str(release.id),
        digest=release.digest,
        by="ann",
        at=there.now,
    )


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other freqtrade was installed ahead."""
    monkeypatch.setattr("runner.agent.venvs.unfit", lambda *_: [])


def seen(there: Light, release: Release, environment: str) -> Verified:
    about = {"environment": environment, "strategy": "beat", "digest": release.digest}
    return Verified(**about, at=there.now)


def write(there: Light, *entries: Entry) -> None:
    there.agent.ledger.append(*entries)
    there.agent.read()


def soaked(there: Light, release: tuple[Release, bytes, bytes]) -> Release:
    """It was delivered, and for two of twelve hours it ran in test, where it closed a trade."""
    there.deliver(release[1:])
    verified = seen(there, release[0], "test")
    there.now += timedelta(hours=2)
    about = {"environment": "test", "strategy": "beat", "digest": release[0].digest}
    write(there, verified, Seen(**about, closed=1, at=there.now))
    return release[0]


def told(there: Light, release: Release) -> tuple[list[str], list[str]]:
    """What speaks against it in sandbox, and what for it."""
    said = there.ask("explain", release=str(release.id), environment="sandbox")
    reasons, grounds = ([each["text"] for each in said[name]] for name in ("reasons", "grounds"))
    return reasons, grounds


def test_a_hotfix_is_told_and_two_signatures_let_it_in_early(
    there: Light, train: Train, bob: Path
) -> None:
    release = soaked(there, packed(train, "1.0.1", freqtrade="2099.1"))
    wanted = {"release": str(release.id), "environment": "sandbox"}

    reasons, grounds = told(there, release)
    assert any(text.startswith("a hotfix of beat@1.0.0+") for text in grounds)
    assert "2.0 of 12.0 hours verified in test" in reasons
    there.approve(release, "sandbox")
    with pytest.raises(Refused, match=r"soak time: 2\.0 of 12\.0 hours"):
        there.ask("promote", **wanted)
    there.approve(release, "sandbox", key=bob)

    shortened = ", shortened for a hotfix with two signatures"
    assert f"2.0 of 1.2 hours verified in test{shortened}" in told(there, release)[1]
    assert len(there.ask("promote", **wanted)["approvals"]) == 1, "both signed the same statement"


@pytest.mark.parametrize(
    "how",
    [
        {"trades_digest": "3" * 64},
        {"trades_digest": None},
        {"remainder": "3" * 64},
        {"freqtrade": ""},
    ],
    ids=["one trade differs", "trades nobody kept", "another package", "the same freqtrade"],
)
def test_its_twin_that_differs_in_one_thing_soaks_like_any_release(
    there: Light, train: Train, bob: Path, how: dict[str, Any]
) -> None:
    given = {name: value for name, value in ({"freqtrade": "2099.1"} | how).items() if value != ""}
    release = soaked(there, packed(train, "1.0.1", **given))
    there.approve(release, "sandbox")
    there.approve(release, "sandbox", key=bob)
    reasons, grounds = told(there, release)
    assert not any("hotfix" in text for text in (*reasons, *grounds))
    with pytest.raises(Refused, match=r"soak time: 2\.0 of 12\.0 hours"):
        there.ask("promote", release=str(release.id), environment="sandbox")


def test_what_somebody_wrote_about_the_old_release_without_our_key_makes_no_hotfix(
    there: Light, train: Train, tmp_path: Path
) -> None:
    """Or else whoever can write a file makes any two releases have the same trades."""
    release = soaked(there, packed(train, "1.0.1", freqtrade="2099.1", trades_digest="3" * 64))
    stranger = signing.create(tmp_path / "stranger.pem")
    old, _, dsse = packed(train, "1.0.0", trades_digest="3" * 64, signed_by=stranger)
    path = there.home / "releases" / f"{old.digest}.dsse"
    kept = path.with_suffix(".kept")
    shutil.copy(path, kept)
    path.write_bytes(dsse)
    assert not any("hotfix" in text for text in told(there, release)[1])
    _, _, ours = packed(train, "1.0.0", trades_digest="3" * 64)
    path.write_bytes(ours)
    assert any("hotfix" in text for text in told(there, release)[1]), "our key may say so"
