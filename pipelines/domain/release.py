"""A release: one content of a strategy, with the pins that it was examined with. Never changes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from pipelines.domain.document import Digest, Document
from pipelines.domain.strategy import Strategy, Version, subject_digest

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
SHORT = 8
"""How many hex digits of its digest a release is called by."""

_PART = r"[A-Za-z0-9_][A-Za-z0-9_.\-]*"
_ID = re.compile(rf"({NAME})@(\d+\.\d+\.\d+)\+([0-9a-f]{{{SHORT}}})", re.ASCII)

PluginName = Annotated[str, StringConstraints(pattern=rf"^{NAME}$")]
FilePath = Annotated[str, StringConstraints(pattern=rf"^{_PART}(/{_PART})+$", max_length=89)]
"""A path below `strategies/`: plain names, so that it can lead nowhere else."""


PythonMinor = Annotated[str, StringConstraints(pattern=r"^3\.[0-9]{1,2}$")]


class DeclaredPins(Document):
    """`environments/pins.lock`: the pins that nothing else in a project says."""

    python: PythonMinor


class Pins(Document):
    """What a release runs with besides its own content.

    `requirements` is the digest of the lock that packages are installed from, `python` the minor
    version that the project declares, whatever the machine that packs happens to have.
    """

    freqtrade: Annotated[str, StringConstraints(pattern=r"^[0-9][0-9A-Za-z.]*$")]
    requirements: Digest
    python: PythonMinor


class PackedFile(Document):
    """One file of a release: its path below `strategies/`, its size in bytes and its digest."""

    path: FilePath
    size: Annotated[int, Field(ge=0)]
    digest: Digest


@dataclass(frozen=True)
class ReleaseId:
    """`name@1.4.0+3f9c2a1b`: how people and commands call a release."""

    name: str
    version: str
    short: str

    @classmethod
    def parse(cls, text: str) -> "ReleaseId":
        """The id that a text spells.

        :raises ValueError: when it is none.
        """
        match = _ID.fullmatch(text)
        if not match:
            raise ValueError(f"should look like name@1.4.0+3f9c2a1b, got {text!r}")
        return cls(*match.groups())

    def __str__(self) -> str:
        return f"{self.name}@{self.version}+{self.short}"


class Release(Document):
    """`release.json`: what is in a release, and what it is pinned to.

    Both digests follow from the rest. A document in which they do not is refused when it is read.
    """

    name: PluginName
    version: Version
    digest: Digest
    subject_digest: Digest
    pins: Pins
    files: Annotated[tuple[PackedFile, ...], Field(min_length=1)]

    @property
    def id(self) -> ReleaseId:
        """What it is called by."""
        return ReleaseId(self.name, self.version, self.digest[:SHORT])

    @model_validator(mode="after")
    def _consistent(self) -> "Release":
        paths = [file.path for file in self.files]
        if paths != sorted(set(paths)):
            raise ValueError("the files are not sorted, or one stands twice")
        own = (f"{self.name}/", "shared/")
        if strange := [path for path in paths if not path.startswith(own)]:
            raise ValueError(f"{strange[0]} is neither the plugin's nor shared code")
        if self.subject_digest != subject_digest({file.path: file.digest for file in self.files}):
            raise ValueError("the subject digest is not that of the files")
        if self.digest != release_digest(self.subject_digest, self.pins):
            raise ValueError("the digest is not that of the subject digest and the pins")
        return self


class _Content(Document):
    subject_digest: Digest
    pins: Pins


def release_digest(subject: str, pins: Pins) -> str:
    """The digest of a release: over its subject digest and its pins."""
    return _Content(subject_digest=subject, pins=pins).content_digest()


def release_of(strategy: Strategy, pins: Pins) -> Release:
    """The release that a strategy makes with these pins: always the same one.

    :raises ValueError: when a path in it is too long for a release.
    """
    every = sorted((*strategy.files, *strategy.shared), key=lambda file: file.path)
    return Release(
        name=strategy.name,
        version=strategy.manifest.version,
        digest=release_digest(strategy.digest, pins),
        subject_digest=strategy.digest,
        pins=pins,
        files=tuple(
            PackedFile(path=file.path, size=len(file.content), digest=file.digest) for file in every
        ),
    )


def conflicts(release: Release, packed: Iterable[Release]) -> tuple[str, ...]:
    """Why a release cannot stand beside those that are packed already; all reasons."""
    found = []
    for other in packed:
        if other.digest == release.digest:
            continue
        if (other.name, other.version) == (release.name, release.version):
            found.append(
                f"version {release.version} of {release.name} is packed already with "
                f"{_difference(release, other)}, as {other.id}"
            )
        if other.id.short == release.id.short:
            found.append(f"{release.id} and {other.id} would go by the same {SHORT} digits")
        if _folded(other) == _folded(release) and other.name != release.name:
            found.append(f"{release.id} and {other.id} differ only in upper and lower case")
    return tuple(found)


def _difference(one: Release, other: Release) -> str:
    if one.subject_digest != other.subject_digest:
        return "other content"
    changed = [n for n in Pins.model_fields if getattr(one.pins, n) != getattr(other.pins, n)]
    return f"another pin of {' and '.join(changed)}"


def _folded(release: Release) -> tuple[str, str]:
    return release.name.casefold(), release.version
