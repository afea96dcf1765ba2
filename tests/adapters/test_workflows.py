"""Workflows on the disk: read as GitHub does, with lines, and refused where it would be a guess."""

from pathlib import Path

import pytest

from pipelines.adapters import workflows
from pipelines.adapters.workflows import read
from pipelines.errors import BadInput, Problem, Problems


def test_words_stay_what_was_written() -> None:
    node = read(b"on: push\nyes: no\nnull: ~\nat: 012\n'<<': 1\n", "x.yml")
    assert {key: value.text for key, value in node.keys.items()} == {
        **{"on": "push", "yes": "no", "null": "", "at": "012", "<<": "1"}
    }


def test_lines_are_those_of_keys_and_comments_stay() -> None:
    node = read(
        b"jobs:\n  a:\n    - uses: x@y # v1.2.3\n      run: |\n        one\n        # two\n", "x"
    )
    (step,) = node.keys["jobs"].keys["a"].items
    assert (node.keys["jobs"].line, step.line) == (1, 3)
    assert [step.keys[key].line for key in ("uses", "run")] == [3, 4]
    assert (step.keys["uses"].comment, step.keys["run"].text) == ("v1.2.3", "one\n# two")


def test_a_hash_inside_a_text_is_no_comment() -> None:
    node = read(b"a: 'x # y'\nb: x#y\nc: \"q\" # z\n", "x.yml")
    assert [(node.keys[key].text, node.keys[key].comment) for key in "abc"] == [
        *[("x # y", ""), ("x#y", ""), ("q", "z")]
    ]


def test_anchors_and_merges_are_written_out() -> None:
    node = read(
        b"a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\nd: {<<: [{x: 9}, *a], z: 4}\n", "x.yml"
    )
    told = {key: {k: v.text for k, v in node.keys[key].keys.items()} for key in "abcd"}
    assert told["b"] == {"x": "1", "y": "2"}
    assert told["c"] == {"x": "1", "y": "3"}
    assert told["d"] == {"x": "9", "y": "2", "z": "4"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: 1\nb: {c: 1, c: 2}\n", "x.yml:2: c: stands twice"),
        (b"a: &a\n  b: *a\n", "x.yml:2: holds itself, by an anchor"),
        (b"a: &a {b: *c}\n", "x.yml:1: is no YAML: found undefined alias 'c'"),
        (b"a: !!python/none x\n", "x.yml:1: has the tag tag:yaml.org,2002:python/none"),
        (b"? [1]\n: 2\n", "x.yml:1: holds a key that is no text"),
        (b"a: {<<: 1}\n", "x.yml:1: merges what are no keys and values"),
        (b"a: 1\n---\nb: 2\n", "x.yml:2: is no YAML"),
        (b"- a\n", "should hold keys and values"),
        (b"", "should hold keys and values"),
        (b"a: \xff\n", "is not UTF-8 text"),
        (b"a: '\n", "is no YAML"),
        (b"a: \x00\n", "is no YAML"),
        ("a: 1\nrun: ./sluice check\u2028# && evil\n".encode(), "x.yml:2: holds the character"),
        ("a: 1\x85# b\n".encode(), "x.yml:1: holds the character 0x0085"),
        (b"a: " + b"[" * 3000, "is no YAML"),
    ],
)
def test_what_would_be_a_guess_is_refused_with_its_line(content: bytes, said: str) -> None:
    with pytest.raises(Problem) as caught:
        read(content, "x.yml")
    assert said in caught.value.message


def test_a_few_lines_do_not_mean_gigabytes() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 5)]
    with pytest.raises(Problem, match="means far more than it says"):
        read("\n".join(lines).encode(), "x.yml")


def test_every_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such folder"):
        workflows.project(tmp_path / "gone")
    with pytest.raises(BadInput, match="holds no workflow"):
        workflows.project(tmp_path)
    (tmp_path / "a.yml").write_text("a: [")
    (tmp_path / "b.yaml").write_text("b: {")
    with pytest.raises(Problems) as caught:
        workflows.project(tmp_path)
    assert [Path(each.where).name for each in caught.value.problems] == ["a.yml", "b.yaml"]
