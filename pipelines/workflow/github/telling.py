"""What a step of a workflow tells GitHub: outputs, the summary of its job, notes on lines."""

import os
import uuid
from pathlib import Path

from pipelines.errors import CannotTell


def output(name: str, value: str) -> None:
    """An output of this step, if it is one."""
    _append("GITHUB_OUTPUT", name, value)


def variable(name: str, value: str) -> None:
    """A variable for every later step of this job."""
    _append("GITHUB_ENV", name, value)


def summary(markdown: str) -> None:
    """A part of the summary of this job, if it is one."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        _write(path, markdown.rstrip("\n") + "\n\n")


def annotate(file: str, line: int, text: str, *, quiet: bool = False) -> None:
    """A note on a line of a file, where the pull request shows it."""
    if os.environ.get("GITHUB_ACTIONS") != "true" or quiet:
        return
    place = f"file={_property(file)}" + (f",line={line}" if line else "")
    print(f"::error {place}::{_escaped(text)}")


def _escaped(text: str) -> str:
    """Text without the characters that end a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _append(variable: str, name: str, value: str) -> None:
    path = os.environ.get(variable)
    if path:
        # Nobody who writes the value can know where it ends.
        end = f"end-{uuid.uuid4().hex}"
        _write(path, f"{name}<<{end}\n{value}\n{end}\n")


def _write(path: str, text: str) -> None:
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CannotTell(f"{path}: cannot be written: {error.strerror}") from None
