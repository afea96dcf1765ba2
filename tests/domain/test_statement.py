"""What is signed: envelopes with one spelling, and statements that cannot say more than is so."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.domain.evidence import Evidence, Isolation
from pipelines.domain.release import PackedFile, Pins, Release, release_digest
from pipelines.domain.statement import (
    Envelope,
    Packed,
    ReleaseStatement,
    pre_authentication,
    release_statement,
    summary_of,
)
from pipelines.domain.strategy import subject_digest
from pipelines.domain.verdict import Status, Verdict

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PINS = Pins(freqtrade="2026.9", requirements="a" * 64, python="3.11")
SUBJECT = subject_digest({"plain/strategy.py": "b" * 64})
RELEASE = Release(
    name="plain", version="1.4.0", digest=release_digest(SUBJECT, PINS), subject_digest=SUBJECT,
    pins=PINS, files=(PackedFile(path="plain/strategy.py", size=1, digest="b" * 64),),
)  # fmt: skip


def evidence(**changed: Any) -> Evidence:
    values: dict[str, Any] = {
        "strategy": "plain", "version": "1.4.0", "subject_digest": SUBJECT,
        "data_digest": "c" * 64, "data_name": "recorded", "thresholds_digest": "d" * 64,
        "complete": True, "isolation": Isolation.FULL, "synthetic": False, "tool_versions": {},
        "verdicts": (Verdict(check="manifest", status=Status.PASSED),), "taken_at": NOW,
    }  # fmt: skip
    return Evidence(**{**values, **changed})


def packed(label: str | None = None, **changed: Any) -> Packed:
    said = {"release": RELEASE, "label": label, "taken_at": NOW}
    return Packed.model_validate({**said, "evidence": summary_of(evidence(**changed))})


def test_what_is_signed_is_what_the_specification_of_dsse_shows() -> None:
    signed = pre_authentication(b"hello world", "http://example.com/HelloWorld")
    assert signed == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_the_length_that_is_signed_is_in_bytes() -> None:
    assert pre_authentication("é".encode(), "é") == "DSSEv1 2 é 2 é".encode()


def test_a_statement_has_the_form_of_in_toto() -> None:
    told = release_statement(packed(), "e" * 64).model_dump(mode="json", by_alias=True)
    assert told["_type"] == "https://in-toto.io/Statement/v1"
    assert told["predicateType"] == "urn:sluice:release:v1"
    assert told["subject"] == [{"name": str(RELEASE.id), "digest": {"sha256": "e" * 64}}]
    assert set(told["predicate"]) == {"release", "label", "evidence", "taken_at"}


def test_a_statement_is_read_as_it_was_written() -> None:
    told = release_statement(packed(), "e" * 64)
    assert ReleaseStatement.model_validate_json(told.canonical()) == told


def test_the_summary_names_the_evidence_by_its_digest() -> None:
    assert summary_of(evidence()).digest == evidence().content_digest()
    assert summary_of(evidence()).digest != summary_of(evidence(version="1.4.1")).digest


@pytest.mark.parametrize("weak", [{"isolation": Isolation.WEAK}, {"synthetic": True}], ids=str)
def test_weak_evidence_can_only_be_told_with_the_label(weak: dict[str, Any]) -> None:
    assert not packed("demo", **weak).evidence.admits
    with pytest.raises(ValidationError, match="the label is missing"):
        packed(None, **weak)


def test_strong_evidence_may_be_labelled_all_the_same() -> None:
    assert packed("demo").label == "demo"
    assert packed().label is None


@pytest.mark.parametrize("label", ["demo", None])
@pytest.mark.parametrize(
    "insufficient",
    [{"complete": False}, {"verdicts": ()},
     {"verdicts": (Verdict(check="backtest", status=Status.FAILED),)}],
    ids=str,
)  # fmt: skip
def test_evidence_that_is_no_complete_pass_packs_nothing(
    label: str | None, insufficient: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError, match="does not let any release be packed"):
        packed(label, **insufficient)


@pytest.mark.parametrize("label", ["production", "", "Demo"])
def test_there_is_one_label(label: str) -> None:
    with pytest.raises(ValidationError, match="label"):
        packed(label)


def test_a_statement_about_another_release_than_it_names_is_refused() -> None:
    told = release_statement(packed(), "e" * 64).model_dump(by_alias=True)
    told["subject"][0]["name"] = "plain@1.5.0+00000000"
    with pytest.raises(ValidationError, match="another release than the predicate's"):
        ReleaseStatement.model_validate(told)


def test_only_the_time_may_differ_when_the_same_is_said_again() -> None:
    first = release_statement(packed(), "e" * 64)
    later = packed().model_copy(update={"taken_at": NOW + timedelta(days=1)})
    assert release_statement(later, "e" * 64).says_the_same_as(first)
    assert not release_statement(later, "f" * 64).says_the_same_as(first)
    assert not release_statement(packed("demo"), "e" * 64).says_the_same_as(first)


SIGNATURE = {"keyid": "a" * 64, "sig": base64.b64encode(b"s" * 64).decode()}
ENVELOPE: dict[str, Any] = {
    "payload": base64.b64encode(b"{}").decode(),
    "payloadType": "application/vnd.in-toto+json",
    "signatures": (SIGNATURE,),
}


def test_an_envelope_gives_back_what_was_signed() -> None:
    assert Envelope.model_validate(ENVELOPE).content == b"{}"


@pytest.mark.parametrize(
    "change",
    [
        {"payload": "e31="},  # the same two bytes, in another spelling
        {"payload": "e30"},
        {"payload": ""},
        {"payload": "e30=\n"},
        {"payload": "é"},
        {"payloadType": "text/plain"},
        {"signatures": ()},
        {"signatures": (SIGNATURE, SIGNATURE)},
        {"signatures": ({**SIGNATURE, "keyid": "mine"},)},
        {"signatures": ({**SIGNATURE, "cert": ""},)},
    ],
    ids=str,
)
def test_an_envelope_has_one_spelling(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Envelope.model_validate({**ENVELOPE, **change})
