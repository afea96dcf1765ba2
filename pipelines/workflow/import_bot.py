"""`sluice import-bot`: takes over a freqtrade that somebody runs: strategy, configuration, trades.

First everything is looked at, also by the agent. Then the plugin is planted, secrets are kept if
that is asked for, and at last the agent gives the database its place. Killed in between, the same
command goes on: what is there already and the same is left as it is.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.adapters import agent, plugins
from pipelines.adapters.agent import TakenOver, TakeOver
from pipelines.adapters.secrets import SecretStore
from pipelines.adapters.trees import FOLDER
from pipelines.domain.environment import Environment
from pipelines.domain.secret import Scope, Secret, SecretName
from pipelines.errors import BadInput, Problem
from pipelines.freqtrade import existing
from pipelines.freqtrade.existing import Setting, Settings
from pipelines.freqtrade.moving import Moved, moved, secrets_in
from pipelines.workflow import secrets as secrets_workflow
from pipelines.workflow.importing import Imported, file_of, one
from pipelines.workflow.place import Place
from pipelines.workflow.planting import plant

_DATABASES = {True: "tradesv3.dryrun.sqlite", False: "tradesv3.sqlite"}
"""What freqtrade calls its database, on paper and with money, unless it is told otherwise."""

_CONTAINER = "/freqtrade/user_data/"
"""Where freqtrade's own image has the folder."""


@dataclass(frozen=True)
class Given:
    """What was asked for: a freqtrade's folder, and the environment that its bot belongs to.

    Empty means: found as freqtrade finds it. With `secrets` those in the configuration are kept.
    `release` takes open trades over.
    """

    folder: Path
    environment: str
    configs: tuple[Path, ...] = ()
    strategy: str = ""
    database: Path | None = None
    owner: str = ""
    secrets: bool = False
    release: str = ""


@dataclass(frozen=True)
class Carried:
    """A secret of the configuration: whose it becomes; none when the environment needs it not."""

    name: SecretName
    setting: Setting
    scope: Scope | None
    kept: bool


@dataclass(frozen=True)
class Report:
    """What was taken over, and from where. `planted` tells whether the plugin is new."""

    environment: str
    plugin: Imported
    planted: bool
    moved: tuple[Moved, ...]
    secrets: tuple[Carried, ...]
    source: Path
    database: TakenOver
    release: str


def import_bot(place: Place, given: Given, now: datetime) -> Report:
    """Take over a bot; what became of everything.

    :raises BadInput: when something is missing, wrong, or declared twice.
    :raises Refused: when the agent does not take it, with all reasons.
    :raises AgentUnreachable: when no agent runs.
    """
    settings = existing.read(given.configs or _configs(given.folder))
    environment = place.environment(given.environment)
    plugin, files = _drafted(place, given, settings)
    is_new = _is_new(place.root, plugin)
    if given.release and is_new:
        hint = f"'sluice import {plugin.source}' makes it; then check, pack, deliver"
        raise BadInput(f"{FOLDER}/{plugin.name}: there is no such strategy yet", hint)
    carried = tuple(_carried(place, environment, settings))
    if given.secrets:
        _refuse_conflicts(place, carried)
    source = given.database or _database(given.folder, settings)
    asked = TakeOver(
        environment=environment.name,
        strategy=plugin.name,
        database=str(source.resolve()),
        dry_run=settings.flag("dry_run", default=True),
        api=_api(settings),
        look=True,
        release=given.release,
        source=str(plugin.source.resolve()),
        adjusts=settings.flag("position_adjustment_enable", default=False),
    )
    agent.ask(place.home, "take-over", asked)
    if is_new:
        plant(place.root, {plugin.name: files})
    if given.secrets:
        carried = tuple(_kept(place, each, now) for each in carried)
    done = agent.ask(place.home, "take-over", asked.model_copy(update={"look": False}))
    manifest = plugins.read(place.root, plugin.name).manifest
    return Report(
        environment=environment.name,
        plugin=plugin,
        planted=is_new,
        moved=moved(settings, environment, manifest),
        secrets=carried,
        source=source,
        database=TakenOver.model_validate(done),
        release=given.release,
    )


def _configs(folder: Path) -> tuple[Path, ...]:
    places = (folder / "config.json", folder / "user_data" / "config.json")
    found = [path for path in places if path.is_file()]
    if len(found) > 1:
        told = " and ".join(map(str, found))
        raise BadInput(f"{told}: two configurations", "name the one that is in use with --config")
    if not found:
        hint = "name freqtrade's configuration with --config, each file of several"
        raise BadInput(f"{folder}: holds no config.json", hint)
    return tuple(found)


def _drafted(place: Place, given: Given, settings: Settings) -> tuple[Imported, dict[str, bytes]]:
    class_name = given.strategy or settings.text("strategy")
    if not class_name:
        hint = "say --strategy CLASS, as it was told to freqtrade"
        raise BadInput("strategy: no configuration names it", hint)
    named = settings.text("strategy_path")
    folders = [Path(named) if Path(named).is_absolute() else given.folder / named] if named else []
    usual = (given.folder / "strategies", given.folder / "user_data" / "strategies")
    source = file_of(tuple(folders) or usual, class_name)
    return one(place.root, source, class_name, _pairs(settings), given.owner)


def _pairs(settings: Settings) -> tuple[str, ...]:
    found = settings.all.get("exchange.pair_whitelist")
    if found is None:
        return ()
    value, file = found.value, str(found.file)
    if not isinstance(value, list) or not all(isinstance(pair, str) for pair in value):
        raise Problem(file, "should be a list of pairs", key=found.key)
    odd = [pair for pair in value if any(each in pair for each in ".*[(|")]
    if odd:
        hint = "pairs are fixed in strategy.yaml: write each one out"
        raise Problem(file, f"{odd[0]} stands for several pairs", key=found.key, hint=hint)
    return tuple(value)


def _is_new(root: Path, plugin: Imported) -> bool:
    """False when the same strategy was imported before; it stays as it is."""
    if plugin.name not in plugins.names(root):
        return True
    there = plugins.read(root, plugin.name).manifest
    if there.class_name != plugin.class_name:
        message = f"holds {there.class_name}, and {plugin.class_name} would go there"
        raise Problem(f"{FOLDER}/{plugin.name}", message, hint="rename one of the two")
    return False


def _carried(place: Place, environment: Environment, settings: Settings) -> list[Carried]:
    found: dict[SecretName, Carried] = {}
    for name, setting in secrets_in(settings):
        if (other := found.get(name)) and other.setting.value != setting.value:
            told = f"{other.setting.file}: {other.setting.key} and {setting.file}: {setting.key}"
            raise BadInput(f"{name}: is declared twice: {told}", "keep the one that is in use")
        try:
            scope, _ = secrets_workflow.asked(place, environment.name, name)
        except BadInput:
            scope = None
        found[name] = Carried(name, setting, scope, kept=False)
    for setting in settings.under:
        for name, each in found.items():
            if setting.key == each.setting.key and setting.value not in ("", each.setting.value):
                told = f"{setting.file} and {each.setting.file}: {setting.key}"
                raise BadInput(f"{name}: is declared twice: {told}", "keep the one in use")
    return list(found.values())


def _value(carried: Carried) -> Secret:
    value = carried.setting.value
    text = value if isinstance(value, str) else str(value)
    try:
        return secrets_workflow.value(text.encode())
    except BadInput as error:
        what = error.message.removeprefix("standard input: ")
        where = str(carried.setting.file)
        raise Problem(where, what, key=carried.setting.key, hint=error.hint) from None


def _refuse_conflicts(place: Place, carried: tuple[Carried, ...]) -> None:
    for each in carried:
        if each.scope is None:
            continue
        held = SecretStore(place.home).held(each.scope).get(each.name)
        if held is not None and held != _value(each):
            hint = f"sluice secrets remove {each.scope} {each.name}, if the new one is meant"
            raise BadInput(f"{each.scope}: {each.name} is kept already, with another value", hint)


def _kept(place: Place, each: Carried, now: datetime) -> Carried:
    if each.scope is None:
        return each
    if each.name not in SecretStore(place.home).held(each.scope):
        secrets_workflow.put(place, each.scope, each.name, _value(each), now)
    return Carried(each.name, each.setting, each.scope, kept=True)


def _database(folder: Path, settings: Settings) -> Path:
    """Where freqtrade has its trades, as far as its configuration tells."""
    dry_run = settings.flag("dry_run", default=True)
    url = settings.text("db_url")
    usual = "sqlite:///" + _DATABASES[False]
    if not url or (dry_run and url == usual):
        url = "sqlite:///" + _DATABASES[dry_run]
    if not url.startswith("sqlite:///") or url == "sqlite:///":
        raise Problem(str(settings.all["db_url"].file), "is no file of SQLite", key="db_url")
    named = url.removeprefix("sqlite:///")
    inside = named.removeprefix(_CONTAINER).removeprefix("user_data/")
    places = {Path(named)} if Path(named).is_absolute() else {folder / named}
    places |= {folder / inside, folder / "user_data" / inside}
    found = sorted({path.resolve() for path in places if path.is_file()})
    if len(found) > 1:
        told = ", ".join(map(str, found))
        raise BadInput(f"database: is declared twice: {told}", "name one with --database")
    if not found:
        hint = "name it with --database; a strategy that never traded is for 'sluice import'"
        raise BadInput(f"{folder / inside}: there is no database", hint)
    return found[0]


def _api(settings: Settings) -> str:
    if settings.value("api_server.enabled") is not True:
        return ""
    host = settings.text("api_server.listen_ip_address", "127.0.0.1")
    port = settings.value("api_server.listen_port", 8080)
    # In a container it listens everywhere, and is reached on this machine's own address.
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"
