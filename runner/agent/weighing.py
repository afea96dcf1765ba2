"""What the plan weighs: what this host makes of releases, and how bots part with their trades."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pipelines.domain.adoption import OpenTrade, Place, Successor, objections
from pipelines.domain.couplings.arrangement import Arrangement
from pipelines.domain.couplings.arrangement import Bot as Placed
from pipelines.domain.deployment import Bot, Settings, Wanted
from pipelines.domain.environment import Environment
from pipelines.domain.handover import FIRST, SECOND, Farewell, Objection, Way, farewell
from pipelines.domain.promotion import Promotion
from pipelines.domain.record import Record
from pipelines.domain.successor import successor
from pipelines.errors import CannotTell, SluiceError
from runner.agent.about import Key
from runner.agent.declared import Declared
from runner.agent.house import House
from runner.agent.muster import Member
from runner.agent.owners import Owner
from runner.agent.preparing import Deployable, deployable
from runner.agent.seat import Seat
from runner.agent.trades import book


@dataclass
class Scales:
    """Verifies each release once, and remembers it: what is started is verified anew."""

    house: House
    seat: Seat
    read: Callable[[], Record]
    _deployables: dict[tuple[str, str, int, str], Deployable] = field(default_factory=dict)

    def deployable(
        self, train: Declared, promotion: Promotion, environment: Environment | None = None
    ) -> Deployable:
        """A release in the environment that it was promoted to, as that is declared now.

        :raises SluiceError: when the release is not what was signed, or cannot be read.
        """
        environment = environment or train.environment(promotion.environment)
        content = environment.content_digest()
        key = (promotion.digest or "", promotion.environment, promotion.stake, content)
        if key not in self._deployables:
            made = deployable(self.house, environment, promotion, train.trust, self.read())
            self._deployables[key] = made
        return replace(self._deployables[key], promotion=promotion)

    def of(self, train: Declared, member: Member) -> Deployable:
        """The release that a bot is, in the environment as it was when it was started.

        :raises CannotTell: when nobody knows which release that is.
        """
        owner = self.owner(member)
        made = self.deployable(train, owner.promotion, owner.environment)
        return replace(made, berth=owner.berth)

    def owner(self, member: Member) -> Owner:
        """Whose a bot's trades are.

        :raises CannotTell: when nobody knows.
        """
        if member.owner is None:
            raise CannotTell(f"{'.'.join(member.bot.seat)}: nobody knows whose its trades are")
        return member.owner

    def placing(
        self,
        train: Declared,
        running: Mapping[Key, Member],
        broken: Callable[[Key, str], None],
    ) -> Callable[[Promotion], tuple[Settings, Settings | None] | None]:
        """What this host makes of a promotion in both berths; `broken` is told of what is wrong."""

        def settings(promotion: Promotion) -> tuple[Settings, Settings | None] | None:
            environment = train.mine(promotion.environment)
            if environment is None:
                return None
            try:
                made = self.deployable(train, promotion)
            except SluiceError as error:
                broken((promotion.environment, promotion.strategy), error.message)
                # What runs already goes on: a release that lies broken on the disk ends no bot.
                return _as_it_runs(promotion, running)
            beside = environment.handover.way is Way.SIDE_BY_SIDE
            aside = replace(made, berth=SECOND).placed.settings if beside else None
            return replace(made, berth=FIRST).placed.settings, aside

        return settings

    def weigh(self, train: Declared, record: Record, member: Member, wanted: Wanted | None) -> Bot:
        """The bot as the plan weighs it: with how it parts, when it has trades and has to go."""
        bot = member.bot
        if not bot.has_trades or (wanted and bot.is_of(wanted)):
            return bot
        promotion = wanted.promotion if wanted else None
        return replace(bot, farewell=self.farewell(train, record, member, promotion))

    def farewell(
        self, train: Declared, record: Record, member: Member, promotion: Promotion | None
    ) -> Farewell:
        """How a bot parts with its trades for what is promoted in its place."""
        bot, mine = member.bot, train.mine(member.bot.environment)
        if mine is None:
            # Nobody wrote down when its environment moved to another host: it drains to its end.
            return Farewell()
        since = record.track(*bot.key).changed
        if promotion is None:
            return farewell(mine.handover, Way.DRAIN, (), (), since)
        try:
            to = replace(self.deployable(train, promotion), berth=bot.berth)
        except SluiceError as error:
            found = (Objection(None, error.message),)
            return farewell(mine.handover, Way.DRAIN, found, (), since)
        return farewell(
            mine.handover,
            Way(to.manifest.handover),
            self.objections(train, member, to),
            promotion.accepts,
            since,
            restarts=bot.digest == promotion.digest,
        )

    def objections(self, train: Declared, member: Member, to: Deployable) -> tuple[Objection, ...]:
        """What speaks against a release taking over the trades of a bot."""
        found = book(member.database)
        try:
            of = self.of(train, member) if member.owner else None
            before = _place(of) if of else None
            old = self._successor(of) if of else None
        except SluiceError:
            before = old = None
        return objections(
            None if found is None else found.open, before, _place(to), old, self._successor(to)
        )

    def strange(
        self, trades: tuple[OpenTrade, ...] | None, mode: str, of: Deployable, source: bytes
    ) -> tuple[Objection, ...]:
        """What speaks against a release taking over the trades of a bot that is none of ours.

        `mode` is how it traded, spot or futures, `source` its strategy.
        """
        place, new = _place(of), self._successor(of)
        old = successor(of.strategy, of.manifest, {f"{of.strategy}/strategy.py": source})
        return objections(trades, replace(place, trading_mode=mode), place, old, new)

    def _successor(self, of: Deployable) -> Successor | None:
        folder = self.house.deployed(of.release.digest)
        try:
            files = {each.path: (folder / each.path).read_bytes() for each in of.release.files}
        except OSError:
            return None
        return successor(of.strategy, of.manifest, files)

    def arranged(self, train: Declared) -> Arrangement:
        """What is declared, and every bot of this host that is wanted."""
        placed = []
        for (environment, strategy), track in self.read().tracks.items():
            if track.current is None or train.mine(environment) is None:
                continue
            try:
                other = self.deployable(train, track.current.promotion).manifest
            except SluiceError:
                continue
            stake = track.current.promotion.stake
            placed.append(Placed(environment, strategy, other.pairs, other.trading_mode, stake))
        files = {f"{self.seat.train / name}.yaml": e for name, e in train.environments.items()}
        names = frozenset(bot.strategy for bot in placed)
        return Arrangement(files, names, tuple(placed))


def _as_it_runs(
    promotion: Promotion, running: Mapping[Key, Member]
) -> tuple[Settings, Settings | None] | None:
    key = promotion.environment, promotion.strategy
    same = [m.bot for m in running.values() if (m.bot.key, m.bot.digest) == (key, promotion.digest)]
    if not same:
        return None
    return same[0].settings, same[0].settings if same[0].berth == SECOND else None


def _place(of: Deployable) -> Place:
    environment, rehearsal = of.environment, of.environment.exchange.rehearsal
    return Place(
        mode=environment.mode,
        exchange=f"{'the rehearsal of ' if rehearsal else ''}{environment.exchange.name}",
        account=of.placed.account,
        currency=environment.portfolio.stake_currency,
        trading_mode=of.manifest.trading_mode,
    )
