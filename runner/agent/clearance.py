"""May a bot be started here, now, with the key that it would get? Looked at before every start.

An open trade that nobody looks after can lose without limit, and at once. So a bot that goes on
with open trades, with a release that was let in here before, is kept from them only by what is
known to be wrong with its key or its database: a warning, or an exchange that doesn't say what the
key may do, is told to people, and the bot is started all the same. Every other start waits.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from pipelines.adapters.redaction import Redactor
from pipelines.adapters.secrets import SecretStore
from pipelines.adapters.versions import freqtrade_pin
from pipelines.domain import clearance, couplings
from pipelines.domain.candidate import Because, Reason
from pipelines.domain.candles import TradingMode
from pipelines.domain.couplings.accounts import label
from pipelines.domain.couplings.arrangement import Arrangement, Clash, Host, Kept
from pipelines.domain.entry import Entry
from pipelines.domain.environment import Environment, Mode
from pipelines.domain.handover import FIRST
from pipelines.domain.promotion import Risk
from pipelines.domain.record import Record
from pipelines.domain.secret import OPENS, Scope, Secret, SecretName
from pipelines.errors import CannotTell, Refused, SluiceError
from runner.agent.asking import Asking, asking
from runner.agent.preparing import Deployable, Rehearsal
from runner.agent.trades import earned, open_trades, tied, used_in
from runner.agent.venvs import CHECKOUT

SILENCE_SECONDS = 10.0
"""For so long an exchange that did not answer is not asked again: other bots wait meanwhile."""

_ROUNDING = Decimal("1.01")
"""Fees that are paid in coins, and rounding, make up less than this share of an account."""


@dataclass(frozen=True)
class Case:
    """A bot that may be started, in one of its berths. `accepts` are the risks signed for."""

    environment: Environment
    strategy: str
    release: str
    trading_mode: TradingMode
    accepts: tuple[Risk, ...]
    berth: int = FIRST

    @property
    def scope(self) -> Scope:
        """Whose secrets it is given."""
        account = self.environment.account_of(self.strategy, self.berth)
        return Scope(self.environment.name, account or "")


@dataclass(frozen=True)
class Looked:
    """Everything for and against it. `lasting` also keeps it from open trades of its own."""

    reasons: tuple[Reason, ...]
    lasting: tuple[Reason, ...]
    grounds: tuple[Reason, ...]


@dataclass
class Clearance:
    """Looks at keys and at this host. Whatever secret it meets, `hidden` knows afterwards."""

    home: Path
    hidden: Redactor
    rehearsal: Rehearsal | None = None
    _silent: dict[str, float] = field(default_factory=dict, init=False)

    def started(
        self, of: Deployable, record: Record, arranged: Arrangement, *, again: bool = False
    ) -> tuple[str, ...]:
        """What people have to know of a bot that may be started: nothing, unless it goes on.

        `arranged` is what is declared and wanted, `again` tells that it ran before with what is in
        its database.

        :raises Refused: when it may not be started, with all reasons.
        :raises CannotTell: when nobody said no, and nobody said yes.
        """
        environment, promotion = of.environment, of.promotion
        track = record.track(environment.name, of.strategy)
        accepts = clearance.signed_for(track, promotion)
        release, mode = str(of.release.id), of.manifest.trading_mode
        case = Case(environment, of.strategy, release, mode, accepts, of.berth)
        looked = self.look(case, arranged)
        # After a reboot nobody knows a bot any more: its database and the ledger do.
        left = open_trades(self.home / environment.database(of.strategy, of.berth)) != 0
        goes_on = left and (again or track.is_verified(of.release.digest))
        against = looked.lasting if goes_on else looked.reasons
        if against:
            # Nobody asked who could be given a hint: it stands in what is remembered of it.
            raise type(refusal(against))("\n".join(map(_line, against)))
        return tuple(_line(each) for each in looked.reasons)

    def look(self, case: Case, arranged: Arrangement) -> Looked:
        """Everything that speaks for and against a start.

        :raises SluiceError: when its secrets cannot be read.
        """
        held = SecretStore(self.home).held(case.scope)
        self.hidden.know(held.values())
        against: tuple[Reason, ...] = ()
        grounds: tuple[Reason, ...] = ()
        balances: dict[str, Decimal] = {}
        if case.environment.mode == "live" and held.keys() >= set(OPENS):
            answer, holds = self._asked(case, held)
            key = _key(case)
            against, grounds = clearance.objections(key, answer), clearance.grounds(key, answer)
            balances = self._balances(case, arranged, holds)
        arranged = replace(arranged, host=self._host(case, arranged, balances))
        mixed = {_clash(each) for each in couplings.RULES["database"](arranged)}
        clashes = tuple(dict.fromkeys(_clash(each) for each in couplings.clashes(arranged)))
        known = tuple(each for each in against if each.because is Because.KEY)
        lasting = (*(each for each in clashes if each in mixed), *known)
        return Looked((*clashes, *against), lasting, grounds)

    def _asked(
        self, case: Case, held: Mapping[SecretName, Secret]
    ) -> tuple[clearance.Answer, Decimal | None]:
        name = case.environment.exchange.name
        if time.monotonic() < self._silent.get(name, 0):
            return clearance.Unread(f"{name} did not answer a moment ago"), None
        try:
            asks = self._asking(case, held)
        except CannotTell as error:
            return clearance.Unread(error.message), None
        answer = asks.rights()
        if isinstance(answer, clearance.Unread):
            why = self.hidden.text(answer.why)
            if not answer.never:
                self._silent[name] = time.monotonic() + SILENCE_SECONDS
            return replace(answer, why=why), None
        if isinstance(answer, clearance.NotAccepted):
            return replace(answer, said=self.hidden.text(answer.said)), None
        return answer, asks.holds(case.environment.portfolio.stake_currency)

    def _asking(self, case: Case, held: Mapping[SecretName, Secret]) -> Asking:
        exchange, settings = case.environment.exchange, {"name": case.environment.exchange.name}
        if exchange.rehearsal and self.rehearsal is None:
            raise CannotTell("nobody said where the rehearsal exchange is")
        given = self.rehearsal.exchange if exchange.rehearsal and self.rehearsal else settings
        names = (*OPENS, SecretName.EXCHANGE_PASSWORD)
        key, secret, password = (held[n].reveal() if n in held else "" for n in names)
        return asking(given, key, secret, password, case.trading_mode)

    def _balances(
        self, case: Case, arranged: Arrangement, holds: Decimal | None
    ) -> dict[str, Decimal]:
        """What the account would have without what its bots have done: they may use that."""
        whose = label(case.environment, case.scope.account)
        if holds is None:
            return {}
        for bot, environment in arranged.placed():
            own = environment.account_of(bot.strategy)
            if environment.mode != "live" or own is None or label(environment, own) != whose:
                continue
            database = self.home / (bot.kept_in or environment.database(bot.strategy))
            # On futures what is in trades stays part of the balance.
            bound = tied(database) if bot.trading_mode == "spot" else Decimal(0)
            profit = earned(database)
            if bound is None or profit is None:
                return {}
            holds += bound - profit
        return {whose: round(holds * _ROUNDING, 2)}

    def _host(self, case: Case, arranged: Arrangement, balances: dict[str, Decimal]) -> Host:
        mine = [e for _, e in arranged.every() if e.host == case.environment.host]
        return Host(
            variables=frozenset(os.environ),
            freqtrade=freqtrade_pin(CHECKOUT),
            examined=frozenset({case.environment.name}),
            kept=self._kept(case, tuple(each.name for each in mine)),
            balances=balances,
            databases=self._databases(case, arranged, mine),
        )

    def _kept(self, case: Case, names: tuple[str, ...]) -> tuple[Kept, ...]:
        store = SecretStore(self.home)
        try:
            return store.fingerprints(names)
        except SluiceError:
            # What another environment keeps and nobody can read keeps no bot here waiting.
            return store.fingerprints((case.environment.name,))

    def _databases(
        self, case: Case, arranged: Arrangement, mine: list[Environment]
    ) -> dict[str, Mode]:
        found: dict[str, Mode] = {}
        for bot, environment in arranged.placed():
            if environment not in mine:
                continue
            file = bot.kept_in or environment.database(bot.strategy)
            used = used_in(self.home / file)
            if used is None and (environment, bot.strategy) == (case.environment, case.strategy):
                hint = "restore it from a backup, or move it away: its trades are then nobody's"
                raise CannotTell(f"{file}: nobody can tell what was traded in it", hint)
            other: Mode = "dry_run" if environment.mode == "live" else "live"
            if used:
                found[file] = other if other in used else environment.mode
        return found


def refusal(reasons: tuple[Reason, ...]) -> SluiceError:
    """The error that tells all of them: what is only unread is no "no"."""
    unread = all(each.because is Because.KEY_UNREAD for each in reasons)
    kind = CannotTell if unread else Refused
    hint = next((each.hint for each in reasons if each.hint), "see 'sluice docs promotion'")
    return kind("\n".join(f"{each.because}: {each.text}" for each in reasons), hint)


def veiled(entry: Entry, hidden: Redactor) -> Entry:
    """The same without secrets in what somebody said: the ledger forgets nothing."""
    reason = getattr(entry, "reason", "")
    return entry.model_copy(update={"reason": hidden.text(reason)}) if reason else entry


def _line(reason: Reason) -> str:
    return f"{reason.because}: {reason.text}: {reason.hint}"


def _clash(clash: Clash) -> Reason:
    text = f"{clash.where}: {clash.key}: should be {clash.expected}, got {clash.actual}"
    return Reason(Because.COUPLINGS, text, clash.hint)


def _key(case: Case) -> clearance.Key:
    about = f"{case.release} {case.environment.name}"
    return clearance.Key(
        scope=str(case.scope),
        exchange=case.environment.exchange.name,
        trading_mode=case.trading_mode,
        accepts=case.accepts,
        signs=f"sluice approve {about} --key KEY",
        asks=f"sluice promote {about}",
    )
