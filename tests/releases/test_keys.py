"""`sluice keys new`."""

import re
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.adapters import signing
from pipelines.domain.trust import Role
from pipelines.errors import BadInput
from pipelines.workflow import keys
from pipelines.workflow.place import Place

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize("role", ["ci", "demo", "host"])
def test_the_line_that_is_printed_is_what_trust_yaml_wants(
    here: Place, trusted: Callable[..., keys.NewKey], role: str
) -> None:
    made = trusted(role)
    key = here.trust().keys[made.name]
    private = signing.load(here.home / "keys" / f"{role}.pem")
    assert (key.role, key.key, key.id) == (Role(role), private.public, private.id)
    assert key.since == NOW
    assert made.name == f"{role}-{key.id[:8]}"


def test_the_private_half_is_for_its_owner_alone_and_never_told(here: Place) -> None:
    made = keys.new(here, "ci", None, NOW)
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    secret = "".join(made.path.read_text().splitlines()[1:-1])
    assert secret not in f"{made}"
    assert "PRIVATE" not in f"{made}"


def test_a_second_key_for_a_role_is_refused_and_the_first_stays(here: Place) -> None:
    first = keys.new(here, "ci", None, NOW)
    before = first.path.read_bytes()
    with pytest.raises(BadInput, match="there is a key already"):
        keys.new(here, "ci", None, NOW)
    assert first.path.read_bytes() == before


def test_another_place_may_be_named_but_not_in_the_project(here: Place, tmp_path: Path) -> None:
    assert keys.new(here, "ci", tmp_path / "else" / "k.pem", NOW).path.is_file()
    for inside in (here.root / "ci.pem", here.root / "environments" / ".." / "ci.pem"):
        with pytest.raises(BadInput, match="does not belong into the project"):
            keys.new(here, "ci", inside, NOW)
    assert not (here.root / "ci.pem").exists()


def test_a_home_within_the_project_keeps_keys_all_the_same(here: Place) -> None:
    inside = Place(here.root, here.root / "out" / "state")
    assert keys.new(inside, "demo", None, NOW).path.is_file()


def test_approvers_are_sent_to_ssh_keygen(here: Place) -> None:
    with pytest.raises(BadInput, match="ssh-keygen") as refused:
        keys.new(here, "approver", None, NOW)
    assert "ssh-keygen -t ed25519" in refused.value.hint


@pytest.mark.parametrize("role", ["boss", "", "../ci", "CI"])
def test_an_unknown_role_gets_the_list(here: Place, role: str) -> None:
    with pytest.raises(BadInput, match="there is no role") as refused:
        keys.new(here, role, None, NOW)
    assert refused.value.hint == "there are ci, demo, host"
    assert not here.home.exists()


def test_every_role_that_gets_a_key_is_told_what_to_do_with_it() -> None:
    assert set(keys.KEEP) == set(Role) - {Role.APPROVER}
    assert all(re.search("delete|stay", advice) for advice in keys.KEEP.values())
