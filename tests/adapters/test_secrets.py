"""Secrets at rest: nobody else reads them, none is taken for another, none is ever half there."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipelines.adapters.secrets import SecretStore
from pipelines.domain.secret import Scope, Secret, SecretName
from pipelines.errors import BadInput, CannotTell

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
PROD, TEST, OTHER = Scope("prod", "main"), Scope("test"), Scope("prod", "second")
KEY, SECRET, TOKEN = SecretName.EXCHANGE_KEY, SecretName.EXCHANGE_SECRET, SecretName.TELEGRAM_TOKEN


@pytest.fixture
def store(tmp_path: Path) -> SecretStore:
    """With three values in one environment and one in another."""
    made = SecretStore(tmp_path)
    made.put(PROD, KEY, Secret("prod key é"), NOW)
    made.put(PROD, SECRET, Secret("prod secret"), NOW)
    made.put(Scope("prod"), TOKEN, Secret("prod token"), NOW)
    made.put(TEST, TOKEN, Secret("test token"), NOW)
    return made


def files(store: SecretStore) -> list[Path]:
    return [path for path in store.folder.rglob("*") if path.is_file()]


def keys(store: SecretStore, environment: str = "prod") -> list[str]:
    return [path.name for path in (store.folder / environment / "keys").iterdir()]


def told(store: SecretStore, scope: Scope = PROD) -> dict[SecretName, str]:
    return {name: secret.reveal() for name, secret in store.held(scope).items()}


ALL = {KEY: "prod key é", SECRET: "prod secret", TOKEN: "prod token"}


def test_a_bot_gets_its_account_s_secrets_and_its_environment_s(store: SecretStore) -> None:
    assert told(store) == ALL
    assert told(store, OTHER) == {TOKEN: "prod token"}
    assert told(store, TEST) == {TOKEN: "test token"}
    assert told(store, Scope("sandbox")) == {}


def test_a_value_is_replaced_and_forgotten(store: SecretStore) -> None:
    store.put(PROD, KEY, Secret("another"), NOW)
    store.remove(PROD, SECRET)
    assert told(store) == {KEY: "another", TOKEN: "prod token"}
    with pytest.raises(BadInput, match="exchange_secret is not kept"):
        store.remove(PROD, SECRET)
    with pytest.raises(BadInput, match="exchange_key is not kept"):
        store.remove(OTHER, KEY)


def test_what_is_listed_is_names_and_times(store: SecretStore) -> None:
    listed = store.listed("prod")
    assert [(str(one.scope), one.name, one.since) for one in listed] == [
        ("prod", TOKEN, NOW),
        ("prod/main", KEY, NOW),
        ("prod/main", SECRET, NOW),
    ]
    assert store.listed("sandbox") == ()
    assert "prod key" not in repr(listed)


def test_nobody_else_can_look_and_nothing_stands_in_clear(store: SecretStore) -> None:
    folders = [store.folder, *(path for path in store.folder.rglob("*") if path.is_dir())]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in files(store)} == {0o600}
    content = b"".join(path.read_bytes() for path in files(store))
    assert [value for value in ALL.values() if value.encode() in content] == []


@pytest.mark.parametrize("name", ["", "prod", "prod/keys", "prod/values.json"])
def test_what_others_can_read_is_refused(store: SecretStore, name: str) -> None:
    path = store.folder / name
    path.chmod(path.stat().st_mode | 0o040)
    with pytest.raises(BadInput, match="others can read it") as caught:
        store.held(PROD)
    assert "chmod go=" in caught.value.hint
    with pytest.raises(BadInput, match="others can read it"):
        store.put(PROD, KEY, Secret("another"), NOW)


def test_a_key_that_others_can_read_is_refused(store: SecretStore) -> None:
    (path,) = (store.folder / "prod" / "keys").iterdir()
    path.chmod(0o644)
    with pytest.raises(BadInput, match="others can read it"):
        store.held(PROD)


def test_every_environment_has_a_key_of_its_own(store: SecretStore) -> None:
    (prod,), (test,) = keys(store), keys(store, "test")
    paths = (store.folder / "prod" / "keys" / prod, store.folder / "test" / "keys" / test)
    content = [path.read_bytes() for path in paths]
    assert len(set(content)) == 2
    assert {len(each) for each in content} == {32}


def edited(store: SecretStore, edit: Callable[[Any], None], environment: str = "prod") -> None:
    path = store.folder / environment / "values.json"
    values = json.loads(path.read_text())
    edit(values)
    path.write_text(json.dumps(values))


def _swap(values: Any) -> None:
    one, other = values["values"][:2]
    for part in ("sealed", "nonce"):
        one[part], other[part] = other[part], one[part]


def _rename(values: Any) -> None:
    values["values"][1]["account"] = "second"


def _cut(values: Any) -> None:
    values["values"][0]["sealed"] = values["values"][0]["sealed"][:8]


@pytest.mark.parametrize("edit", [_swap, _rename, _cut])
def test_no_value_can_be_taken_for_another(store: SecretStore, edit: Callable[[Any], None]) -> None:
    edited(store, edit)
    with pytest.raises(CannotTell, match="cannot be decrypted"):
        store.held(PROD)
    before = (store.folder / "prod" / "values.json").read_bytes()
    with pytest.raises(CannotTell, match="cannot be decrypted"):
        store.rotate("prod")
    assert (store.folder / "prod" / "values.json").read_bytes() == before


def test_no_value_can_be_taken_from_another_environment(store: SecretStore) -> None:
    values = (store.folder / "prod" / "values.json").read_text()
    (store.folder / "test" / "values.json").write_text(values.replace('"prod"', '"test"'))
    shutil.copytree(
        store.folder / "prod" / "keys", store.folder / "test" / "keys", dirs_exist_ok=True
    )
    with pytest.raises(CannotTell, match="cannot be decrypted"):
        store.held(TEST)


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"\xff"])
def test_a_broken_file_is_no_empty_one(store: SecretStore, content: bytes) -> None:
    (store.folder / "prod" / "values.json").write_bytes(content)
    (before,) = keys(store)
    for ask in (lambda: store.held(PROD), lambda: store.put(PROD, KEY, Secret("x" * 9), NOW)):
        with pytest.raises(CannotTell, match=r"values\.json"):
            ask()
    assert keys(store) == [before]


def test_a_lost_key_is_told(store: SecretStore) -> None:
    (key,) = keys(store)
    (store.folder / "prod" / "keys" / key).unlink()
    with pytest.raises(CannotTell, match="the key of prod is not there"):
        store.held(PROD)


def test_rotation_changes_the_key_and_every_text_but_no_value(store: SecretStore) -> None:
    (before,), old = keys(store), (store.folder / "prod" / "values.json").read_text()
    assert store.rotate("prod") == 3
    (after,), new = keys(store), (store.folder / "prod" / "values.json").read_text()
    assert before != after
    texts = [{value["sealed"] for value in json.loads(text)["values"]} for text in (old, new)]
    assert texts[0] & texts[1] == set()
    assert told(store) == ALL
    assert [one.since for one in store.listed("prod")] == [NOW] * 3
    with pytest.raises(BadInput, match="no secrets are kept"):
        store.rotate("sandbox")


def test_a_full_disk_changes_nothing(store: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        for change in (lambda: store.rotate("prod"), lambda: store.remove(PROD, KEY),
                       lambda: store.put(PROD, KEY, Secret("another"), NOW)):  # fmt: skip
            with pytest.raises((CannotTell, OSError), match="No space left"):
                change()
    assert told(store) == ALL
    store.rotate("prod")
    assert (told(store), len(keys(store))) == (ALL, 1)


def test_equal_values_have_equal_fingerprints_and_only_they(store: SecretStore) -> None:
    store.put(TEST, TOKEN, Secret("prod token"), NOW)
    prints = {(str(k.scope), k.name): k.fingerprint for k in store.fingerprints(("prod", "test"))}
    assert prints["prod", TOKEN] == prints["test", TOKEN]
    assert len(set(prints.values())) == len(prints) - 1 == 3
    again = {k.fingerprint for k in store.fingerprints(("prod", "test"))}
    assert again & set(prints.values()) == set()


# Killed

KILLED = """
import json, os, shutil, signal, sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from pipelines import documents
from pipelines.adapters import secrets
from pipelines.domain.secret import Scope, Secret, SecretName

folder, what = Path(sys.argv[1]), sys.argv[2]
NOW = datetime(2026, 1, 2, tzinfo=UTC)
PROD, KEY = Scope("prod", "main"), SecretName.EXCHANGE_KEY
TOKEN = SecretName.TELEGRAM_TOKEN
FILES = {secrets.__file__, documents.__file__}
CHANGES = {
    "rotate": lambda store: store.rotate("prod"),
    "put": lambda store: store.put(PROD, KEY, Secret("another"), NOW),
    "remove": lambda store: store.remove(PROD, KEY),
    "first": lambda store: store.put(Scope("sandbox"), TOKEN, Secret("first"), NOW),
}

# What a killed process wrote is the kernel's already: only a power cut needs this.
os.fsync = lambda handle: None

def killed_at(line):
    # Every line of ours is a place to die: between any two of them something was written or not.
    seen = 0
    def trace(frame, event, argument):
        nonlocal seen
        if frame.f_code.co_filename not in FILES:
            return None
        seen += event == "line"
        if seen == line:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace
    return trace

def state(home):
    store = secrets.SecretStore(home)
    values = {n: s.reveal() for n, s in store.held(PROD).items()}
    first = {n: s.reveal() for n, s in store.held(Scope("sandbox")).items()}
    return [values, first, store._read("prod").key]

for line in count(1):
    home = folder / str(line)
    shutil.copytree(folder / "store", home)
    child = os.fork()
    if not child:
        sys.settrace(killed_at(line))
        CHANGES[what](secrets.SecretStore(home))
        os._exit(0)
    _, ended = os.waitpid(child, 0)
    found = state(home)
    CHANGES[what](secrets.SecretStore(home)) if what != "remove" else None
    secrets.SecretStore(home).rotate("prod")
    left = [p.name for p in home.rglob("*") if p.is_file() and p.name.startswith(".")]
    left += sorted(p.name for p in (home / "secrets/prod/keys").iterdir())[1:]
    print(json.dumps([line, ended, found, state(home), left]))
    shutil.rmtree(home)
    if ended == 0:
        break
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["rotate", "put", "remove", "first"])
def test_killed_at_any_line_the_old_or_the_new_is_there(
    store: SecretStore, tmp_path: Path, what: str
) -> None:
    shutil.copytree(store.home, tmp_path / "killed" / "store")
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "killed"), what],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    runs = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [ended for _, ended, *_ in runs[:-1]] == [signal.SIGKILL] * (len(runs) - 1)
    assert runs[-1][1] == 0
    old, new = runs[0][2], runs[-1][2]
    if what == "rotate":
        # Of values and key together: whatever the key is, every value is there and whole.
        assert {json.dumps(found[:2]) for _, _, found, *_ in runs} == {json.dumps(old[:2])}
        assert old[2] in {found[2] for _, _, found, *_ in runs}
        assert len({found[2] for _, _, found, *_ in runs}) > 2
    else:
        seen = {json.dumps(found) for _, _, found, *_ in runs}
        assert seen == {json.dumps(old), json.dumps(new)}
        assert old != new
    # Whatever was left, the next change works and takes it away.
    for _, _, _, after, left in runs:
        assert left == []
        assert after[0].items() >= {TOKEN: "prod token", SECRET: "prod secret"}.items()
    assert len(runs) > 40


class Stores(RuleBasedStateMachine):
    """Whatever is done in whatever order, what is kept is what was put last."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = SecretStore(Path(self.folder.name))
        self.model: dict[tuple[Scope, SecretName], str] = {}

    scopes = st.sampled_from([PROD, OTHER, Scope("prod"), TEST])
    names = st.sampled_from([KEY, SECRET, TOKEN])

    values = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)

    @rule(scope=scopes, name=names, value=values)
    def put(self, scope: Scope, name: SecretName, value: str) -> None:
        self.store.put(scope, name, Secret(value), NOW)
        self.model[scope, name] = value

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        scope, name = data.draw(st.sampled_from(sorted(self.model)))
        self.store.remove(scope, name)
        del self.model[scope, name]

    @precondition(lambda self: any(scope.environment == "prod" for scope, _ in self.model))
    @rule()
    def rotate(self) -> None:
        self.store.rotate("prod")

    @invariant()
    def holds_what_was_put(self) -> None:
        for scope in (PROD, OTHER, Scope("prod"), TEST):
            own = {n: v for (s, n), v in self.model.items() if s == scope}
            common = {n: v for (s, n), v in self.model.items() if s == Scope(scope.environment)}
            assert told(self.store, scope) == {**common, **own}

    def teardown(self) -> None:
        self.folder.cleanup()


Stores.TestCase.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
TestStores = Stores.TestCase
