"""Keys on the disk and what they sign, held against OpenSSL."""

import base64
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.adapters import signing
from pipelines.domain.statement import Signature, pre_authentication
from pipelines.errors import BadInput, CannotTell

PLAIN = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "ci.pem"


def test_a_key_is_written_for_its_owner_alone_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        made = signing.create(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [left.name for left in path.parent.iterdir()] == ["ci.pem"]
    assert signing.load(path).id == made.id


def test_a_key_is_never_overwritten(path: Path) -> None:
    signing.create(path)
    before = path.read_bytes()
    with pytest.raises(BadInput, match="there is a key already"):
        signing.create(path)
    assert path.read_bytes() == before
    assert [left.name for left in path.parent.iterdir()] == ["ci.pem"]


def test_it_is_written_in_the_form_that_every_tool_reads(path: Path) -> None:
    signing.create(path)
    assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")


KILLED = """
import os, signal, sys
from pathlib import Path
from pipelines.adapters import signing
step = int(sys.argv[2])
def watch(event, arguments):
    global step
    if event in ("open", "os.link", "os.remove", "os.mkdir") and sys.argv[1] in str(arguments[0]):
        if step == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        step -= 1
sys.addaudithook(watch)
signing.create(Path(sys.argv[1]) / "keys" / "ci.pem")
"""


def test_killed_at_any_step_it_leaves_a_whole_key_or_none(tmp_path: Path) -> None:
    for step in range(20):
        folder = tmp_path / str(step)
        folder.mkdir()
        path = folder / "keys" / "ci.pem"
        argv = [sys.executable, "-c", KILLED, str(folder), str(step)]
        code = subprocess.run(argv, check=False).returncode
        if not path.exists():
            signing.create(path)
        assert signing.load(path).public
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert step > 2


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_can_read_is_not_used(path: Path, mode: int) -> None:
    signing.create(path)
    path.chmod(mode)
    with pytest.raises(BadInput, match="can be read by others") as refused:
        signing.load(path)
    assert refused.value.hint == f"run 'chmod 600 {path}'"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ec.generate_private_key(ec.SECP256R1()).private_bytes(*PLAIN),
        Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")
        ),
    ],
    ids=["empty", "broken", "another kind", "with a password"],
)
def test_what_is_no_usable_key_is_told_without_showing_it(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(BadInput, match="is no ") as refused:
        signing.load(path)
    assert "PRIVATE" not in refused.value.message


def test_a_missing_key_says_how_to_make_one(path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such key") as refused:
        signing.load(path)
    assert "sluice keys new" in refused.value.hint


def test_where_no_key_can_be_written_none_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotTell, match="cannot be written"):
        signing.create(tmp_path / "file" / "ci.pem")


def test_a_key_never_shows_its_private_half(path: Path) -> None:
    key = signing.create(path)
    secret = base64.b64decode(path.read_text().splitlines()[1])[-32:]
    shown = f"{key!r} {key} {key.public} {key.id}"
    assert secret.hex() not in shown
    assert base64.b64encode(secret).decode() not in shown


@given(st.binary(max_size=200))
@settings(max_examples=30, deadline=None)
def test_a_signature_holds_for_what_was_signed_by_whoever_signed(payload: bytes) -> None:
    key = signing.SigningKey(Ed25519PrivateKey.from_private_bytes(b"k" * 32))
    other = signing.SigningKey(Ed25519PrivateKey.from_private_bytes(b"o" * 32))
    signature = key.sign(payload)
    assert signature.keyid == key.id
    assert signing.holds(signature, payload, key.public)
    assert not signing.holds(signature, payload + b" ", key.public)
    assert not signing.holds(signature, payload, other.public)


@given(st.integers(0, 511))
@settings(max_examples=60, deadline=None)
def test_a_signature_with_one_bit_flipped_holds_no_more(bit: int) -> None:
    key = signing.SigningKey(Ed25519PrivateKey.from_private_bytes(b"k" * 32))
    raw = bytearray(base64.b64decode(key.sign(b"x").sig))
    raw[bit // 8] ^= 1 << bit % 8
    flipped = Signature(keyid=key.id, sig=base64.b64encode(raw).decode())
    assert not signing.holds(flipped, b"x", key.public)


def test_a_signature_without_the_type_of_what_was_signed_does_not_hold() -> None:
    private = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    key = signing.SigningKey(private)
    bare = Signature(keyid=key.id, sig=base64.b64encode(private.sign(b"x")).decode())
    assert not signing.holds(bare, b"x", key.public)


@pytest.mark.parametrize("public", ["", "AAAA", base64.b64encode(bytes(32)).decode()])
def test_against_no_key_nothing_holds(public: str) -> None:
    key = signing.SigningKey(Ed25519PrivateKey.from_private_bytes(b"k" * 32))
    assert not signing.holds(key.sign(b"x"), b"x", public)


def test_an_envelope_carries_the_statement_and_all_who_signed(path: Path, tmp_path: Path) -> None:
    one, two = signing.create(path), signing.create(tmp_path / "two.pem")
    envelope = signing.sealed(b"{}", (one.sign(b"{}"), two.sign(b"{}")))
    assert envelope.content == b"{}"
    assert [signature.keyid for signature in envelope.signatures] == [one.id, two.id]


@pytest.mark.needs("openssl")
def test_openssl_agrees_that_the_signature_holds(path: Path, tmp_path: Path) -> None:
    key = signing.create(path)
    (tmp_path / "sig").write_bytes(base64.b64decode(key.sign(b"payload").sig))
    (tmp_path / "signed").write_bytes(pre_authentication(b"payload"))
    asked = ["-verify", "-inkey", str(path), "-rawin", "-in", "signed", "-sigfile", "sig"]
    subprocess.run(["openssl", "pkeyutl", *asked], cwd=tmp_path, check=True, capture_output=True)
