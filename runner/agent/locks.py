"""The right to run a bot: a file that one process at a time can hold, and that its death lets go.

That a lock is free is the only proof that nobody trades behind it: a bot outlives the agent that
started it, so no list in memory and no number in a file would do.
"""

import fcntl
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from pipelines.errors import CannotTell
from runner.bots.messages import Holder

_DYING_SECONDS = 2.0
"""For a moment a process that dies has closed its files, and its lock is not free yet."""


@dataclass(frozen=True)
class Lock:
    """The lock of one bot."""

    path: Path

    def take(self) -> int | None:
        """A descriptor that holds it, for a bot to keep; None while somebody else does.

        :raises CannotTell: when the file cannot be opened.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotTell(f"{self.path}: cannot be opened: {error.strerror}") from None
        if not _locked(descriptor):
            os.close(descriptor)
            return None
        os.ftruncate(descriptor, 0)
        return descriptor

    def held(self) -> bool:
        """True while somebody holds it, whoever that is."""
        try:
            return self.holder() is not None
        except CannotTell:
            return True

    def holder(self) -> Holder | None:
        """Who holds it; None when nobody does.

        :raises CannotTell: while the one who holds it has not said yet who he is.
        """
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "r+b") as file:
            if _locked(descriptor):
                return None
            said = file.read()
        try:
            return Holder.model_validate_json(said)
        except ValidationError:
            raise CannotTell(f"{self.path}: is held by a bot that is just starting") from None

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to whoever holds it; False when nobody does.

        :raises CannotTell: while the one who holds it has not said yet who he is, or lies: a bot
            can write into its lock, and must not choose whom the agent ends.
        """
        holder = self.holder()
        if holder is None:
            return False
        try:
            process = os.pidfd_open(holder.pid)
        except ProcessLookupError:
            return False
        try:
            # The process is named by a descriptor now: if the lock is still held, it is the one.
            until = time.monotonic() + _DYING_SECONDS
            while (still := self.holder() == holder) and not _has_open(holder.pid, self.path):
                if time.monotonic() > until:
                    raise CannotTell(f"{self.path}: is held by another process than it says")
                time.sleep(0.01)
            if not still:
                return False
            signal.pidfd_send_signal(process, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(process)
        return True


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _has_open(pid: int, path: Path) -> bool:
    """True when a process has a file open, or nobody lets us look."""
    try:
        lock, descriptors = path.stat(), list(Path(f"/proc/{pid}/fd").iterdir())
    except PermissionError:
        return True
    except OSError:
        return False
    for descriptor in descriptors:
        with suppress(OSError):
            if os.path.samestat(descriptor.stat(), lock):
                return True
    return False
