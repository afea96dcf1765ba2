"""What the agent knows of a bot that it started: kept where a reboot empties it, as bots die then.

It holds what opens the bot's own API, so only the agent's user can read it.
"""

from pathlib import Path

from pydantic import AwareDatetime, Field, ValidationError

from pipelines import documents
from pipelines.domain.deployment import Phase, Settings
from pipelines.domain.document import Digest, Document
from pipelines.domain.promotion import Promotion
from pipelines.errors import CannotTell
from pipelines.freqtrade.rest import Rest

OWNER_ONLY = 0o600


class Placed(Document):
    """What an environment made of the release when the bot was started."""

    config_digest: Digest
    live: bool
    account: str | None
    shares_account: bool

    @property
    def settings(self) -> Settings:
        """The same, as plans compare it."""
        return Settings(self.config_digest, self.live, self.account, self.shares_account)


class BotRecord(Document):
    """One bot. `launch` is the name of this start, `config` the digest of all that it was told.

    `began` is the system's time of it. `failures` counts how often in a row it ended by itself.
    `mismatch` is what reading it back found to be another than the release says. `inherited` are
    the trades with something bought that were open when it was started.
    """

    promotion: Promotion
    placed: Placed
    launch: str
    config: Digest
    key: str
    port: int
    username: str
    password: str
    phase: Phase
    since: AwareDatetime
    began: AwareDatetime
    failures: int = Field(default=0, ge=0)
    mismatch: str = ""
    inherited: tuple[int, ...] = ()

    @property
    def rest(self) -> Rest:
        """The bot's own API."""
        return Rest(f"http://127.0.0.1:{self.port}", self.username, self.password)


def save(path: Path, record: BotRecord) -> None:
    """Keep a record.

    :raises CannotTell: when it cannot be written.
    """
    documents.write(path, record.model_dump_json() + "\n", OWNER_ONLY)


def load(path: Path) -> BotRecord | None:
    """A record; None when there is none, or one that tells nothing.

    :raises CannotTell: when it cannot be read.
    """
    try:
        return BotRecord.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    except OSError as error:
        raise CannotTell(f"{path}: cannot be read: {error.strerror}") from None
