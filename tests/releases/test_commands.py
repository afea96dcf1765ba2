"""The commands about releases as a person or a job calls them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.workflow.pack import PackedRelease
from pipelines.workflow.place import Place

pytestmark = pytest.mark.slow

Sluice = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def sluice(here: Place) -> Sluice:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *arguments],
            cwd=here.root,
            env={**os.environ, "SLUICE_HOME": str(here.home)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_from_no_key_to_a_verified_release(
    sluice: Sluice, here: Place, examined: Callable[..., Path]
) -> None:
    made = sluice("keys", "new", "ci")
    (line,) = [one for one in made.stdout.splitlines() if one.startswith("  ci-")]
    trust = here.root / "environments" / "trust.yaml"
    trust.write_text(f"{trust.read_text()}{line}\n")
    refused = sluice("pack", "plain")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "there is no evidence about this content" in refused.stderr
    examined()
    packed = sluice("pack", "plain")
    assert packed.returncode == 0, packed.stderr
    name = packed.stdout.split()[1]
    assert name.startswith("plain@1.4.0+")
    assert "is packed already: " in sluice("pack", "plain").stdout
    assert sluice("releases").stdout.startswith(f"{name}  20")
    verified = sluice("verify", name)
    assert verified.returncode == 0, verified.stderr
    assert "✓ signatures: ci-" in verified.stdout
    assert "by itself opens: test" in verified.stdout


def test_machines_get_one_line(sluice: Sluice, packed: PackedRelease) -> None:
    told = {}
    for words in (("pack", "plain"), ("verify", str(packed.tar)), ("releases",)):
        ended = sluice(*words, "--json")
        assert (ended.returncode, ended.stdout.count("\n")) == (0, 1), ended.stderr
        told[words[0]] = json.loads(ended.stdout)
    release = packed.statement.predicate.release
    assert set(told["pack"]) == {
        "release", "digest", "subject_digest", "label", "taken_at", "tar", "tar_digest",
        "evidence", "signed_by", "anew",
    }  # fmt: skip
    assert told["pack"]["release"] == told["verify"]["release"] == str(release.id)
    assert told["pack"]["anew"] is False
    assert told["verify"]["verified"] is True
    assert told["verify"]["signed_by"] == [
        {"key": packed.signed_by[0], "role": "ci", "opens": ["test"]}
    ]
    (row,) = told["releases"]["releases"]
    assert (row["digest"], row["label"], told["releases"]["broken"]) == (release.digest, None, [])


def test_a_release_that_was_touched_is_refused_with_every_reason(
    sluice: Sluice, packed: PackedRelease
) -> None:
    packed.tar.write_bytes(packed.tar.read_bytes()[:-1])
    ended = sluice("verify", str(packed.tar), "--json")
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["verified"]) == (4, False)
    assert [c["what"] for c in told["checked"] if c["reasons"]] == ["digest", "content"]
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2
    assert str(packed.tar) in errors[0]
    assert "hint: don't run it" in ended.stderr


def test_a_release_that_cannot_be_read_makes_the_list_unknown(
    sluice: Sluice, packed: PackedRelease
) -> None:
    packed.tar.with_suffix(".dsse").write_text("{}")
    ended = sluice("releases", "--json")
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["releases"], len(told["broken"])) == (3, [], 1)


def test_a_demo_release_is_told_as_one(
    sluice: Sluice,
    here: Place,
    trusted: Callable[..., object],
    examined: Callable[..., Path],
) -> None:
    trusted("ci")
    examined("embedded")
    told = sluice("pack", "plain").stdout
    assert "labelled demo: the candles are synthetic" in told
    assert "environments/demo/ only" in told
    assert sluice("releases").stdout.endswith("demo\n")


def test_no_command_shows_a_private_key(sluice: Sluice, here: Place) -> None:
    made = sluice("keys", "new", "ci")
    secret = "".join((here.home / "keys" / "ci.pem").read_text().splitlines()[1:-1])
    again = sluice("keys", "new", "ci")
    assert (made.returncode, again.returncode) == (0, 2)
    assert secret not in made.stdout + made.stderr + again.stdout + again.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["keys", "new", "boss"], "there is no role 'boss'"),
        (["keys", "new", "approver"], "approvers sign with ssh-keygen"),
        (["pack", "nothing"], "strategies/nothing: there is no such strategy"),
        (["pack", "plain"], "ci.pem: there is no such key"),
        (["pack", "plain", "--key", "../../ci"], "../../ci: there is no such key"),
        (["verify", "nowhere.tar"], "nowhere.tar: there is no such file"),
        (["verify", "plain@1.4.0+00000000"], "there is no such release"),
        (["verify", "nowhere.tar", "--trust", "none.yaml"], "none.yaml: there is no such file"),
    ],
)
def test_bad_input_is_told(sluice: Sluice, words: list[str], said: str) -> None:
    ended = sluice(*words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_with_nothing_packed_the_list_says_what_to_do(sluice: Sluice) -> None:
    assert sluice("releases").stdout == "nothing is packed yet: 'sluice pack NAME'\n"
    assert sluice("releases", "--json").stdout == '{"releases":[],"broken":[]}\n'
