"""A page that is followed word by word: its commands in order, and what it shows of each."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_WORD = re.compile(r"(?<![\w-])[A-Z]{2,}(?![\w-])")
_COMMAND = re.compile(r"`((?:sluice|sluice-agent) [^`]+)`")

MOST_SECONDS = 300


@dataclass(frozen=True)
class Step:
    """A command, and the lines that the page shows of what it prints."""

    command: str
    shown: tuple[str, ...]

    @property
    def fails(self) -> bool:
        """True when the page shows that it is refused."""
        return any(line.startswith(("error:", "  ✗")) for line in self.shown)


@dataclass(frozen=True)
class Page:
    """The sections of a page by their headings, each with the blocks of commands in it."""

    sections: Mapping[str, tuple[tuple[Step, ...], ...]]
    words: frozenset[str]
    named: frozenset[str]

    @classmethod
    def of(cls, text: str) -> "Page":
        """Read a page. `words` are those of its table, `named` the commands in its sentences."""
        parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
        sections = {
            heading: tuple(_steps(block) for block in _BLOCK.findall(body))
            for heading, body in zip(parts[1::2], parts[2::2], strict=True)
        }
        words = frozenset(re.findall(r"^\| `([A-Z]+)` \|", text, re.MULTILINE))
        return cls(sections, words, frozenset(_COMMAND.findall(_BLOCK.sub("", text))))

    @property
    def commands(self) -> frozenset[str]:
        """Every command that it shows, in blocks and in sentences."""
        blocks = (step for each in self.sections.values() for block in each for step in block)
        return frozenset(step.command for step in blocks) | self.named


def _steps(block: str) -> tuple[Step, ...]:
    parts = re.split(r"^\$ (.+)\n", block, flags=re.MULTILINE)
    assert parts[0] == "", "a block begins with a command"
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return tuple(Step(command.strip(), tuple(said.splitlines())) for command, said in pairs)


def plain(line: str) -> str:
    """A line without its figures, times, ids and places: what holds one is another every time."""
    return " ".join(re.sub(r"\S*[\d/]\S*", "#", line).split())


def not_printed(shown: tuple[str, ...], said: str) -> str:
    """The first line of a transcript that was not printed after the one before; nothing if none."""
    printed = iter([plain(line) for line in said.splitlines()])
    for line in shown:
        if line.strip() != "…" and not any(_same(plain(line), each) for each in printed):
            return line
    return ""


def _same(shown: str, printed: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in shown.split("…"))
    return re.fullmatch(pattern, printed) is not None


@dataclass
class Reader:
    """Somebody who has the page, a shell in the project, and nothing else.

    `fills` are the words of the page that are his to fill in.
    """

    page: Page
    folder: Path
    environment: dict[str, str]
    fills: dict[str, str] = field(default_factory=dict)
    ran: set[str] = field(default_factory=set)
    read: list[str] = field(default_factory=list)
    running: "subprocess.Popen[bytes] | None" = None

    @contextmanager
    def section(self, heading: str) -> Iterator["Blocks"]:
        """Follow a section. At its end every block of it was followed."""
        blocks = Blocks(self, heading, list(self.page.sections[heading]))
        yield blocks
        assert blocks.left == [], f"{heading}: was not followed to its end"
        self.read.append(heading)

    def filled(self, command: str) -> str:
        """The command as it is typed."""
        words = set(_WORD.findall(command))
        assert words <= self.page.words, f"{command}: the page does not say what to write"
        return _WORD.sub(lambda found: self.fills[found.group()], command)

    def run(self, step: Step, typed: str = "") -> str:
        """Type a command; what it prints is what the page shows."""
        command = self.filled(step.command)
        self.ran.add(step.command)
        if step.command.endswith(" run"):
            self.running = subprocess.Popen(
                command.split(), cwd=self.folder, env=self._env, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            return ""
        ended = subprocess.run(
            ["/bin/sh", "-c", command], cwd=self.folder, env=self._env, input=typed, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=MOST_SECONDS, check=False,
        )  # fmt: skip
        print(f"$ {command}\n{ended.stdout}[{ended.returncode}]")
        assert (ended.returncode != 0) == step.fails, f"{command}: {ended.stdout}"
        line = not_printed(step.shown, ended.stdout)
        assert not line, f"{command}: not printed: {line}\n{ended.stdout}"
        return ended.stdout

    @property
    def _env(self) -> dict[str, str]:
        beside = str(Path(sys.executable).parent)
        path = os.pathsep.join((beside, os.environ["PATH"]))
        return {**os.environ, "PATH": path, **self.environment}


@dataclass
class Blocks:
    """The blocks of a section that are left to follow."""

    reader: Reader
    heading: str
    left: list[tuple[Step, ...]]

    def follow(self, typed: str = "") -> str:
        """Type the commands of the next block; what the last of them printed."""
        said = ""
        for step in self.left.pop(0):
            said = self.reader.run(step, typed)
        return said
