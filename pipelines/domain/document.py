"""The base of everything that is read from, or written to, a disk or a wire."""

import hashlib
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints


class Document(BaseModel):
    """A frozen, strict model that knows no unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", populate_by_name=True)

    def canonical(self) -> bytes:
        """The bytes that digests are taken of: compact JSON with keys in the order of the model."""
        return self.model_dump_json(by_alias=True).encode()

    def content_digest(self) -> str:
        """Sha256 of the canonical bytes, in hex."""
        return sha256(self.canonical())


def unsaid(value: object) -> bool:
    """For fields that came later: documents that say nothing there keep their bytes."""
    return value is None


Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A sha256 in lower-case hex."""


def sha256(content: bytes) -> str:
    """Sha256 in lower-case hex."""
    return hashlib.sha256(content).hexdigest()
