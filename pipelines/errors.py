"""Every way in which Sluice gives up, each with one exit code and a hint."""

from collections.abc import Iterator
from enum import IntEnum
from itertools import groupby


class ExitCode(IntEnum):
    """What a command's exit code means. The same table is `sluice docs exit-codes`."""

    DONE = 0
    SAID_NO = 1
    BAD_INPUT = 2
    CANNOT_TELL = 3
    REFUSED = 4
    AGENT_UNREACHABLE = 5
    INTERRUPTED = 130


class SluiceError(Exception):
    """The root: a message for people and, where there is one, what to do next."""

    code = ExitCode.CANNOT_TELL

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def told(self) -> Iterator[tuple[str, str]]:
        """Messages, each with its hint, as people should read them."""
        yield self.message, self.hint


class BadInput(SluiceError):
    """Something that was given is wrong; it is the giver's to mend."""

    code = ExitCode.BAD_INPUT


class Problem(BadInput):
    """What is wrong at one place of one file.

    `where` is the file as the reader knows it, `key` the path of keys in it, `line` from 1.
    """

    def __init__(
        self, where: str, message: str, *, key: str = "", line: int = 0, hint: str = ""
    ) -> None:
        place = f"{where}:{line}" if line else where
        super().__init__(": ".join(part for part in (place, key, message) if part), hint)
        self.where, self.key, self.line, self.bare = where, key, line, message


class Problems(BadInput):
    """Several problems of one document, told all at once."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(p.message for p in problems), problems[0].hint)
        self.problems = problems

    def told(self) -> Iterator[tuple[str, str]]:
        """Every problem; neighbours with the same hint share it."""
        for hint, group in groupby(self.problems, key=lambda problem: problem.hint):
            yield "\n".join(problem.message for problem in group), hint


class CannotTell(SluiceError):
    """Something that is needed to find out is missing or broken. Trying again may help."""

    code = ExitCode.CANNOT_TELL


class Refused(SluiceError):
    """A promotion, a release or a decision was refused."""

    code = ExitCode.REFUSED


class AgentUnreachable(SluiceError):
    """Nobody answers on the agent's socket."""

    code = ExitCode.AGENT_UNREACHABLE


class Interrupted(SluiceError):
    """The person at the keyboard said stop."""

    code = ExitCode.INTERRUPTED
