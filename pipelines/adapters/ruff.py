"""Ruff, which reads strategy code without running it."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pipelines.domain.source import LintMessage
from pipelines.errors import CannotTell

CONFIG = Path(__file__).with_name("ruff.toml")
BINARY = Path(sys.executable).with_name("ruff")
TIMEOUT = 60
"""Seconds."""

_HINT = "install the pinned tools again"


class _Place(BaseModel):
    model_config = ConfigDict(strict=True)

    row: int
    column: int


class _Said(BaseModel):
    """One entry of ruff's JSON; it holds more, which we do not need."""

    model_config = ConfigDict(strict=True)

    code: str | None
    filename: str
    location: _Place
    message: str


_LIST = TypeAdapter(list[_Said])


@dataclass(frozen=True)
class Ruff:
    """`ruff check` and `ruff format --check` on copies of the files, with our configuration."""

    binary: Path = BINARY

    def run(self, files: Mapping[str, bytes]) -> tuple[LintMessage, ...]:
        """What ruff says. Code `format` means that `ruff format` would change the file.

        :raises CannotTell: when ruff is missing, breaks, or says what we do not understand.
        """
        if not files:
            return ()
        with tempfile.TemporaryDirectory(prefix="sluice-ruff-") as folder:
            top = Path(folder).resolve()
            _lay_out(top, files)
            checked = self._said(top, "check")
            formatted = self._said(top, "format", "--check")
        messages = [*_messages(top, checked), *_messages(top, formatted, code="format")]
        return tuple(sorted(messages, key=lambda m: (m.path, m.line, m.column, m.code)))

    def format(self, content: bytes) -> bytes:
        """The formatted source of one file.

        :raises CannotTell: when ruff cannot format it.
        """
        return self._run(
            Path.cwd(),
            "format",
            "--config",
            str(CONFIG),
            "--stdin-filename",
            "strategy.py",
            "-",
            given=content,
        )

    def _said(self, top: Path, *verb: str) -> list[_Said]:
        shared = ("--no-cache", "--config", str(CONFIG), "--output-format", "json")
        out = self._run(top, *verb, *shared, ".")
        try:
            return _LIST.validate_python(json.loads(out or b"[]"))
        except (ValueError, ValidationError):
            raise CannotTell(
                f"ruff {verb[0]} answered what is no list of messages", _HINT
            ) from None

    def _run(self, folder: Path, *arguments: str, given: bytes = b"") -> bytes:
        try:
            done = subprocess.run(
                [str(self.binary), *arguments],
                cwd=folder,
                env={"LC_ALL": "C.UTF-8", "NO_COLOR": "1"},
                input=given,
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
            )
        except OSError as error:
            raise CannotTell(f"ruff could not be run: {error.strerror}", _HINT) from None
        except subprocess.TimeoutExpired:
            raise CannotTell(f"ruff did not answer within {TIMEOUT} s", "try again") from None
        if done.returncode not in (0, 1):
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise CannotTell(f"ruff broke: {said[0] if said else f'exit code {done.returncode}'}")
        return done.stdout


def _lay_out(top: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _messages(top: Path, said: list[_Said], code: str = "") -> Iterator[LintMessage]:
    for each in said:
        path = Path(each.filename)
        yield LintMessage(
            path=str(path.relative_to(top)) if path.is_relative_to(top) else path.name,
            line=each.location.row,
            column=each.location.column,
            code=code or each.code or "syntax",
            text="would be formatted otherwise" if code else each.message,
        )
