"""What somebody signs about a release: in-toto statements in DSSE envelopes."""

import base64
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from pipelines.domain.document import Digest, Document, unsaid
from pipelines.domain.evidence import Evidence, Isolation
from pipelines.domain.release import Release
from pipelines.domain.verdict import Status

PAYLOAD: Final = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
RELEASE: Final = "urn:sluice:release:v1"

Label = Literal["demo"]
DEMO: Label = "demo"
"""What a release is marked with that must never leave `environments/demo/`."""


def _one_spelling(text: str) -> str:
    try:
        canonical = base64.b64encode(base64.b64decode(text, validate=True)).decode()
    except ValueError:
        canonical = ""
    if text != canonical or not text:
        raise ValueError("is no base64")
    return text


Base64 = Annotated[str, AfterValidator(_one_spelling)]
"""Standard base64, and of several spellings of the same bytes only the one that encoding gives."""


class Signature(Document):
    """One signature over an envelope's payload. `keyid` is the sha256 of the public key."""

    keyid: Digest
    sig: Base64


class Envelope(Document):
    """A DSSE envelope (version 1) around an in-toto statement."""

    payload: Base64
    payload_type: Annotated[Literal["application/vnd.in-toto+json"], Field(alias="payloadType")]
    signatures: Annotated[tuple[Signature, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_key_once(self) -> "Envelope":
        if len({one.keyid for one in self.signatures}) < len(self.signatures):
            raise ValueError("one key signed twice")
        return self

    @property
    def content(self) -> bytes:
        """The statement's bytes, as they were signed."""
        return base64.b64decode(self.payload)


def pre_authentication(payload: bytes, kind: str = PAYLOAD) -> bytes:
    """What is really signed (DSSE's PAE): the payload with its type, neither of which can shift."""
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)


class EvidenceSummary(Document):
    """What a release was packed on. The evidence itself is named by its digest.

    `trades_digest` is over every trade of its backtest, none where that was not kept.
    """

    digest: Digest
    data_digest: Digest
    data_name: str
    thresholds_digest: Digest
    status: Status
    complete: bool
    isolation: Isolation
    synthetic: bool
    trades_digest: Annotated[Digest | None, Field(exclude_if=unsaid)] = None

    @property
    def admits(self) -> bool:
        """True when it lets a release go beyond the demo."""
        strong = self.isolation is Isolation.FULL and not self.synthetic
        return self.status is Status.PASSED and self.complete and strong


def summary_of(evidence: Evidence) -> EvidenceSummary:
    """What a release statement says of evidence."""
    return EvidenceSummary(
        digest=evidence.content_digest(),
        data_digest=evidence.data_digest,
        data_name=evidence.data_name,
        thresholds_digest=evidence.thresholds_digest,
        status=evidence.status,
        complete=evidence.complete,
        isolation=evidence.isolation,
        synthetic=evidence.synthetic,
        trades_digest=evidence.trades_digest,
    )


class Packed(Document):
    """The predicate: this release was packed on this evidence. `label` is `demo` or nothing.

    `remainder` is the digest of all that it is but its version, freqtrade and ccxt.
    """

    release: Release
    label: Label | None
    evidence: EvidenceSummary
    taken_at: AwareDatetime
    remainder: Annotated[Digest | None, Field(exclude_if=unsaid)] = None

    @model_validator(mode="after")
    def _labelled(self) -> "Packed":
        if self.evidence.status is not Status.PASSED or not self.evidence.complete:
            raise ValueError("the evidence does not let any release be packed")
        if self.label is None and not self.evidence.admits:
            raise ValueError(
                "the evidence admits nothing beyond the demo, and the label is missing"
            )
        return self


class _Sha256(Document):
    sha256: Digest


class Subject(Document):
    """The file that a statement is about: a release's id, and the digest of its tar."""

    name: str
    digest: _Sha256


class ReleaseStatement(Document):
    """An in-toto statement (version 1) that a release was packed."""

    kind: Annotated[Literal["https://in-toto.io/Statement/v1"], Field(alias="_type")]
    subject: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=1)]
    predicate_type: Annotated[Literal["urn:sluice:release:v1"], Field(alias="predicateType")]
    predicate: Packed

    @model_validator(mode="after")
    def _about_its_subject(self) -> "ReleaseStatement":
        if self.subject[0].name != str(self.predicate.release.id):
            raise ValueError("the subject is another release than the predicate's")
        return self

    @property
    def tar_digest(self) -> str:
        """The sha256 that the tar must have."""
        return self.subject[0].digest.sha256

    def says_the_same_as(self, other: "ReleaseStatement") -> bool:
        """True when two statements differ in nothing but the time."""
        without_time = {"predicate": {"taken_at"}}
        return self.model_dump(exclude=without_time) == other.model_dump(exclude=without_time)


def release_statement(packed: Packed, tar_digest: str) -> ReleaseStatement:
    """The statement that a release was packed into a tar with this digest."""
    return ReleaseStatement(
        kind=STATEMENT,
        subject=(Subject(name=str(packed.release.id), digest=_Sha256(sha256=tar_digest)),),
        predicate_type=RELEASE,
        predicate=packed,
    )
