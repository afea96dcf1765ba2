"""Evidence and what was computed once, on disk below `home`."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipelines import documents
from pipelines.domain.evidence import Evidence
from pipelines.domain.verdict import Status
from pipelines.errors import BadInput


@dataclass(frozen=True)
class EvidenceStore:
    """`<home>/evidence/<subject digest>/<data digest>.json`; partial evidence lies beside it.

    Where only some checks ran their names stand in the file's name, so that a quick look never
    replaces what a whole run found out.
    """

    home: Path

    def path(self, evidence: Evidence, checks: tuple[str, ...]) -> Path:
        """Where evidence with these verdicts belongs."""
        some = "" if evidence.complete else f".{'-'.join(checks)}"
        demo = ".demo" if evidence.demo else ""
        suffix = ".partial.json" if evidence.partial else ".json"
        folder = self.home / "evidence" / evidence.subject_digest
        return folder / f"{evidence.data_digest}{some}{demo}{suffix}"

    def save(self, evidence: Evidence) -> Path:
        """Write evidence as a whole. What could not tell never replaces what could.

        :raises CannotTell: when it cannot be written.
        """
        path = self.path(evidence, tuple(verdict.check for verdict in evidence.verdicts))
        if evidence.status is Status.ERRORED and not evidence.partial:
            path = path.with_suffix(".partial.json")
        documents.write(path, evidence.model_dump_json(indent=1, by_alias=True) + "\n")
        return path

    def about(self, subject_digest: str) -> tuple[tuple[Path, Evidence], ...]:
        """All evidence about one content, sorted by file; what cannot be read is none."""
        found = []
        for path in sorted((self.home / "evidence" / subject_digest).glob("*.json")):
            with suppress(BadInput):
                found.append((path, documents.load_json(path, Evidence)))
        return tuple(found)

    def answer(self, asked: Evidence, checks: tuple[str, ...]) -> tuple[Evidence, Path] | None:
        """Evidence that already holds what a run of these checks for `asked` would find."""
        path = self.path(asked, checks)
        try:
            found = documents.load_json(path, Evidence)
        except BadInput:
            return None
        ran = tuple(verdict.check for verdict in found.verdicts)
        return (found, path) if found.answers(asked) and ran == checks else None


@dataclass(frozen=True)
class FolderCache:
    """Computed bytes by key.

    With `reads` off, nothing from before this run is used; what is computed is kept all the same.
    """

    folder: Path
    reads: bool = True
    fresh: set[str] = field(default_factory=set)

    def get(self, key: str) -> bytes | None:
        path = self.folder / key
        return path.read_bytes() if (self.reads or key in self.fresh) and path.is_file() else None

    def put(self, key: str, content: bytes) -> None:
        documents.write(self.folder / key, content)
        self.fresh.add(key)
