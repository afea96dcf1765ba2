"""Evidence and computed bytes on a real disk."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.adapters.storage import EvidenceStore, FolderCache
from pipelines.domain.evidence import Evidence, Isolation
from pipelines.domain.verdict import Status, Verdict

WHOLE = Evidence(
    strategy="plain",
    version="1.0.0",
    subject_digest="a" * 64,
    data_digest="b" * 64,
    data_name="recorded",
    thresholds_digest="c" * 64,
    complete=True,
    isolation=Isolation.FULL,
    synthetic=False,
    tool_versions={},
    verdicts=(Verdict(check="manifest", status=Status.PASSED),),
    taken_at=datetime(2026, 1, 1, tzinfo=UTC),
)
CHECKS = ("manifest",)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({}, f"{'b' * 64}.json"),
        ({"synthetic": True}, f"{'b' * 64}.partial.json"),
        ({"isolation": Isolation.WEAK}, f"{'b' * 64}.partial.json"),
        ({"complete": False}, f"{'b' * 64}.manifest.partial.json"),
        ({"demo": True}, f"{'b' * 64}.demo.partial.json"),
    ],
)
def test_partial_evidence_lies_beside_complete_evidence(
    tmp_path: Path, change: dict[str, object], name: str
) -> None:
    path = EvidenceStore(tmp_path).save(WHOLE.model_copy(update=change))
    assert path == tmp_path / "evidence" / ("a" * 64) / name


def test_what_was_saved_answers_and_reads_back_the_same(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path)
    path = store.save(WHOLE)
    asked = WHOLE.model_copy(update={"verdicts": ()})
    assert store.answer(asked, CHECKS) == (WHOLE, path)
    assert store.answer(asked, ("manifest", "lint")) is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"strategy": "plain"}', b"\xff"])
def test_what_is_broken_on_disk_answers_nothing(tmp_path: Path, content: bytes) -> None:
    store = EvidenceStore(tmp_path)
    store.save(WHOLE).write_bytes(content)
    assert store.answer(WHOLE, CHECKS) is None


def test_saving_leaves_nothing_else_behind(tmp_path: Path) -> None:
    path = EvidenceStore(tmp_path).save(WHOLE)
    assert list(path.parent.iterdir()) == [path]


def test_a_cache_keeps_by_key(tmp_path: Path) -> None:
    cache = FolderCache(tmp_path)
    assert cache.get("a") is None
    cache.put("a", b"one")
    assert FolderCache(tmp_path).get("a") == b"one"


def test_a_cache_that_does_not_read_knows_only_what_this_run_put(tmp_path: Path) -> None:
    FolderCache(tmp_path).put("a", b"old")
    cache = FolderCache(tmp_path, reads=False)
    assert cache.get("a") is None
    cache.put("a", b"new")
    assert cache.get("a") == b"new"
    assert FolderCache(tmp_path).get("a") == b"new"
