"""What is read off a source without running it."""

import warnings

import pytest

from pipelines.domain.source import (
    NotPython,
    attribute,
    parse,
    reads,
    shared_imports,
    strategy_classes,
)


@pytest.mark.parametrize(
    ("content", "message", "line"),
    [
        (b"x = 1\ndef (:\n", "is no Python", 2),
        (b"x = '\xff'", "is not UTF-8 text", 1),
        (b"#!/bin/sh\n# -*- coding: latin-1 -*-\n", "declares the encoding latin-1", 2),
        (b"# vim: set fileencoding=utf_7 :\n", "declares the encoding utf_7", 1),
        (b"x = 1\0", "is no Python", 0),
        (b"(" * 100_000, "is no Python", 0),
        (b"x = " + b"-" * 100_000 + b"1", "is no Python", 0),
    ],
)
def test_refuses_what_is_no_python(content: bytes, message: str, line: int) -> None:
    with pytest.raises(NotPython, match=message) as caught:
        parse(content)
    assert caught.value.line in (line, 1)


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbfx = 1", b"# coding: utf-8\nx = 1"])
def test_reads_utf_8_however_it_is_announced(content: bytes) -> None:
    parse(content)


def test_is_not_disturbed_by_warnings_about_the_source() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parse(rb"x = '\d'")


def test_finds_classes_that_derive_from_each_other() -> None:
    tree = parse(b"class A(s.IStrategy): ...\nclass B(A): ...\nclass C: ...\n")
    assert [node.name for node in strategy_classes(tree)] == ["A", "B"]


def test_takes_an_attribute_from_the_nearest_class() -> None:
    tree = parse(b"class A:\n    x = 1\n    y: int = 2\nclass B(A):\n    x = 3\nclass C(C): ...\n")
    assert [getattr(attribute(tree, "B", name), "value", None) for name in "xyz"] == [3, 2, None]
    assert attribute(tree, "C", "x") is None


def test_an_attribute_that_is_computed_is_not_known() -> None:
    found = attribute(parse(b"class A:\n    x = f()\n"), "A", "x")
    assert found is not None
    assert not found.known


def test_finds_what_is_read_besides() -> None:
    tree = parse(b"class A:\n    inf = '4h'\ndef f(self, p):\n    self.dp.ohlcv(p, self.inf)\n")
    assert [(each.pair, each.timeframe) for each in reads(tree)] == [("", "4h")]


def test_finds_shared_imports_wherever_they_stand() -> None:
    lines = (b"import shared.a_v1, os", b"from shared import b_v2, c", b"from .shared import d")
    tree = parse(b"def f():\n    " + b"\n    ".join(lines))
    assert [(each.module, each.text) for each in shared_imports(tree)] == [
        ("a_v1", "shared.a_v1"),
        ("b_v2", "shared.b_v2"),
        ("", "shared.c"),
    ]
