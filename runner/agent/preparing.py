"""From a release and an environment to a bot that can be started."""

import secrets as dice
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import documents
from pipelines.adapters import packing
from pipelines.adapters.releases import ReleaseStore, Stored
from pipelines.adapters.secrets import SecretStore
from pipelines.domain.document import sha256
from pipelines.domain.environment import Environment
from pipelines.domain.handover import FIRST, berthed
from pipelines.domain.promotion import Promotion
from pipelines.domain.record import Record
from pipelines.domain.release import Release
from pipelines.domain.secret import Scope, Secret, SecretName
from pipelines.domain.strategy import Manifest
from pipelines.domain.trust import Trust
from pipelines.errors import CannotTell, Refused
from pipelines.freqtrade import bot
from runner.agent import venvs
from runner.agent.believing import believed
from runner.agent.house import House, user_of
from runner.agent.readback import Expected
from runner.agent.records import Placed
from runner.bots.messages import Follow, Launch, Told
from runner.exchange.settings import of_market

PAUSED = "paused"
"""The file in a bot's folder that keeps it from entering trades."""


@dataclass(frozen=True)
class Rehearsal:
    """A rehearsal exchange: freqtrade's settings for it, and the clock that bots follow."""

    exchange: Mapping[str, Any]
    follow: Follow | None


@dataclass(frozen=True)
class Prepared:
    """Everything that a bot is started with.

    `config` is the digest of all that it is told but its initial state, which a pause changes;
    `key` that of the exchange's key, if it has one, `python` what runs it.
    """

    launch: Launch
    told: Told
    access: bot.Access
    config: str
    key: str
    python: str


@dataclass(frozen=True)
class Deployable:
    """A release in an environment, verified and unpacked; `berth` is one of its two places."""

    environment: Environment
    promotion: Promotion
    release: Release
    manifest: Manifest
    berth: int = FIRST

    @property
    def strategy(self) -> str:
        return self.release.name

    @property
    def declared(self) -> dict[str, Any]:
        """freqtrade's configuration as far as it is declared."""
        path = f"deployed/{self.release.digest}/{self.strategy}"
        there = self.manifest, self.environment, path, self.promotion.stake, self.berth
        return bot.configuration(self.strategy, *there)

    @property
    def placed(self) -> Placed:
        """What the environment makes of the release."""
        live = self.environment.mode == "live"
        account = self.environment.account_of(self.strategy, self.berth) if live else None
        return Placed(
            config_digest=bot.digest(self.declared),
            live=live,
            account=account,
            shares_account=self.manifest.trading_mode == "spot",
        )

    def expected(self, config: str, key: str, python: str) -> Expected:
        """What reading the bot back has to find; `config` and `key` as it was started with."""
        declared = self.declared
        return Expected(
            bot=declared["bot_name"],
            class_name=self.manifest.class_name,
            strategy_file=f"{self.strategy}/strategy.py",
            files={file.path: file.digest for file in self.release.files},
            freqtrade=self.release.pins.freqtrade,
            python=python,
            config=config,
            initial_state=declared["initial_state"],
            dry_run=declared["dry_run"],
            trading_mode=self.manifest.trading_mode,
            exchange=self.environment.exchange.name,
            key=key,
            database=declared["db_url"],
        )


def deployable(
    house: House,
    environment: Environment,
    promotion: Promotion,
    trust: Trust,
    record: Record,
    berth: int = FIRST,
) -> Deployable:
    """Verify the release of a promotion, pins included, and unpack it.

    :raises Refused: when it is not what somebody whom we trust has signed, with all reasons.
    :raises CannotTell: when it cannot be read or written.
    """
    assert promotion.digest is not None
    store = ReleaseStore(house.home)
    stored = store.stored(promotion.digest)
    content = _content(stored)
    dsse = store.dsse(promotion.digest).read_bytes()
    reasons = [
        *believed(content, dsse, trust, record).reasons,
        *_unfit(house.home, stored, environment),
    ]
    if reasons:
        raise Refused("\n".join(f"{stored.release.id}: {reason}" for reason in reasons))
    folder = house.deployed(promotion.digest)
    release = packing.unpack(content, stored.statement.tar_digest, folder, str(stored.tar))
    where = folder / release.name / "strategy.yaml"
    manifest = documents.load(where, Manifest, str(where), topic="manifest")
    return Deployable(environment, promotion, release, manifest, berth)


def _content(stored: Stored) -> bytes:
    try:
        return stored.tar.read_bytes()
    except OSError as error:
        raise CannotTell(f"{stored.tar}: cannot be read: {error.strerror}") from None


def _unfit(home: Path, stored: Stored, environment: Environment) -> list[str]:
    """Why this host cannot run a release as it was examined. Nothing is ever downloaded here."""
    found = []
    if stored.statement.predicate.label and not environment.demo:
        found.append(f"is labelled {stored.statement.predicate.label}, {environment.name} is real")
    return [*found, *venvs.unfit(home, stored.release.pins)]


def prepare(house: House, of: Deployable, rehearsal: Rehearsal | None) -> Prepared:
    """What to start the bot with, with credentials of its own that nobody has seen.

    :raises BadInput: when a secret is missing, or one is there that must not be.
    :raises Refused: when the packages that it is pinned to are gone.
    """
    environment, strategy = of.environment, of.strategy
    python = venvs.needed(house.home, of.release.pins.requirements).python
    account = environment.account_of(strategy, of.berth) or ""
    held = SecretStore(house.home).held(Scope(environment.name, account))
    access = bot.new_access(_free_port())
    settings = None
    if rehearsal and environment.exchange.rehearsal:
        settings = of_market(rehearsal.exchange, of.manifest.trading_mode)
    laid = bot.private(environment, held, access, settings)
    configuration = bot.whole(of.declared, laid)
    folder = environment.folder(strategy, of.berth)
    launch = Launch(
        name=f"{environment.name}.{berthed(strategy, of.berth)}",
        folder=str(house.home),
        log=f"{folder}/log",
        loaded=f"{folder}/loaded.json",
        paused=f"{folder}/{PAUSED}",
        modules=(str(house.deployed(of.release.digest)),),
        identity={
            "launch": dice.token_hex(8),
            "promotion": of.promotion.model_dump_json(),
            "placed": of.placed.model_dump_json(),
        },
        user=user_of(environment.name),
        follow=rehearsal.follow if rehearsal and environment.exchange.rehearsal else None,
        exchange=environment.exchange.name,
    )
    hidden = (secret.reveal() for secret in held.values())
    own = (access.password, access.jwt_secret, access.ws_token)
    told = Told(configuration=configuration, hidden=(*hidden, *(secret.reveal() for secret in own)))
    stated = {key: value for key, value in configuration.items() if key != "initial_state"}
    return Prepared(launch, told, access, bot.digest(stated), _key(held), python)


def _key(held: Mapping[SecretName, Secret]) -> str:
    """What the exchange's key is called where nobody may see it; nothing without one."""
    found = held.get(SecretName.EXCHANGE_KEY)
    return sha256(found.reveal().encode()) if found else ""


def _free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port
