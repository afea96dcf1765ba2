"""Bad releases and requests are refused: every reason, an exit code, a hint, nothing changed."""

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.adapters import agent, signing
from pipelines.adapters.agent import LARGEST, Deliver, Promote
from pipelines.adapters.packing import MOST_BYTES
from pipelines.domain.release import Release
from pipelines.errors import AgentUnreachable, BadInput, ExitCode, Refused
from pipelines.workflow import train as workflow
from tests.agent.conftest import Lay
from tests.agent.train import Train, made

pytestmark = [pytest.mark.slow, pytest.mark.needs("ssh-keygen")]

Written = Callable[..., Path]


@pytest.fixture(scope="module")
def train(lay: Lay, approver: Path) -> Iterator[Train]:
    """An agent for which no bot is ever started: test is another host's."""
    with lay(approver) as laid:
        for path in (laid.project / "environments" / "demo").glob("*.yaml"):
            path.write_text(path.read_text().replace("host: demo", "host: elsewhere"))
        laid.start()
        laid.round()
        yield laid


@pytest.fixture
def written(train: Train, tmp_path: Path) -> Written:
    """The files of a release, made as asked; the tar's path."""

    def write(tamper: Callable[[bytes], bytes] | None = None, **how: object) -> Path:
        _, tar, dsse = made(train.project, train.key, **how)  # type: ignore[arg-type]
        path = tmp_path / "release.tar"
        path.write_bytes(tamper(tar) if tamper else tar)
        path.with_suffix(".dsse").write_bytes(dsse)
        return path

    return write


def refused(train: Train, code: ExitCode, *command: str) -> list[str]:
    """What is said when a command is refused, the hint apart; nothing has changed by it."""
    before = train.entries(), sorted((train.home / "releases").glob("*"))
    ended = train.sluice(*command)
    assert ended.returncode == code, ended
    assert ended.stdout == ""
    assert (train.entries(), sorted((train.home / "releases").glob("*"))) == before
    lines = ended.stderr.splitlines()
    assert any(line.startswith("hint: ") for line in lines), lines
    return [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]


def test_a_release_that_nobody_signed(train: Train, written: Written) -> None:
    path = written()
    path.with_suffix(".dsse").unlink()
    (said,) = refused(train, ExitCode.BAD_INPUT, "deliver", str(path))
    assert "there is no such file" in said

    path.with_suffix(".dsse").write_text("{}")
    said = refused(train, ExitCode.REFUSED, "deliver", str(path))
    assert said[0].startswith("statement: ")
    assert said[1:] == [
        f"{what}: was not looked at" for what in ("signatures", "digest", "content")
    ]


def test_a_release_that_was_changed_since_it_was_signed(train: Train, written: Written) -> None:
    def one_byte(tar: bytes) -> bytes:
        return tar.replace(b"stoploss = -0.2", b"stoploss = -0.9")

    said = refused(train, ExitCode.REFUSED, "deliver", str(written(one_byte)))
    assert said[0].startswith("digest: the file was changed since")
    assert said[1:] == ["content: was not looked at"]


def test_a_release_that_somebody_else_signed_and_trust_does_not_know(
    train: Train, written: Written, tmp_path: Path
) -> None:
    other = signing.create(tmp_path / "other.pem")
    (said,) = refused(train, ExitCode.REFUSED, "deliver", str(written(signed_by=other)))
    assert said == f"signatures: trust.yaml knows no key {other.id[:12]}"


def test_a_release_whose_key_was_revoked_and_that_was_signed_in_the_future(
    train: Train, written: Written
) -> None:
    later = datetime.now(UTC) + timedelta(days=2)
    path = train.project / "environments" / "demo" / "trust.yaml"
    trusted = path.read_text()
    path.write_text(trusted.replace("role: demo,", "role: demo, revoked: 2020-01-01T00:00:00Z,"))
    try:
        said = refused(train, ExitCode.REFUSED, "deliver", str(written(taken_at=later)))
    finally:
        path.write_text(trusted)
    assert len(said) == 2
    assert "was revoked" in said[0]
    assert "signed in the future" in said[1]


def test_a_release_whose_key_has_expired(train: Train, written: Written) -> None:
    path = train.project / "environments" / "demo" / "trust.yaml"
    trusted = path.read_text()
    path.write_text(trusted.replace("role: demo,", "role: demo, until: 2020-01-01T00:00:00Z,"))
    try:
        (said,) = refused(train, ExitCode.REFUSED, "deliver", str(written()))
    finally:
        path.write_text(trusted)
    assert said == "signatures: demo-1 has expired (2020-01-01)"


def test_one_version_with_other_content(train: Train, written: Written) -> None:
    assert train.sluice("deliver", str(written(version="3.0.0"))).returncode == 0
    other = written(version="3.0.0", code="class Beat: ...\n")

    (said,) = refused(train, ExitCode.REFUSED, "deliver", str(other))
    assert "version 3.0.0 of beat is packed already with other content" in said


@pytest.fixture(scope="module")
def release(train: Train) -> Release:
    return train.release("1.0.0")


def test_an_unknown_environment(train: Train, release: Release) -> None:
    for command in (
        ("promote", str(release.id), "mars"),
        ("explain", str(release.id), "mars"),
        ("rollback", "mars"),
        ("halt", "mars"),
        ("hold", "mars"),
        ("retire", "mars", "beat"),
    ):
        (said,) = refused(train, ExitCode.BAD_INPUT, *command)
        assert said == "mars: there is no such environment"


def test_an_unknown_release(train: Train) -> None:
    (said,) = refused(train, ExitCode.BAD_INPUT, "promote", "beat@9.9.9+00000000", "test")
    assert said == "beat@9.9.9+00000000: there is no such release"


def test_a_step_that_the_ramp_does_not_have(train: Train, release: Release) -> None:
    said = refused(train, ExitCode.REFUSED, "promote", str(release.id), "prod", "--step", "3")
    assert "ramp: there is no step 3: the ramp has 2" in said


def test_what_is_not_wanted_there(train: Train) -> None:
    (said,) = refused(train, ExitCode.BAD_INPUT, "retire", "sandbox", "beat")
    assert said == "sandbox: beat is not wanted there"
    (said,) = refused(train, ExitCode.BAD_INPUT, "rollback", "sandbox")
    assert said == "sandbox: nothing is not wanted there"


def test_live_hears_every_reason_at_once(train: Train, release: Release) -> None:
    said = refused(train, ExitCode.REFUSED, "promote", str(release.id), "prod", "--step", "2")
    assert [line.split(":")[0] for line in said] == [
        "upstream",
        "soak time",
        "soak trades",
        "ramp",
        "approval",
    ]


def test_an_approval_by_somebody_whom_nobody_trusts(
    train: Train, release: Release, tmp_path: Path
) -> None:
    key = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (said,) = refused(
        train, ExitCode.REFUSED, "approve", str(release.id), "sandbox", "--key", str(key)
    )
    assert "trust" in said


def test_a_hold_keeps_a_release_out_that_is_delivered_nevertheless(
    train: Train, written: Written
) -> None:
    assert train.sluice("hold", "test", "--reason", "we look").returncode == 0
    before = train.counted()
    try:
        ended = train.sluice("deliver", str(written(version="4.0.0")))
    finally:
        assert train.sluice("unhold", "test").returncode == 0
    assert ended.returncode == 0, ended.stderr
    assert "not wanted in test: hold: test is on hold by " in ended.stdout
    more = {kind: before.get(kind, 0) + 1 for kind in ("delivered", "unheld")}
    assert train.counted() == before | more


def test_a_tag_that_does_not_bring_a_release_in_is_not_used_up(
    train: Train, release: Release, approver: Path
) -> None:
    """What is refused changes nothing: nor is the tag written down as an approval."""
    tag = f"sandbox/{release.id}"
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["commit", "--quiet", "--message", "all"],
        ["tag", "--sign", "--message", "go", tag],
    ):
        identity = ["-c", "user.email=ann@example.org", "-c", "user.name=ann"]
        identity += ["-c", "gpg.format=ssh", "-c", f"user.signingkey={approver}"]
        subprocess.run(["git", *identity, *command], cwd=train.project, check=True)

    said = refused(train, ExitCode.REFUSED, "promote", str(release.id), "sandbox", "--tag", tag)

    assert [line.split(":")[0] for line in said] == ["upstream", "soak time", "soak trades"]


def test_an_approval_counts_once_and_not_for_what_comes_later(
    train: Train, release: Release, approver: Path
) -> None:
    day = timedelta(days=1)
    statement = workflow.approve(train.place, str(release.id), "sandbox", 1, approver, day)
    assert (statement.predecessor, statement.sequence) == (None, 1)
    train.want("sandbox", train.release("0.9.0"))

    told = workflow.explain(train.place, str(release.id), "sandbox", 1)

    against = [reason.text for reason in told.reasons if reason.because == "approval"]
    assert any("does not count" in text for text in against), against


def test_the_largest_release_fits_into_a_request() -> None:
    largest = Deliver(tar="A" * (MOST_BYTES * 4 // 3 + 4), dsse="A" * 100_000)
    assert len(largest.model_dump_json()) < LARGEST


def test_requests_that_no_command_sends(train: Train) -> None:
    before = train.entries()
    with pytest.raises(BadInput, match="there is no verb"):
        agent.ask(train.home, "explode")
    with pytest.raises(BadInput, match="promote: release: field required"):
        agent.ask(train.home, "promote")
    args = Promote.model_construct(release="a", environment="test", step=0)
    with pytest.raises(BadInput, match="promote: step"):
        agent.ask(train.home, "promote", args)
    with pytest.raises(BadInput, match="should be base64"):
        agent.ask(train.home, "deliver", Deliver(tar="?", dsse="?"))
    assert train.entries() == before


def test_without_an_agent_nothing_is_done(train: Train, release: Release) -> None:
    train.stop()
    try:
        with pytest.raises(AgentUnreachable):
            workflow.status(train.place)
        ended = train.sluice("status")
        assert ended.returncode == ExitCode.AGENT_UNREACHABLE
        assert "hint: start it with 'sluice-agent run'" in ended.stderr
    finally:
        train.start()
    with pytest.raises(Refused):
        workflow.promote(train.place, str(release.id), "prod", 1, "", "")
