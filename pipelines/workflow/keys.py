"""`sluice keys new`: a key pair, of which only the public half is ever shown."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.adapters import signing
from pipelines.domain.trust import Role
from pipelines.errors import BadInput, Problem
from pipelines.workflow.place import Place

KEEP = {
    Role.CI: "give the file to the job that packs as a secret, then delete it here: "
    "the job names it with 'sluice pack NAME --key FILE'",
    Role.DEMO: "it may stay where it is: what it signs never leaves environments/demo/",
    Role.HOST: "it stays on this machine, readable by the agent's user alone",
}


@dataclass(frozen=True)
class NewKey:
    """A key that was made: its private file, its line for `where`, what to do with it."""

    path: Path
    name: str
    line: str
    where: str
    advice: str


def new(place: Place, role: str, out: Path | None, now: datetime) -> NewKey:
    """Make a key for a role, by default as `<home>/keys/<role>.pem`.

    :raises BadInput: when there is no such role, or a key already, or `out` is in the project.
    :raises CannotTell: when it cannot be written.
    """
    known = _role(role)
    path = (out or private(place, role)).resolve()
    if out and path.is_relative_to(place.root) and not path.is_relative_to(place.home):
        hint = "without --out it goes to the home folder"
        raise Problem(str(path), "a private key does not belong into the project", hint=hint)
    key = signing.create(path)
    name = f"{role}-{key.id[:8]}"
    since = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    line = f"  {name}: {{role: {role}, kind: ed25519, key: {key.public}, from: {since}}}"
    folder = "environments/demo" if known is Role.DEMO else "environments"
    return NewKey(path, name, line, f"{folder}/trust.yaml", KEEP[known])


def _role(role: str) -> Role:
    if role == Role.APPROVER:
        raise BadInput(
            "approvers sign with ssh-keygen, with a key of their own",
            "run 'ssh-keygen -t ed25519-sk' (or ed25519); 'sluice docs releases' shows its entry",
        )
    try:
        return Role(role)
    except ValueError:
        listed = ", ".join(one.value for one in KEEP)
        raise BadInput(
            f"there is no role {role!r} to make a key for", f"there are {listed}"
        ) from None


def private(place: Place, key: str) -> Path:
    """The private key that a role's name means, or a path."""
    return Path(key) if "/" in key else place.home / "keys" / f"{key}.pem"
