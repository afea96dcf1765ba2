"""A sealed secret: one host reads it, whoever carries it does not, and nobody can redirect it."""

import re
import subprocess
import sys
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from pipelines.adapters import sealing
from pipelines.domain.secret import Scope, Secret, SecretName
from pipelines.errors import BadInput, CannotTell

HOST = X25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = sealing.public_text(HOST)
PROD, KEY = Scope("prod", "main"), SecretName.EXCHANGE_KEY
VALUE = "a key of thirty-two characters.."


def sealed(value: str = VALUE, scope: Scope = PROD, name: SecretName = KEY) -> str:
    return sealing.seal(Secret(value), scope, name, PUBLIC)


NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=32)
SCOPES = st.builds(Scope, NAMES, st.one_of(st.just(""), NAMES))
VALUES = (
    st.text(min_size=1, max_size=300)
    .filter(lambda text: "\0" not in text)
    .filter(lambda text: text.encode(errors="ignore").decode() == text)
)


@given(VALUES, SCOPES, st.sampled_from(SecretName))
def test_what_was_sealed_comes_out_on_the_host(value: str, scope: Scope, name: SecretName) -> None:
    out = sealing.unseal(sealed(value, scope, name), HOST)
    assert (out.scope, out.name, out.secret.reveal()) == (scope, name, value)
    assert "Secret(***)" in repr(out)


def test_a_carrier_learns_whose_it_is_and_nothing_else() -> None:
    text = sealed()
    assert re.findall(r"^(for|name|host): (.*)$", text, re.MULTILINE) == [
        ("for", "prod/main"), ("name", "exchange_key"), ("host", PUBLIC),
    ]  # fmt: skip
    assert VALUE not in text
    assert b64encode(VALUE.encode()).decode().rstrip("=") not in text
    assert len({len(sealed("x" * n)) for n in (1, 8, 64, 128)}) == 1
    assert sealed() != sealed()
    assert max(map(len, text.splitlines())) <= 80


def test_line_ends_of_another_system_do_no_harm() -> None:
    assert sealing.unseal("\r\n" + sealed().replace("\n", "\r\n"), HOST).secret.reveal() == VALUE


CHANGED = {
    "another environment": ("for: prod/main", "for: test/main"),
    "another account": ("for: prod/main", "for: prod/other"),
    "no account": ("for: prod/main", "for: prod"),
    "another name": ("name: exchange_key", "name: exchange_secret"),
}


@pytest.mark.parametrize(("old", "new"), CHANGED.values(), ids=CHANGED)
def test_it_cannot_be_delivered_as(old: str, new: str) -> None:
    text = sealed()
    assert old in text
    with pytest.raises(BadInput, match="was changed on its way"):
        sealing.unseal(text.replace(old, new), HOST)


def test_every_character_of_the_body_counts() -> None:
    text = sealed()
    start = text.index("\n\n") + 2
    for at in range(start, text.index("\n-----END"), 7):
        if text[at] in "=\n":
            continue
        other = "A" if text[at] != "A" else "B"
        with pytest.raises(BadInput):
            sealing.unseal(text[:at] + other + text[at + 1 :], HOST)


@given(st.text(max_size=200))
def test_what_is_no_sealed_secret_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="no sealed secret"):
        sealing.unseal(text, HOST)


def test_it_is_for_one_host_only() -> None:
    other = X25519PrivateKey.generate()
    with pytest.raises(BadInput, match="sealed to another host"):
        sealing.unseal(sealed(), other)
    with pytest.raises(BadInput, match="was changed on its way"):
        sealing.unseal(sealed().replace(PUBLIC, sealing.public_text(other)), other)


@pytest.mark.parametrize(
    "host",
    ["", "key", PUBLIC[:-4], PUBLIC.replace("sluice", "other"), PUBLIC + "AAAA",
     "sluice-host-1:" + b64encode(bytes(32)).decode()],
)  # fmt: skip
def test_a_wrong_public_key_is_refused(host: str) -> None:
    with pytest.raises(BadInput, match="no public key of a host"):
        sealing.seal(Secret(VALUE), PROD, KEY, host)


def test_a_host_makes_its_key_once_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    first = sealing.public_text(sealing.host_key(tmp_path))
    assert sealing.public_text(sealing.host_key(tmp_path)) == first
    path = tmp_path / "secrets" / "host.key"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    path.write_bytes(b"short")
    with pytest.raises(CannotTell, match="is no key of a host"):
        sealing.host_key(tmp_path)
    path.chmod(0o644)
    with pytest.raises(BadInput, match="others can read it"):
        sealing.host_key(tmp_path)


def test_two_that_come_first_together_get_one_key(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from pipelines.adapters import sealing;"
        "print('ready', flush=True); sys.stdin.read();"
        "print(sealing.public_text(sealing.host_key(Path(sys.argv[1]))))"
    )
    with ExitStack() as stack:
        children = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", program, str(tmp_path)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )
            )
            for _ in range(6)
        ]  # fmt: skip
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.close()
        told = {child.stdout.read() for child in children if child.stdout}
        assert [child.wait(60) for child in children] == [0] * 6
    assert len(told) == 1
    assert told.pop().startswith("sluice-host-1:")
