"""Whose signature counts, for what and how long."""

import base64
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines import documents
from pipelines.domain.trust import SKEW, Role, Trust, TrustedKey
from pipelines.errors import BadInput

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
RAW = base64.b64encode(b"k" * 32).decode()
BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIG9vb29vb29vb29vb29vb29vb29vb29vb29vb29vb29v"
SSH = f"ssh-ed25519 {BLOB}"
BEFORE = "counts from 2026-11-01 only, and it signed on 2026-10-31"


def key(role: str = "ci", **changed: Any) -> TrustedKey:
    kind = {"kind": "ssh", "key": SSH, "environments": ("sandbox", "prod")}
    values = kind if role == "approver" else {"kind": "ed25519", "key": RAW}
    return TrustedKey.model_validate({"role": Role(role), **values, **changed})


@pytest.mark.parametrize(
    ("role", "label", "opened"),
    [
        ("ci", None, ("test",)),
        ("ci", "demo", ("demo/test",)),
        ("demo", None, ()),
        ("demo", "demo", ("demo/test",)),
        ("host", None, ()),
        ("host", "demo", ()),
        ("approver", None, ("sandbox", "prod")),
    ],
)
def test_what_each_role_lets_a_release_into(role: str, label: Any, opened: tuple[str, ...]) -> None:
    assert key(role).opens(label) == opened


@pytest.mark.parametrize(
    ("changed", "taken", "now", "said"),
    [
        ({}, NOW, NOW, ()),
        ({"from": NOW, "until": NOW + DAY}, NOW, NOW, ()),
        ({"from": NOW}, NOW - SKEW, NOW, ()),
        ({"from": NOW}, NOW - DAY, NOW, (BEFORE,)),
        ({"until": NOW}, NOW - DAY, NOW, ("has expired (2026-11-01)",)),
        ({"until": NOW}, NOW, NOW - DAY / 500, ("has expired (2026-11-01)",)),
        ({"until": NOW}, NOW - DAY, NOW - DAY, ()),
        ({"revoked": NOW}, NOW - DAY, NOW - DAY, ("was revoked (2026-11-01)",)),
        ({}, NOW + SKEW, NOW, ()),
        ({}, NOW + DAY, NOW, ("signed in the future (2026-11-02T00:00:00+00:00)",)),
    ],
)  # fmt: skip
def test_how_long_a_key_counts(
    changed: dict[str, Any], taken: datetime, now: datetime, said: tuple[str, ...]
) -> None:
    assert key(**changed).objections(taken, now) == said


def test_all_that_is_wrong_with_a_key_is_told_at_once() -> None:
    worst = key(**{"from": NOW + DAY, "until": NOW + 2 * DAY, "revoked": NOW})
    assert len(worst.objections(NOW - DAY, NOW + 3 * DAY)) == 3


def test_a_key_is_called_by_the_digest_of_its_public_half() -> None:
    trust = Trust(keys={"ci-1": key(), "us": key("approver")})
    assert trust.known(key().id) == ("ci-1", key())
    assert trust.known(key("approver").id) == ("us", key("approver"))
    assert trust.known("0" * 64) is None


@pytest.mark.parametrize(
    ("role", "changed", "said"),
    [
        ("ci", {"key": "short"}, "32 bytes in base64"),
        ("ci", {"key": base64.b64encode(b"k" * 31).decode()}, "32 bytes in base64"),
        ("ci", {"kind": "ssh", "key": SSH}, "should be of the kind ed25519"),
        ("approver", {"kind": "ed25519", "key": RAW}, "should be of the kind ssh"),
        ("approver", {"environments": ()}, "should name the environments"),
        ("ci", {"environments": ("prod",)}, "what ci may sign is fixed"),
        ("approver", {"key": f"ssh-rsa {BLOB}"}, "one of the kinds ssh-ed25519"),
        ("approver", {"key": f"sk-ssh-ed25519@openssh.com {BLOB}"}, "one of the kinds"),
        ("approver", {"key": SSH.partition(" ")[0]}, "one of the kinds"),
        ("approver", {"environments": ("../prod",)}, "environments"),
        ("ci", {"from": NOW, "until": NOW}, "ends before it begins"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(
    role: str, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        key(role, **changed)


@pytest.mark.needs("ssh-keygen")
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_a_line_that_ssh_keygen_writes_is_an_approvers_key(tmp_path: Path, kind: str) -> None:
    asked = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "us@here", "-f", str(tmp_path / "us")]
    subprocess.run(asked, check=True)
    line = (tmp_path / "us.pub").read_text().strip()
    made = key("approver", key=line)
    told = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(tmp_path / "us.pub")],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    fingerprint = base64.b64encode(bytes.fromhex(made.id)).decode().rstrip("=")
    assert f"SHA256:{fingerprint} " in told.stdout


def test_one_key_is_never_two_people() -> None:
    again = key("approver", key=f"{SSH} another comment")
    with pytest.raises(ValidationError, match=r"keys\.them is the same key as keys\.us"):
        Trust(keys={"us": key("approver"), "them": again})


TEXT = f"""\
keys:
  ci-1: {{role: ci, kind: ed25519, key: {RAW}, from: 2026-10-01T00:00:00Z}}
  us:
    role: approver
    kind: ssh
    key: {SSH} us@here
    environments: [sandbox, prod]
    until: 2027-10-01T00:00:00+00:00
"""


def read(text: str) -> Trust:
    return documents.parse(text.encode(), Trust, "environments/trust.yaml", "releases")


def test_the_file_is_read() -> None:
    trust = read(TEXT)
    assert trust.keys["ci-1"].since == datetime(2026, 10, 1, tzinfo=UTC)
    assert trust.keys["us"].environments == ("sandbox", "prod")
    assert read("keys: {}\n").keys == read("keys:\n").keys == {}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("role: ci", "role: boss", "trust.yaml:2: keys.ci-1.role: should be"),
        ("kind: ssh", "kind: gpg", "trust.yaml:5: keys.us.kind: should be 'ed25519' or 'ssh'"),
        ("Z}", "}", "trust.yaml:2: keys.ci-1.from: "),
        ("until:", "untill:", "trust.yaml:8: keys.us.untill: is not a known key"),
        ("ci-1:", "us:", "trust.yaml:3: keys.us: stands twice"),
        (RAW, "x", "trust.yaml:2: keys.ci-1: key should be 32 bytes"),
        ("  us:", "  Us!:", "trust.yaml:3: keys.Us!: "),
    ],
)
def test_what_is_wrong_in_the_file_is_told_with_line_and_key(old: str, new: str, said: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(TEXT.replace(old, new, 1))
    assert said in refused.value.message
    assert "sluice docs releases" in refused.value.hint or "twice" in said
