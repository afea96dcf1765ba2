"""Ruff on copies of strategy code."""

from pathlib import Path

import pytest

from pipelines.adapters.ruff import Ruff
from pipelines.errors import CannotTell


def stub(folder: Path, script: str) -> Ruff:
    binary = folder / "ruff"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o755)
    return Ruff(binary)


def test_says_nothing_about_what_is_in_order() -> None:
    assert Ruff().run({"x/strategy.py": b"X = 1\n"}) == ()
    assert Ruff().run({}) == ()


def test_says_where_and_what_rule() -> None:
    (message,) = Ruff().run({"x/strategy.py": b"import os\n\nX = 1\n"})
    assert (message.path, message.line, message.column) == ("x/strategy.py", 1, 8)
    assert message.code == "F401"


def test_says_what_would_be_formatted() -> None:
    (message,) = Ruff().run({"x/strategy.py": b"X = {'a':1}\n"})
    assert (message.path, message.code) == ("x/strategy.py", "format")


def test_counts_shared_code_as_our_own() -> None:
    source = b"from pandas import DataFrame\n\nfrom shared.a_v1 import A\n\nX = (A, DataFrame)\n"
    assert Ruff().run({"x/strategy.py": source, "shared/a_v1.py": b"A = 1\n"}) == ()


def test_reads_no_configuration_that_a_plugin_brings() -> None:
    files = {"x/strategy.py": b"import os\n", "x/ruff.toml": b'[lint]\nignore = ["F401"]\n'}
    assert [message.code for message in Ruff().run(files)] == ["F401"]


def test_the_configuration_for_hands_is_the_one_of_the_gate(root: Path) -> None:
    text = (root / "strategies/ruff.toml").read_text()
    assert text.strip() == 'extend = "../pipelines/adapters/ruff.toml"'


def test_formats_a_source() -> None:
    assert Ruff().format(b"x = {'a':1}\n") == b'x = {"a": 1}\n'


def test_cannot_tell_without_ruff(tmp_path: Path) -> None:
    with pytest.raises(CannotTell, match="ruff could not be run: No such file"):
        Ruff(tmp_path / "gone").run({"x/strategy.py": b""})


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo oh no >&2; exit 2", "ruff broke: oh no"),
        ("exit 70", "ruff broke: exit code 70"),
        ("echo no json", "answered what is no list"),
        ("echo '[{\"code\": 1}]'", "answered what is no list"),
        ("kill -9 $$", "ruff broke: exit code -9"),
    ],
)
def test_cannot_tell_when_ruff_breaks(tmp_path: Path, script: str, message: str) -> None:
    with pytest.raises(CannotTell, match=message):
        stub(tmp_path, script).run({"x/strategy.py": b""})


def test_cannot_format_what_does_not_parse() -> None:
    with pytest.raises(CannotTell, match="ruff broke"):
        Ruff().format(b"def (:\n")
