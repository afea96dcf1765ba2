"""Where the agent keeps what: below its home on a disk, and in a folder that a reboot empties."""

import hashlib
import os
import pwd
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from pipelines.adapters.alerts import FILE as ALERTS
from pipelines.errors import CannotTell
from runner.agent.locks import Lock
from runner.bots.messages import User

_FIRST_UID, _UIDS = 61184, 4336
"""The range that systemd keeps for users who exist for one process only (UIDS-GIDS.md there)."""


@dataclass(frozen=True)
class House:
    """The agent's home. Paths with an environment and a strategy are those of one bot.

    Of two bots of a strategy that run side by side the second is called `<strategy>.2`.
    """

    home: Path

    @property
    def runtime(self) -> Path:
        """A folder for what must not outlive a reboot: short, and only ours.

        :raises CannotTell: when it belongs to somebody else.
        """
        named = os.environ.get("XDG_RUNTIME_DIR")
        base = Path(named) if named and Path(named).is_dir() else Path(tempfile.gettempdir())
        own = hashlib.sha256(str(self.home.resolve()).encode()).hexdigest()[:8]
        folder = base / f"sluice-{os.geteuid()}-{own}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.stat(follow_symlinks=False)
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise CannotTell(f"{folder}: belongs to somebody else", "remove it")
        return folder

    @property
    def ledger(self) -> str:
        """The ledger's URL."""
        return f"sqlite:///{self.home / 'ledger.sqlite'}"

    @property
    def anchor(self) -> Path:
        """The file that remembers the ledger's head."""
        return self.home / "ledger.head"

    @property
    def alerts(self) -> Path:
        """The journal of alerts."""
        return self.home / ALERTS

    def deployed(self, digest: str) -> Path:
        """An unpacked release."""
        return self.home / "deployed" / digest

    def lock(self, environment: str, strategy: str) -> Lock:
        """The right to run this bot."""
        return Lock(self.home / "locks" / f"{environment}.{strategy}")

    def owner(self, environment: str, strategy: str) -> Path:
        """Whose this bot's trades are."""
        return self.home / "owners" / f"{environment}.{strategy}.json"

    def copies(self, environment: str, strategy: str) -> Path:
        """Copies of this bot's database, made before another release took it over."""
        return self.home / "copies" / f"{environment}.{strategy}"

    def record(self, environment: str, strategy: str) -> Path:
        """What the agent knows of this bot, and how it reaches it."""
        return self.runtime / f"{environment}.{strategy}.json"


def user_of(environment: str) -> User | None:
    """Who the bots of an environment run as: nobody else's user. None unless we are root."""
    if os.geteuid() != 0:
        return None
    try:
        found = pwd.getpwnam(f"sluice-{environment}")
    except KeyError:
        uid = _FIRST_UID + zlib.crc32(environment.encode()) % _UIDS
        return User(uid=uid, gid=uid)
    return User(uid=found.pw_uid, gid=found.pw_gid)


def let_through(home: Path, folder: Path, user: User | None) -> None:
    """Let a bot reach a folder below the home, whatever the umask made of those above it."""
    if user is None:
        return
    for each in (folder, *folder.parents):
        each.chmod(each.stat().st_mode | 0o111)
        if each == home:
            return


def give(folder: Path, user: User | None) -> None:
    """Make a folder that a bot may write to, and everything in it."""
    folder.mkdir(parents=True, exist_ok=True)
    if user is None:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.uid, user.gid, follow_symlinks=False)
