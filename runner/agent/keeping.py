"""Commands about a home as a whole: backup, restore, fence; and the packages that bots run with."""

import getpass
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import click

from pipelines.adapters.ledger import Ledger
from pipelines.domain.lease import Lease
from pipelines.errors import BadInput, CannotTell
from runner.agent import fencing, installing, venvs
from runner.agent.archive import Manifest
from runner.agent.backup import Backup
from runner.agent.house import House
from runner.agent.locks import Lock
from runner.agent.restore import Report
from runner.agent.restore import restore as make_home
from runner.agent.seat import Seat

_FILE = click.Path(dir_okay=False, path_type=Path)
_DEAD = "--old-host-is-dead"
_OPEN = "--whoever-reads-it-can-trade"


class Opening(Protocol):
    """What stands before the command."""

    house: House
    seat: Seat
    ledger: str

    def now(self) -> datetime:
        """The agent's time."""


@click.command()
@click.argument("file", type=_FILE)
@click.option("--with-keys", is_flag=True, help="With what opens the secrets in it, and signs.")
@click.option(_OPEN, "known", is_flag=True, help="You know what --with-keys makes of the file.")
@click.pass_obj
def backup(opening: Opening, file: Path, with_keys: bool, known: bool) -> None:
    """Write everything that is needed to go on elsewhere into FILE, also while bots trade.

    \b
    The ledger and its head, releases, bots' databases and whose they are, secrets as they lie
    (encrypted), alerts, environments and trust.yaml of the train, the locks of what
    'packages add' installed.

    The keys that open the secrets are not in it: keep <home>/secrets/*/keys elsewhere, once.
    """
    if with_keys != known:
        hint = f"say both, --with-keys {_OPEN}, or neither"
        raise BadInput("--with-keys: whoever reads such a file can trade with your accounts", hint)
    seat = opening.seat
    source = Backup(opening.house, opening.ledger, seat.train, seat.holder)
    _tell_backup(file, source.take(file, datetime.now(UTC), keys=with_keys))


def _tell_backup(file: Path, manifest: Manifest) -> None:
    databases = [part for part in manifest.under("bots") if part.path.endswith(".sqlite")]
    entries = f"ledger of {manifest.head.count} entries" if manifest.ledger else "no ledger"
    releases = sum(part.path.endswith(".tar") for part in manifest.parts)
    click.echo(f"wrote {file}: {entries}, {releases} releases, {len(databases)} databases of bots")
    if not manifest.ledger:
        click.echo("the ledger lies in a database of its own: back that up with its own tools")
    if manifest.keys:
        click.echo("KEYS INSIDE: whoever reads this file can trade with your accounts")
    else:
        click.echo("no keys inside: without <home>/secrets/*/keys nobody opens the secrets in it")


@click.command()
@click.argument("file", type=_FILE)
@click.option(_DEAD, "dead", is_flag=True, help="You have seen that it is off; see 'fence'.")
@click.pass_obj
def restore(opening: Opening, file: Path, dead: bool) -> None:
    """Make an empty --home out of a backup.

    All of FILE is verified before anything is written. The agent of the new home is another one:
    it starts no bot that trades money before 'fence'. Live environments begin halted, because what
    happened since the backup is not in it: look, then 'sluice resume'.
    """
    now = opening.now()
    _tell_restored(opening.house, make_home(file, opening.house, opening.seat.train, now))
    if dead:
        _tell_fenced(_fenced(opening))


def _tell_restored(house: House, report: Report) -> None:
    manifest = report.manifest
    click.echo(f"restored {house.home} as it was at {manifest.taken:%Y-%m-%d %H:%M} UTC")
    for name in report.halted:
        click.echo(f"{name}: opens no trades until 'sluice resume {name}'")
    for name in report.differing:
        click.echo(f"{name}: the project has it otherwise; as it was: {house.home}/train/{name}")
    for lock in report.locks:
        click.echo(f"packages {lock.stem[:8]} are missing: sluice-agent packages add {lock}")
    if manifest.under("secrets") and not manifest.keys:
        click.echo("secrets: the keys that open them were not in the backup: put them back")
    click.echo(f"no bot trades money before 'sluice-agent fence {_DEAD}'")


@click.command()
@click.option(_DEAD, "dead", is_flag=True, help="You have seen that it is off.")
@click.pass_obj
def fence(opening: Opening, dead: bool) -> None:
    """Let this agent trade live in place of the one that did so last.

    Only you can know that the other one is off, and stays so. Where both used one ledger, the old
    one finds out when it comes back, and opens nothing. Where this ledger is a copy it never finds
    out: two agents then trade one account. What is sure then is to delete its key at the exchange.
    """
    if not dead:
        hint = f"see that its bots stand still, then say {_DEAD}"
        raise BadInput("whether the other agent is off is for you to say", hint)
    _tell_fenced(_fenced(opening))


def _fenced(opening: Opening) -> Lease:
    house = opening.house
    held = Lock(house.home / "locks" / "agent").take()
    if held is None:
        raise CannotTell(f"{house.home}: an agent runs with this home", "end it with SIGTERM first")
    ledger = Ledger.open(opening.ledger, house.anchor)
    try:
        name = fencing.holder(house)
        return fencing.fence(ledger, getpass.getuser(), name, opening.now())
    finally:
        ledger.close()
        os.close(held)


def _tell_fenced(lease: Lease) -> None:
    click.echo(f"this agent may trade live: epoch {lease.epoch} of the lease")


@click.group()
def packages() -> None:
    """What bots import, by the lock that a release is pinned to."""


@packages.command()
@click.argument("lock", type=_FILE, metavar="LOCKFILE")
@click.option("--build", type=_FILE, default=installing.BUILD, help="What sources are built with.")
@click.pass_obj
def add(opening: Opening, lock: Path, build: Path) -> None:
    """Install what LOCKFILE names, ahead of the release that is pinned to it.

    Every file is held to its hash. Bots whose release has another lock than this checkout run with
    these packages; a release whose packages are not installed is refused, nothing is downloaded.
    """
    installed = installing.install(
        opening.house.home, lock, build, lambda line: click.echo(line, err=True)
    )
    click.echo(f"{installed.lock}  freqtrade {installed.freqtrade}")


@packages.command("list")
@click.pass_obj
def list_(opening: Opening) -> None:
    """Say what is installed: this checkout's own first."""
    for each in venvs.every(opening.house.home):
        click.echo(f"{each.lock}  freqtrade {each.freqtrade}")


COMMANDS = (backup, restore, fence, packages)
