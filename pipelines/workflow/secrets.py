"""`sluice secrets`: what bots are given, kept where nobody else reads it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pipelines.adapters import sealing
from pipelines.adapters.disguises import SHORTEST
from pipelines.adapters.secrets import SecretStore
from pipelines.domain.couplings.host import wanted
from pipelines.domain.environment import Environment
from pipelines.domain.secret import Scope, Secret, SecretName
from pipelines.domain.telegram import FILE, TOKEN
from pipelines.errors import BadInput
from pipelines.workflow.place import TRAINS, Place

_LONGEST = 16_384


@dataclass(frozen=True)
class Shown:
    """A secret as it is listed: `since` is None when it is missing, `named` when no file asks."""

    scope: Scope
    name: SecretName
    since: datetime | None
    named: bool


def value(text: bytes) -> Secret:
    """What came on standard input, without the line break that `echo` adds.

    :raises BadInput: when it cannot be a secret. What it is, is not said.
    """
    try:
        read = text.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise BadInput("standard input: is not UTF-8 text") from None
    if not read:
        raise BadInput("standard input: holds no value", 'printf %s "$VALUE" | sluice secrets …')
    if read != read.strip() or "\0" in read:
        hint = "a blank that was copied along makes every request fail"
        raise BadInput("standard input: begins or ends with a blank, or holds a zero", hint)
    if not SHORTEST <= len(read) <= _LONGEST:
        said = f"standard input: should have {SHORTEST} to {_LONGEST} characters, has {len(read)}"
        raise BadInput(said, "what is shorter could not be kept out of logs")
    return Secret(read)


def asked(place: Place, where: str, name: str) -> tuple[Scope, SecretName]:
    """The secret that `ENV[/ACCOUNT] NAME` means; an environment's own account need not be said.

    :raises BadInput: when no environment needs it.
    """
    environment, _, account = where.partition("/")
    needed = sorted(_needed(place, environment))
    names = sorted({known for _, known in needed})
    if name not in names:
        said = f"{', '.join(names)} are" if names else "no secret is"
        hint = f"{said} needed there; 'secrets' in its file names more"
        raise BadInput(f"{environment}: needs no secret {name!r}", hint)
    known = SecretName(name)
    own = _accounts(place, environment) if known.of_account else set()
    if not account and len(own) == 1:
        account = own.pop()
    scope = Scope(environment, account)
    if (scope, known) not in needed:
        places = ", ".join(str(whose) for whose, kind in needed if kind is known)
        raise BadInput(f"{where}: needs no secret {name!r}", f"it is kept for {places}")
    return scope, known


def put(place: Place, scope: Scope, name: SecretName, secret: Secret, now: datetime) -> None:
    """Keep a secret on this host.

    :raises CannotTell: when it cannot be written; what was there stays as it was.
    """
    SecretStore(place.home).put(scope, name, secret, now)


def remove(place: Place, where: str, name: str) -> Scope:
    """Forget a secret, also one that no environment needs any more.

    :raises BadInput: when it is not kept here.
    """
    environment, _, account = where.partition("/")
    _needed(place, environment)
    store = SecretStore(place.home)
    kept = [each for each in store.listed(environment) if each.name == name]
    found = [each for each in kept if each.scope.account == account] or (
        kept if not account else []
    )
    if len(found) != 1:
        places = ", ".join(str(each.scope) for each in kept)
        hint = f"it is kept for {places}" if kept else "'sluice secrets list' says what is"
        raise BadInput(f"{where}: {name} is not kept here", hint)
    store.remove(found[0].scope, found[0].name)
    return found[0].scope


def listed(place: Place, environment: str | None) -> tuple[Shown, ...]:
    """What is kept and what is missing, of one environment or of all; never a value.

    :raises BadInput: when there is no such environment.
    """
    store = SecretStore(place.home)
    names = [environment] if environment else _names(place)
    shown = []
    for name in names:
        needed = _needed(place, name)
        kept = {(each.scope, each.name): each.since for each in store.listed(name)}
        for scope, known in sorted(needed | kept.keys()):
            there = kept.get((scope, known))
            shown.append(Shown(scope, known, there, (scope, known) in needed))
    return tuple(shown)


def rotate(place: Place, environment: str) -> int:
    """Encrypt everything of an environment with a new key; how many secrets those are.

    :raises BadInput: when there is no such environment, or nothing to encrypt.
    """
    _needed(place, environment)
    return SecretStore(place.home).rotate(environment)


def seal(scope: Scope, name: SecretName, secret: Secret, host: str) -> str:
    """A text that only one host can read.

    :raises BadInput: when `host` is no public key.
    """
    return sealing.seal(secret, scope, name, host)


def host_key(place: Place) -> str:
    """The public key that secrets for this host are sealed to."""
    return sealing.public_text(sealing.host_key(place.home))


def _needed(place: Place, name: str) -> set[tuple[Scope, SecretName]]:
    """Every secret of an environment, or the agent's own.

    :raises BadInput: when there is no such environment.
    """
    if name == TOKEN[0].environment:
        return {TOKEN}
    return {each for one in _environments(place, name) for each in wanted(one)}


def _names(place: Place) -> list[str]:
    names = {each.name for each in _every(place)}
    if any((place.root / folder / FILE).exists() for folder in TRAINS):
        names.add(TOKEN[0].environment)
    return sorted(names)


def _accounts(place: Place, name: str) -> set[str]:
    return {one.account for one in _environments(place, name) if one.account}


def _every(place: Place) -> Iterator[Environment]:
    for folder in TRAINS:
        yield from place.train(folder).values()


def _environments(place: Place, name: str) -> list[Environment]:
    every = list(_every(place))
    there = [environment for environment in every if environment.name == name]
    if not there:
        known = ", ".join(sorted({environment.name for environment in every}))
        raise BadInput(f"there is no environment {name!r}", f"there are {known}")
    return there
