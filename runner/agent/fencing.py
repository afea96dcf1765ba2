"""Who may trade live after a restore: nobody, until somebody says that the old agent is off."""

import socket
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime

from pipelines import documents
from pipelines.adapters.ledger import Ledger
from pipelines.domain.document import Digest, Document
from pipelines.domain.lease import Lease, Taken
from pipelines.errors import Refused
from runner.agent.house import House
from runner.agent.tick import LEASE

RESTORED = "restored.json"


class Restored(Document):
    """`restored.json` of a home that came out of a backup.

    `name` was drawn when it was restored. It is a part of what the agent is called, so that one is
    never taken for the agent that was backed up, nor for another that was restored: not on the
    same machine, not in a folder of the same name, not on a card that was copied.
    """

    name: str
    backup: Digest
    taken: AwareDatetime
    at: AwareDatetime


def holder(house: House) -> str:
    """What the agent of a home is called: a copy of the home elsewhere is another one."""
    machine = Path("/etc/machine-id")
    told = machine.read_text().strip() if machine.is_file() else socket.gethostname()
    name = f"{socket.gethostname()}:{told[:8]}:{house.home}"
    path = house.home / RESTORED
    return f"{name}:{documents.load_json(path, Restored).name}" if path.exists() else name


def fence(ledger: Ledger, by: str, name: str, now: datetime) -> Lease:
    """Give the lease to this agent, since a human says that whoever had it is off.

    :raises Refused: while the lease of the other one lasts.
    :raises CannotTell: when it cannot be written down.
    """
    taken = ledger.take(name, now, LEASE, fenced_by=by)
    if isinstance(taken, Taken):
        raise Refused(taken.reason, "it was renewed so lately: see that the other one is off")
    return taken
