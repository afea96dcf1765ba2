"""YAML and JSON become typed objects, or errors that say where and what to do."""

import contextlib
import json
import os
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from pipelines import documents
from pipelines.domain.document import Document
from pipelines.errors import BadInput, CannotTell, Problem, Problems


class Inner(Document):
    share: Decimal | None = None
    note: str | None = None


class Sample(Document):
    name: str = "a"
    count: int = 1
    live: bool = False
    price: Decimal = Decimal(1)
    day: date = date(2023, 9, 25)
    sort: str = Field(default="b", alias="type")
    names: tuple[str, ...] = ()
    inner: dict[str, Inner] = Field(default_factory=dict)


def read(text: str | bytes) -> Sample:
    content = text.encode() if isinstance(text, str) else text
    return documents.parse(content, Sample, "file.yaml", "sample")


def refused(text: str | bytes) -> BadInput:
    with pytest.raises(BadInput) as caught:
        read(text)
    return caught.value


def test_reads_yaml() -> None:
    sample = read("name: x\ncount: 3\nlive: true\nprice: 0.1\nday: 2023-01-02\nnames: [a, b]\n")
    assert (sample.name, sample.count, sample.live) == ("x", 3, True)
    assert (sample.price, sample.day) == (Decimal("0.1"), date(2023, 1, 2))
    assert sample.names == ("a", "b")


def test_reads_json_and_aliases_of_keys() -> None:
    assert read('{"type": "c", "names": []}').sort == "c"


def test_reads_text_with_a_byte_order_mark() -> None:
    assert read("\ufeffname: x\n").name == "x"


@pytest.mark.parametrize("written", ["0.1", "0.30", "1e-3", "123456.789", "-0.05", "7"])
def test_a_number_means_what_is_written(written: str) -> None:
    assert read(f"price: {written}").price == Decimal(written)


def test_a_time_of_day_is_no_number_to_the_base_of_sixty() -> None:
    assert read("name: 12:30").name == "12:30"


def test_a_key_is_text_whatever_it_looks_like() -> None:
    assert list(read("inner: {on: {}, 1: {}, null: {}}").inner) == ["on", "1", "null"]


REFUSED = {
    "an unknown key": ("colour: red", "file.yaml:1: colour: is not a known key"),
    "a wrong type": (
        "name: a\ncount: three",
        'file.yaml:2: count: should be a whole number, got "three"',
    ),
    "a number for a text": ("name: 1.5", "file.yaml:1: name: should be text, got 1.5"),
    "a text for a number": ("price: [1]", "file.yaml:1: price: should be a number, got [1]"),
    "a fraction for a whole number": (
        "count: 1.5",
        "file.yaml:1: count: should be a whole number, got 1.5",
    ),
    "a truth for a number": (
        "count: yes",
        "file.yaml:1: count: should be a whole number, got true",
    ),
    "a text for a list": ("names: a", 'file.yaml:1: names: should be a list, got "a"'),
    "no date": (
        "day: monday",
        'file.yaml:1: day: should be a date such as 2023-09-25, got "monday"',
    ),
    "a problem deep inside": (
        "inner:\n  a:\n    share: x",
        'file.yaml:3: inner.a.share: should be a number, got "x"',
    ),
    "a problem in a list": ("names:\n- a\n- 1", "file.yaml:3: names[1]: should be text, got 1"),
    "a key twice": ("name: a\nname: b", "file.yaml:2: name: stands twice, on line 1 and on line 2"),
    "a key twice deep inside": (
        "inner:\n  a: {share: 1, share: 2}",
        "file.yaml:2: inner.a.share: stands twice, on line 2 and on line 2",
    ),
    "nothing": ("", "file.yaml: should hold keys and values, and holds none"),
    "only a comment": ("# x", "file.yaml: should hold keys and values, and holds none"),
    "a list": ("- 1", "file.yaml: should hold keys and values, and holds none"),
    "several documents": ("a: 1\n---\nb: 1", "file.yaml:2: is no YAML: but found another document"),
    "broken nesting": ("a: b: c", "file.yaml:1: is no YAML: mapping values are not allowed here"),
    "an open bracket": (
        "a: [",
        "file.yaml:1: is no YAML: expected the node content, but found '<stream end>'",
    ),
    "an anchor": ("name: &x a", "file.yaml:1: is no YAML: anchors are not read"),
    "an alias to nothing": ("name: *x", "file.yaml:1: is no YAML: anchors are not read"),
    "a merge": ("<<: {a: 1}", "file.yaml:1: holds a key that is no text"),
    "a list as a key": ("? [a]\n: b", "file.yaml:1: holds a key that is no text"),
    "a python object": (
        "name: !!python/object/apply:os.system [id]",
        "file.yaml:1: is no YAML: the tag tag:yaml.org,2002:python/object/apply:os.system "
        "is not read",
    ),
    "bytes": (
        "name: !!binary aGk=",
        "file.yaml:1: is no YAML: the tag tag:yaml.org,2002:binary is not read",
    ),
    "no finite number": ("price: .nan", "file.yaml:1: is no YAML: .nan is no finite number"),
    "an endless number": ("price: -.inf", "file.yaml:1: is no YAML: -.inf is no finite number"),
    "a control character": (
        "name: a\nb: \x01",
        "file.yaml:2: holds the character 0x0001, which YAML does not allow",
    ),
    "no UTF-8": (b"name: a\nb: \xff", "file.yaml:2: is not UTF-8 text"),
    "UTF-16": ("name: a".encode("utf-16"), "file.yaml:1: is not UTF-8 text"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_refuses(text: str | bytes, message: str) -> None:
    assert refused(text).message == message


def test_points_to_the_page_that_explains() -> None:
    assert refused("count: x").hint == "see 'sluice docs sample'"
    assert refused("colour: x").hint.startswith("check the spelling")


def test_tells_all_problems_at_once_and_each_with_its_place() -> None:
    error = refused("name: 1\ncount: x\ncolour: red\n")
    assert isinstance(error, Problems)
    assert [(p.key, p.line) for p in error.problems] == [("name", 1), ("count", 2), ("colour", 3)]


def test_a_single_problem_is_raised_as_itself() -> None:
    assert isinstance(refused("count: x"), Problem)


def test_a_long_value_is_shortened() -> None:
    assert len(refused(f"count: {'x' * 1000}").message) < 120


@pytest.mark.parametrize("text", ["[" * 10_000, "{a: " * 10_000, "a: " + "1" * 10_000])
def test_refuses_what_is_meant_to_break_it(text: str) -> None:
    assert "is no YAML" in refused(text).message


def test_a_few_lines_cannot_become_gigabytes() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert "anchors are not read" in refused("\n".join(lines)).message


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


@given(name=TEXTS, count=st.integers(-(2**60), 2**60), live=st.booleans())
def test_reads_back_what_yaml_and_json_write(name: str, count: int, live: bool) -> None:
    held = {"name": name, "count": count, "live": live}
    wanted = Sample(name=name, count=count, live=live)
    assert read(json.dumps(held)) == wanted
    assert read(yaml.safe_dump(held, allow_unicode=True)) == wanted


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_and_nothing_else(content: bytes) -> None:
    with contextlib.suppress(BadInput):
        read(content)


# Files


def test_loads_a_file_and_names_it_as_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("count: x")
    with pytest.raises(BadInput, match=r"^environments/a\.yaml:1: count"):
        documents.load(path, Sample, "environments/a.yaml")


def test_says_that_a_file_is_missing_or_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such file"):
        documents.load(tmp_path / "gone.yaml", Sample)
    with pytest.raises(BadInput, match="cannot be read: Is a directory"):
        documents.load(tmp_path, Sample)


def test_writes_a_file_whole_and_makes_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "deep/er/a.txt"
    documents.write(path, "text")
    documents.write(path, b"other")
    assert path.read_bytes() == b"other"
    assert [each.name for each in path.parent.iterdir()] == ["a.txt"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_keeps_the_old_file_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    documents.write(path, "old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotTell, match="No space left on device"):
        documents.write(path, "new")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]
