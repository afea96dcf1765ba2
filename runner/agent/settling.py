"""`sluice-agent install`: users, folders, units and the hook of GitHub's runner, on this host."""

import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import click

from pipelines import documents
from pipelines.errors import BadInput, CannotTell, Refused
from runner.agent import declared
from runner.agent.house import House
from runner.agent.seat import Seat
from runner.systemd import UNITS, File, Where, files

Say = Callable[[str], None]

_HOST = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")
_PLAIN = re.compile(r"/[A-Za-z0-9._/-]*")
_SECONDS = 60


class Opening(Protocol):
    """What stands before the command."""

    house: House
    seat: Seat
    root: Path


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done, and check the units.")
@click.option("--repository", required=True, metavar="OWNER/NAME", help="Whose jobs it takes.")
@click.option("--unprotected-tags", is_flag=True, help="GitHub protects none on this plan.")
@click.option("--into", default="/", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def install(
    opening: Opening, dry_run: bool, repository: str, unprotected_tags: bool, into: Path
) -> None:
    """Set this host up: users, folders with their modes, units of systemd, the runner's hook.

    Done again it changes what is otherwise, and nothing else. Nothing is started. With --into it
    is done below another folder, such as a card that is mounted there.
    """
    host = opening.seat.host or socket.gethostname()
    where = Where(opening.root, opening.house.home, host, repository, unprotected_tags)
    _refuse_odd(where)
    train = declared.load(opening.seat.train, host)
    if not train.own:
        hint = "name it with --host as the environments do"
        raise BadInput(f"no environment is on the host {host!r}", hint)
    settle(where, tuple(sorted(train.own)), into.resolve(), click.echo, dry_run=dry_run)


def settle(
    where: Where, environments: tuple[str, ...], into: Path, say: Say, *, dry_run: bool
) -> None:
    """Write what differs, then let systemd make users and folders of it.

    :raises BadInput: when this is to be done to the whole system by somebody who is not root.
    :raises Refused: when systemd objects to a unit; nothing is written then.
    :raises CannotTell: when systemd's tools are not there, or a file cannot be written.
    """
    wanted = files(where, environments)
    _verify(wanted)
    commands = _commands(into)
    for file in wanted:
        say(f"{_differs(into, file):<7} {file.path} {file.mode:04o}")
    for command in commands:
        say(f"run     {' '.join(command)}")
    if dry_run:
        return
    if into == Path("/") and os.geteuid() != 0:
        raise BadInput("only root can set up a host", "run it with sudo")
    for file in wanted:
        if _differs(into, file) != "keep":
            documents.write(_below(into, file.path), file.content, file.mode)
    for command in commands:
        _run(command)
    say("next: keys and secrets, then 'systemctl start sluice-agent'; 'sluice docs runner'")


def _commands(into: Path) -> tuple[tuple[str, ...], ...]:
    # By this name both look for it in their own folders, also below another root.
    name = "sluice.conf"
    if into != Path("/"):
        root = f"--root={into}"
        return (("systemd-sysusers", root, name), ("systemd-tmpfiles", root, "--create", name))
    return (
        ("systemd-sysusers", name),
        ("systemd-tmpfiles", "--create", name),
        ("systemctl", "daemon-reload"),
        ("systemctl", "enable", *UNITS),
    )


def _verify(wanted: tuple[File, ...]) -> None:
    """Ask systemd itself, before anything is written."""
    with tempfile.TemporaryDirectory() as name:
        units = [file for file in wanted if file.path.name in UNITS]
        for file in units:
            (Path(name) / file.path.name).write_text(file.content)
        paths = [str(Path(name) / file.path.name) for file in units]
        # Of the units that are there already it would tell faults that are not ours.
        ended = _started(("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *paths))
    if ended.returncode or ended.stderr:
        raise Refused(ended.stderr.replace(f"{name}/", "").strip() or "systemd objects to a unit")


def _differs(into: Path, file: File) -> str:
    path = _below(into, file.path)
    try:
        same = path.read_text() == file.content and path.stat().st_mode & 0o777 == file.mode
    except FileNotFoundError:
        return "create"
    except (OSError, UnicodeDecodeError):
        return "update"
    return "keep" if same else "update"


def _below(into: Path, path: Path) -> Path:
    return into / path.relative_to("/")


def _run(command: tuple[str, ...]) -> None:
    ended = _started(command)
    if ended.returncode:
        said = ended.stderr.strip() or f"exit code {ended.returncode}"
        raise CannotTell(f"{command[0]}: {said}", "mend it and install again")


def _started(command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            env={**os.environ, "LC_ALL": "C", "SYSTEMD_LOG_LEVEL": "warning"},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise CannotTell(f"{command[0]}: is not installed", "apt-get install systemd") from None
    except subprocess.TimeoutExpired:
        raise CannotTell(f"{command[0]}: did not end within {_SECONDS} s") from None


def _refuse_odd(where: Where) -> None:
    """What stands in a unit must not mean more there than it says."""
    if not _REPOSITORY.fullmatch(where.repository):
        raise BadInput(f"--repository: should be OWNER/NAME, got {where.repository!r}")
    if not _HOST.fullmatch(where.host):
        raise BadInput(f"--host: {where.host!r} is no name of a host", "as environments name it")
    for path in (where.checkout, where.home):
        if not _PLAIN.fullmatch(str(path)):
            hint = "letters, digits, '.', '_' and '-' only"
            raise BadInput(f"{path}: systemd would read more into this path", hint)
