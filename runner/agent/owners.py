"""Whose a database is: which release, put how, may look after the trades in it.

Written before every start, and kept beside the home's other state, where no bot may write and no
reboot empties it: after one, nothing else tells whose the open trades are. It opens nothing.
"""

from pathlib import Path

from pydantic import ValidationError

from pipelines import documents
from pipelines.domain.document import Document
from pipelines.domain.environment import Environment
from pipelines.domain.handover import FIRST
from pipelines.domain.promotion import Promotion
from pipelines.errors import CannotTell
from runner.agent.records import Placed


class Owner(Document):
    """The release of a promotion, and the environment as it was when its bot was started."""

    promotion: Promotion
    placed: Placed
    environment: Environment
    berth: int = FIRST

    @property
    def database(self) -> str:
        """The file of its trades, below the home folder."""
        return self.environment.database(self.promotion.strategy, self.berth)


def save(path: Path, owner: Owner) -> None:
    """Keep whose it is.

    :raises CannotTell: when it cannot be written.
    """
    documents.write(path, owner.model_dump_json() + "\n")


def load(path: Path) -> Owner | None:
    """Whose it is; None when nobody knows.

    :raises CannotTell: when it cannot be read.
    """
    try:
        return Owner.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    except OSError as error:
        raise CannotTell(f"{path}: cannot be read: {error.strerror}") from None
