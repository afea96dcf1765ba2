"""What a release is called, what its digests cover, and which ones exclude each other."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.domain.document import sha256
from pipelines.domain.release import (
    NAME,
    Pins,
    Release,
    ReleaseId,
    conflicts,
    release_digest,
    release_of,
)
from pipelines.domain.strategy import Manifest, SourceFile, Strategy

PINS = Pins(freqtrade="2026.9", requirements="a" * 64, python="3.11")


def strategy(
    name: str = "plain", version: str = "1.4.0", code: bytes = b"pass\n", shared: bytes = b""
) -> Strategy:
    manifest = Manifest(
        class_name="Plain", version=version, owner="us", summary="nothing", pairs=("BTC/USDT",),
        timeframe="1h", handover="drain",
    )  # fmt: skip
    files = (
        SourceFile(f"{name}/strategy.yaml", f"version: {version}".encode()),
        SourceFile(f"{name}/strategy.py", code),
    )
    used = (SourceFile("shared/means_v1.py", shared),) if shared else ()
    return Strategy(name, manifest, files, used)


def changed(release: Release, **values: Any) -> dict[str, Any]:
    return {**release.model_dump(), **values}


@given(
    st.from_regex(rf"\A{NAME}\Z").filter(str.isascii),
    st.tuples(*[st.integers(0, 10**6)] * 3),
    st.text("0123456789abcdef", min_size=8, max_size=8),
)
def test_an_id_that_is_printed_is_read_again(
    name: str, version: tuple[int, ...], short: str
) -> None:
    told = ReleaseId(name, ".".join(map(str, version)), short)
    assert ReleaseId.parse(str(told)) == told


def test_an_id_is_name_version_and_eight_digits_of_the_digest() -> None:
    release = release_of(strategy(), PINS)
    assert str(release.id) == f"plain@1.4.0+{release.digest[:8]}"


@pytest.mark.parametrize(
    "text",
    ["", "plain", "plain@1.4.0", "plain@1.4+3f9c2a1b", "plain@1.4.0+3f9c2a1",
     "plain@1.4.0+3F9C2A1B", "plain@1.4.0+3f9c2a1b\n", "../plain@1.4.0+3f9c2a1b",
     "plain@1.4.0+3f9c2a1bc", "plain@१.4.0+3f9c2a1b"],
)  # fmt: skip
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"should look like name@1\.4\.0\+3f9c2a1b"):
        ReleaseId.parse(text)


def test_the_subject_digest_is_that_of_the_strategy_shared_code_included() -> None:
    with_shared = strategy(shared=b"MEAN = 1\n")
    release = release_of(with_shared, PINS)
    assert release.subject_digest == with_shared.digest
    assert [file.path for file in release.files] == [
        "plain/strategy.py", "plain/strategy.yaml", "shared/means_v1.py",
    ]  # fmt: skip
    assert release.files[0].digest == sha256(b"pass\n")
    assert release.files[0].size == 5


@pytest.mark.parametrize(
    "pins",
    [{"freqtrade": "2026.10"}, {"requirements": "b" * 64}, {"python": "3.12"}],
    ids=str,
)
def test_every_pin_changes_the_digest(pins: dict[str, str]) -> None:
    other = PINS.model_copy(update=pins)
    assert release_of(strategy(), other).digest != release_of(strategy(), PINS).digest


def test_every_file_changes_the_digest() -> None:
    digests = {
        release_of(one, PINS).digest
        for one in (strategy(), strategy(code=b"1\n"), strategy(shared=b"1\n"))
    }
    assert len(digests) == 3


def test_the_order_in_which_files_were_found_changes_nothing() -> None:
    one = strategy(shared=b"MEAN = 1\n")
    other = Strategy(one.name, one.manifest, one.files[::-1], one.shared)
    assert release_of(one, PINS).canonical() == release_of(other, PINS).canonical()


def test_the_digest_is_the_same_for_ever() -> None:
    # Packed releases are found by it: whatever changes this number orphans all of them.
    assert release_digest("0" * 64, PINS) == (
        "ab061c86303f94863d3375d0865186f1341c40f34bd2f5c5b6eb48410bf34d1c"
    )


def test_a_release_is_read_as_it_was_written() -> None:
    release = release_of(strategy(shared=b"MEAN = 1\n"), PINS)
    assert Release.model_validate_json(release.canonical()) == release


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"digest": "f" * 64}, "the digest is not that of"),
        ({"subject_digest": "f" * 64}, "the subject digest is not that of"),
        ({"name": "other"}, "neither the plugin's nor shared"),
        ({"version": "1.4"}, "version"),
        ({"files": ()}, "files"),
        ({"label": "demo"}, "label"),
    ],
    ids=str,
)
def test_a_release_that_contradicts_itself_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Release.model_validate(changed(release_of(strategy(), PINS), **values))


def test_files_out_of_order_or_twice_are_refused() -> None:
    release = release_of(strategy(), PINS)
    for files in (release.files[::-1], (*release.files, release.files[-1])):
        with pytest.raises(ValidationError, match="not sorted, or one stands twice"):
            Release.model_validate(changed(release, files=files))


@pytest.mark.parametrize(
    "path",
    ["/plain/a", "plain/../../a", "plain/./a", "plain//a", "plain", "plain/", "plain/.git",
     "plain/a b", "plain/a\n", "plain/ä", f"plain/{'a' * 90}"],
)  # fmt: skip
def test_a_path_that_is_not_plain_is_refused(path: str) -> None:
    files = ({"path": path, "size": 0, "digest": "0" * 64},)
    with pytest.raises(ValidationError, match="path"):
        Release.model_validate(changed(release_of(strategy(), PINS), files=files))


def test_the_same_release_again_conflicts_with_nothing() -> None:
    release = release_of(strategy(), PINS)
    assert conflicts(release, [release, release_of(strategy(version="1.5.0"), PINS)]) == ()


def test_one_version_with_two_digests_conflicts_and_says_what_differs() -> None:
    packed = release_of(strategy(), PINS)
    (content,) = conflicts(release_of(strategy(code=b"1\n"), PINS), [packed])
    assert content == (
        f"version 1.4.0 of plain is packed already with other content, as {packed.id}"
    )
    newer = PINS.model_copy(update={"freqtrade": "2026.10", "requirements": "b" * 64})
    (pin,) = conflicts(release_of(strategy(), newer), [packed])
    assert "with another pin of freqtrade and requirements, as" in pin


def test_names_that_only_their_case_tells_apart_conflict() -> None:
    packed, asked = release_of(strategy("Plain"), PINS), release_of(strategy("plain"), PINS)
    (reason,) = conflicts(asked, [packed])
    assert "differ only in upper and lower case" in reason


def test_two_releases_that_go_by_the_same_digits_conflict() -> None:
    asked = release_of(strategy(), PINS)
    # Real ones would take 2^32 tries to find; nobody has to have tried.
    packed = release_of(strategy("other"), PINS).model_copy(
        update={"digest": asked.digest[:8] + "0" * 56}
    )
    (reason,) = conflicts(asked, [packed])
    assert "would go by the same 8 digits" in reason
