"""Whose signature counts, for what, and how long: `environments/trust.yaml`."""

import base64
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from pipelines.domain.document import Document, sha256
from pipelines.domain.statement import DEMO, Label

SKEW = timedelta(minutes=5)
"""How far the clocks of two machines may be apart."""

SSH_KINDS = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
"""What approvers may sign with; those with `sk-` live in a security key."""

EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)?$")]
KeyName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class Role(StrEnum):
    """What a key is for."""

    CI = "ci"
    DEMO = "demo"
    HOST = "host"
    APPROVER = "approver"


SIGNS_RELEASES: dict[Role, tuple[Label | None, ...]] = {Role.CI: (None, DEMO), Role.DEMO: (DEMO,)}
"""The labels of the releases that a role may sign; a role that is not here signs none."""

_DOOR = "test"


class TrustedKey(Document):
    """One public key.

    `key` is 32 bytes in base64, or for `ssh` a line such as `ssh-keygen` writes. A key counts from
    `from` until `until`. With `revoked` nothing counts that it ever signed: whoever has stolen it
    can date a statement as he likes.
    """

    role: Role
    kind: Literal["ed25519", "ssh"]
    key: str
    environments: tuple[EnvironmentName, ...] = ()
    since: Annotated[AwareDatetime | None, Field(alias="from")] = None
    until: AwareDatetime | None = None
    revoked: AwareDatetime | None = None

    @model_validator(mode="after")
    def _sound(self) -> "TrustedKey":
        approves = self.role is Role.APPROVER
        if approves != (self.kind == "ssh"):
            wanted = "ssh: people sign with ssh-keygen" if approves else "ed25519"
            raise ValueError(f"a key of the role {self.role.value} should be of the kind {wanted}")
        if approves != bool(self.environments):
            raise ValueError(
                "an approver's key should name the environments it may approve for"
                if approves
                else f"environments are for approvers; what {self.role.value} may sign is fixed"
            )
        if self.since and self.until and self.until <= self.since:
            raise ValueError("the key ends before it begins")
        _material(self.kind, self.key)
        return self

    @property
    def id(self) -> str:
        """Sha256 of the public key: what signatures call it by."""
        return sha256(_material(self.kind, self.key))

    def opens(self, label: Label | None) -> tuple[str, ...]:
        """The environments that its signature by itself lets a release into."""
        if self.role is Role.APPROVER:
            return self.environments
        if label not in SIGNS_RELEASES.get(self.role, ()):
            return ()
        return (f"{DEMO}/{_DOOR}",) if label == DEMO else (_DOOR,)

    def objections(self, taken_at: datetime, now: datetime) -> tuple[str, ...]:
        """Why what it signed at `taken_at` does not count, looked at `now`; all reasons.

        It must count at both times. The first is only what the signer says.
        """
        found = []
        if self.revoked:
            found.append(f"was revoked ({_day(self.revoked)})")
        if self.since and taken_at < self.since - SKEW:
            found.append(f"counts from {_day(self.since)} only, and it signed on {_day(taken_at)}")
        if self.until and max(taken_at, now) >= self.until:
            found.append(f"has expired ({_day(self.until)})")
        if taken_at > now + SKEW:
            found.append(f"signed in the future ({taken_at.isoformat()})")
        return tuple(found)


class Trust(Document):
    """`environments/trust.yaml`: every key that counts, by a name of its own."""

    listed: Annotated[dict[KeyName, TrustedKey] | None, Field(alias="keys")]

    @property
    def keys(self) -> dict[str, TrustedKey]:
        """The keys by name; none as long as nothing stands below `keys:`."""
        return self.listed or {}

    @model_validator(mode="after")
    def _each_key_once(self) -> "Trust":
        seen: dict[str, str] = {}
        for name, key in self.keys.items():
            # One key under two names would be two people where two have to sign.
            if key.id in seen:
                raise ValueError(f"keys.{name} is the same key as keys.{seen[key.id]}")
            seen[key.id] = name
        return self

    def known(self, key_id: str) -> tuple[str, TrustedKey] | None:
        """The name and the key that signatures call so."""
        return next(((n, key) for n, key in self.keys.items() if key.id == key_id), None)

    def objections(
        self, key_id: str, label: Label | None, taken_at: datetime, now: datetime
    ) -> tuple[str, ...]:
        """Why a key may not sign a release with this label; all reasons."""
        known = self.known(key_id)
        if known is None:
            return (f"trust.yaml knows no key {key_id[:12]}",)
        name, key = known
        found = [f"{name} {said}" for said in key.objections(taken_at, now)]
        labels = SIGNS_RELEASES.get(key.role, ())
        if not labels:
            found.append(f"{name} is a key of the role {key.role.value}, which signs no releases")
        elif label not in labels:
            found.append(f"{name} signs only what is labelled {labels[0]}, and this is not")
        return tuple(found)


def _material(kind: str, text: str) -> bytes:
    """The public key's bytes.

    :raises ValueError: when the text holds none of this kind.
    """
    if kind == "ed25519":
        raw = _decoded(text)
        if len(raw) != 32:
            raise ValueError("key should be 32 bytes in base64, as 'sluice keys new' prints it")
        return raw
    algorithm, _, rest = text.partition(" ")
    blob = _decoded(rest.partition(" ")[0])
    name = algorithm.encode()
    if algorithm not in SSH_KINDS or not blob.startswith(len(name).to_bytes(4, "big") + name):
        kinds = ", ".join(SSH_KINDS)
        raise ValueError(f"key should be the line of a .pub file, of one of the kinds {kinds}")
    return blob


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
