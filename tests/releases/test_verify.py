"""`sluice verify`: whatever was done to a release or to what is signed about it, it shows."""

import base64
import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.adapters import packing, signing, verifying
from pipelines.domain.document import sha256
from pipelines.domain.release import Release
from pipelines.domain.statement import release_statement
from pipelines.domain.strategy import SourceFile, Strategy, subject_digest
from pipelines.errors import BadInput, CannotTell
from pipelines.workflow import keys
from pipelines.workflow.pack import PackedRelease, pack
from pipelines.workflow.place import Place
from pipelines.workflow.verify import VerifiedFile, verify

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

Trusted = Callable[..., keys.NewKey]


def looked_at(here: Place, file: Path | str, now: datetime = NOW) -> VerifiedFile:
    return verify(here, str(file), None, now)


def reasons(here: Place, file: Path, now: datetime = NOW) -> list[str]:
    return list(looked_at(here, file, now).verification.reasons)


def dsse(packed: PackedRelease) -> Path:
    return packed.tar.with_suffix(".dsse")


def edit_trust(here: Place, old: str, new: str) -> None:
    file = here.root / "environments" / "trust.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_a_sound_release_is_told_step_by_step(here: Place, packed: PackedRelease) -> None:
    found = looked_at(here, packed.tar).verification
    assert [one.what for one in found.checked] == ["statement", "signatures", "digest", "content"]
    assert found.reasons == ()
    (signer,) = found.signers
    assert (signer.name, signer.opens) == (packed.signed_by[0], ("test",))
    assert found.checked[0].said.endswith("without a label")
    assert found.checked[3].said == "4 files, as release.json says"


@pytest.mark.parametrize("how", ["tar", "dsse", "id", "digest", "short"])
def test_a_release_is_found_by_file_id_or_digest(
    here: Place, packed: PackedRelease, how: str
) -> None:
    release = packed.statement.predicate.release
    asked = {
        "tar": packed.tar, "dsse": dsse(packed), "id": release.id, "digest": release.digest,
        "short": release.digest[:8],
    }  # fmt: skip
    assert looked_at(here, str(asked[how])).path == packed.tar


@pytest.mark.parametrize(
    "asked", ["nowhere.tar", "plain@1.4.0+00000000", "0" * 64, "00", "", "plain", "."]
)
def test_what_is_not_there_is_bad_input(here: Place, packed: PackedRelease, asked: str) -> None:
    with pytest.raises(BadInput, match="there is no such"):
        looked_at(here, asked)


def test_an_id_with_another_version_or_name_is_not_this_release(
    here: Place, packed: PackedRelease
) -> None:
    release = packed.statement.predicate.release
    for other in (f"plain@1.5.0+{release.digest[:8]}", f"other@1.4.0+{release.digest[:8]}"):
        with pytest.raises(BadInput, match="there is no such release"):
            looked_at(here, other)


def test_it_is_verified_wherever_it_was_copied(
    here: Place, packed: PackedRelease, tmp_path: Path
) -> None:
    for file in (packed.tar, dsse(packed)):
        shutil.copy(file, tmp_path / f"plain{file.suffix}")
    assert reasons(here, tmp_path / "plain.tar") == []


@given(st.data())
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_byte_that_is_flipped_shows(
    here: Place, packed: PackedRelease, data: st.DataObject
) -> None:
    trust, files = here.trust(), [packed.tar.read_bytes(), dsse(packed).read_bytes()]
    which = data.draw(st.integers(0, 1))
    at = data.draw(st.integers(0, len(files[which]) - 1))
    flipped = bytearray(files[which])
    flipped[at] ^= data.draw(st.integers(1, 255))
    files[which] = bytes(flipped)
    assert verifying.verify(files[0], files[1], trust, NOW).reasons


@given(st.data())
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_cut_off_or_added_shows(
    here: Place, packed: PackedRelease, data: st.DataObject
) -> None:
    trust, files = here.trust(), [packed.tar.read_bytes(), dsse(packed).read_bytes()]
    which = data.draw(st.integers(0, 1))
    if data.draw(st.booleans()):
        files[which] = files[which][: data.draw(st.integers(0, len(files[which]) - 1))]
    else:
        files[which] += data.draw(st.binary(min_size=1, max_size=2000))
    assert verifying.verify(files[0], files[1], trust, NOW).reasons


def test_a_changed_tar_is_not_opened(
    here: Place, packed: PackedRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(packing, "read", read)
    packed.tar.write_bytes(packed.tar.read_bytes() + b"\0")
    digest, content = reasons(here, packed.tar)
    assert digest.startswith("digest: the file was changed since")
    assert content == "content: was not looked at"


def test_without_a_statement_it_is_unsigned(here: Place, packed: PackedRelease) -> None:
    dsse(packed).unlink()
    assert reasons(here, packed.tar)[0] == "statement: the release is not signed"
    assert looked_at(here, packed.tar).verification.signers == ()


def test_the_statement_of_another_release_does_not_do(
    here: Place, packed: PackedRelease, examined: Callable[..., Path]
) -> None:
    manifest = here.root / "strategies/plain/strategy.yaml"
    manifest.write_text(manifest.read_text().replace("1.4.0", "1.5.0"))
    examined()
    other = pack(here, "plain", "ci", None, NOW)
    shutil.copy(dsse(other), dsse(packed))
    said = reasons(here, packed.tar)
    assert [one.partition(":")[0] for one in said] == ["digest", "content", "name"]
    # Both files of another release under the name of this one: a downgrade, or the reverse.
    shutil.copy(other.tar, packed.tar)
    (name,) = reasons(here, packed.tar)
    assert name.endswith("is not the digest of this release")


def test_the_page_tells_every_step(here: Place, packed: PackedRelease, root: Path) -> None:
    page = (root / "docs" / "releases.md").read_text()
    chapter = page.partition("## What verify looks at")[2].partition("\n## ")[0]
    steps = re.findall(r"^\| `(\w+)` \|", chapter, re.MULTILINE)
    found = [one.what for one in looked_at(here, packed.tar).verification.checked]
    assert steps == [*found, "name"]


def test_a_key_that_nobody_knows_does_not_count(here: Place, packed: PackedRelease) -> None:
    (here.root / "environments" / "trust.yaml").write_text("keys:\n")
    (reason,) = reasons(here, packed.tar)
    assert reason.startswith("signatures: trust.yaml knows no key")


@pytest.mark.parametrize(
    ("entry", "days", "said"),
    [
        ("revoked: 2026-11-30T00:00:00Z", 0, "was revoked (2026-11-30)"),
        ("until: 2026-11-30T00:00:00Z", 9, "has expired (2026-11-30)"),
        ("until: 2026-11-30T00:00:00Z", 0, ""),
        ("", -1, "signed in the future"),
    ],
)
def test_a_key_counts_while_it_is_valid(
    here: Place, packed: PackedRelease, entry: str, days: int, said: str
) -> None:
    edit_trust(here, "Z}", f"Z, {entry}}}" if entry else "Z}")
    found = reasons(here, packed.tar, NOW + timedelta(days=days))
    assert bool(found) == bool(said)
    assert all(said in reason for reason in found)


def test_a_role_that_signs_no_releases_does_not_count(here: Place, packed: PackedRelease) -> None:
    edit_trust(here, "role: ci", "role: host")
    (reason,) = reasons(here, packed.tar)
    assert reason.endswith("is a key of the role host, which signs no releases")


def test_a_demo_key_does_not_count_for_more(here: Place, packed: PackedRelease) -> None:
    edit_trust(here, "role: ci", "role: demo")
    (reason,) = reasons(here, packed.tar)
    assert reason.endswith("signs only what is labelled demo, and this is not")


def test_everything_that_is_wrong_with_a_key_is_told(here: Place, packed: PackedRelease) -> None:
    edit_trust(here, "role: ci", "role: host")
    edit_trust(here, "Z}", "Z, revoked: 2026-11-21T00:00:00Z, until: 2026-11-22T00:00:00Z}")
    assert len(reasons(here, packed.tar, NOW + timedelta(days=9))) == 3


def resigned(packed: PackedRelease, private: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Write the statement anew as somebody would who has the key of CI."""
    told = json.loads(packed.statement.canonical())
    change(told)
    payload = json.dumps(told, separators=(",", ":")).encode()
    envelope = signing.sealed(payload, (signing.load(private).sign(payload),))
    dsse(packed).write_bytes(signing.written(envelope))


def weaken(told: dict[str, Any]) -> None:
    told["predicate"]["evidence"]["synthetic"] = True


def fail(told: dict[str, Any]) -> None:
    told["predicate"]["evidence"]["status"] = "FAILED"


def promise(told: dict[str, Any]) -> None:
    told["predicate"]["approved"] = True


def rename(told: dict[str, Any]) -> None:
    told["subject"][0]["name"] = "other@9.9.9+00000000"


def approve(told: dict[str, Any]) -> None:
    told["predicateType"] = "urn:sluice:approval:v1"


def join(told: dict[str, Any]) -> None:
    told["subject"].append(told["subject"][0])


@pytest.mark.parametrize("change", [weaken, fail, promise, rename, approve, join])
def test_a_statement_that_makes_no_sense_is_refused_though_it_is_signed(
    here: Place, packed: PackedRelease, change: Callable[[dict[str, Any]], Any]
) -> None:
    resigned(packed, here.home / "keys" / "ci.pem", change)
    statement, *unseen = reasons(here, packed.tar)
    assert statement.startswith("statement: the statement")
    assert unseen == [f"{n}: was not looked at" for n in ("signatures", "digest", "content")]


def test_a_statement_in_other_words_is_another_statement(
    here: Place, packed: PackedRelease
) -> None:
    payload = json.dumps(json.loads(packed.statement.canonical())).encode()
    key = signing.load(here.home / "keys" / "ci.pem")
    dsse(packed).write_bytes(signing.written(signing.sealed(payload, (key.sign(payload),))))
    assert "not as packing writes it" in reasons(here, packed.tar)[0]


def test_a_signature_by_somebody_else_in_the_name_of_ci_shows(
    here: Place, packed: PackedRelease, tmp_path: Path
) -> None:
    payload = packed.statement.canonical()
    forged = signing.create(tmp_path / "mine.pem").sign(payload)
    known = signing.load(here.home / "keys" / "ci.pem").id
    envelope = signing.sealed(payload, (forged.model_copy(update={"keyid": known}),))
    dsse(packed).write_bytes(signing.written(envelope))
    assert reasons(here, packed.tar) == [f"signatures: {packed.signed_by[0]} did not sign this"]


def test_every_signature_has_to_hold_not_only_one(
    here: Place, packed: PackedRelease, trusted: Trusted, tmp_path: Path
) -> None:
    second = trusted("ci", out=tmp_path / "second.pem")
    pack(here, "plain", str(second.path), None, NOW)
    assert reasons(here, packed.tar) == []
    envelope, _ = signing.opened(dsse(packed).read_bytes(), "it")
    one, two = envelope.signatures
    wrong = two.model_copy(update={"sig": one.sig})
    dsse(packed).write_bytes(
        signing.written(envelope.model_copy(update={"signatures": (one, wrong)}))
    )
    assert reasons(here, packed.tar) == [f"signatures: {second.name} did not sign this"]


def signed_tar(here: Place, packed: PackedRelease, release: Release, tar: bytes) -> None:
    """Whoever has CI's key signs a tar of his own making."""
    predicate = packed.statement.predicate.model_copy(update={"release": release})
    payload = release_statement(predicate, sha256(tar)).canonical()
    key = signing.load(here.home / "keys" / "ci.pem")
    packed.tar.write_bytes(tar)
    dsse(packed).write_bytes(signing.written(signing.sealed(payload, (key.sign(payload),))))


def test_content_that_is_not_what_release_json_says_is_refused_though_it_is_signed(
    here: Place, packed: PackedRelease
) -> None:
    release = packed.statement.predicate.release
    tar = packed.tar.read_bytes().replace(b"MEAN = 1", b"MEAN = 9")
    signed_tar(here, packed, release, tar)
    assert reasons(here, packed.tar) == [
        "content: strategies/shared/means_v1.py is not what release.json says"
    ]


def test_a_version_that_the_manifest_does_not_bear_is_refused_though_it_is_signed(
    here: Place, packed: PackedRelease
) -> None:
    # Both digests are right: the version is in them only by way of the manifest.
    release = packed.statement.predicate.release.model_copy(update={"version": "9.9.9"})
    _, files = packing.read(packed.tar.read_bytes(), "it")
    every = tuple(SourceFile(path, content) for path, content in files.items())
    assert subject_digest({one.path: one.digest for one in every}) == release.subject_digest
    tar = packing.pack(release, Strategy("plain", None, every))  # type: ignore[arg-type]
    signed_tar(here, packed, release, tar)
    assert reasons(here, packed.tar) == [
        "content: strategies/plain/strategy.yaml says version 1.4.0, release.json 9.9.9"
    ]


def test_a_release_in_the_tar_other_than_in_the_statement_is_refused_though_it_is_signed(
    here: Place, packed: PackedRelease
) -> None:
    release = packed.statement.predicate.release.model_copy(update={"version": "1.4.9"})
    signed_tar(here, packed, release, packed.tar.read_bytes())
    (reason,) = reasons(here, packed.tar)
    assert reason == "content: it is another release than the statement's"


def test_a_trust_file_of_ones_own_may_be_named(
    here: Place, packed: PackedRelease, tmp_path: Path
) -> None:
    own = tmp_path / "trust.yaml"
    own.write_text("keys:\n")
    assert verify(here, str(packed.tar), own, NOW).verification.reasons
    own.write_text("keys: 1\n")
    with pytest.raises(BadInput, match=r"trust\.yaml:1: keys: should be keys and values"):
        verify(here, str(packed.tar), own, NOW)
    with pytest.raises(BadInput, match="there is no such file"):
        verify(here, str(packed.tar), tmp_path / "none.yaml", NOW)


def test_what_cannot_be_read_is_no_answer(here: Place, packed: PackedRelease) -> None:
    dsse(packed).unlink()
    dsse(packed).symlink_to(dsse(packed))
    with pytest.raises(CannotTell, match="cannot be read"):
        looked_at(here, packed.tar)


def test_the_envelope_is_one_that_other_tools_read(packed: PackedRelease) -> None:
    told = json.loads(dsse(packed).read_bytes())
    assert told["payloadType"] == "application/vnd.in-toto+json"
    assert base64.b64decode(told["payload"]) == packed.statement.canonical()
