"""Which keys are fit to trade with, whose say it is, and what people can sign for."""

from datetime import UTC, datetime

import pytest

from pipelines.domain.candidate import Because
from pipelines.domain.clearance import (
    Answer,
    Key,
    NotAccepted,
    Rights,
    Unread,
    grounds,
    objections,
    signed_for,
)
from pipelines.domain.promotion import Kind, Promotion, Risk
from pipelines.domain.record import Line, Record

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SIGNS, ASKS = "sluice approve beat@1.0.0+aaaaaaaa prod --key KEY", "sluice promote"
KEY = Key("prod/main", "binance", "spot", (), SIGNS, ASKS)
FIT = Rights(moves=(), spot=True, futures=True, bound=True)
NEVER = Unread("kraken has no way to ask", never=True)


def key(*accepts: Risk, futures: bool = False) -> Key:
    mode = "futures" if futures else "spot"
    return Key("prod/main", "binance", mode, accepts, SIGNS, ASKS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "answer", "because"),
    [
        (KEY, FIT, []),
        (key(futures=True), FIT, []),
        (KEY, Rights((), True, False, True), []),
        (key(futures=True), Rights((), False, True, True), []),
        (KEY, Rights((), False, True, True), [Because.KEY]),
        (key(futures=True), Rights((), True, False, True), [Because.KEY]),
        (KEY, Rights(("enableWithdrawals",), True, True, True), [Because.KEY]),
        (KEY, Rights((), True, True, False), [Because.KEY_OPEN]),
        (key(Risk.NO_IP_LIST), Rights((), True, True, False), []),
        (key(Risk.LOOSER_STOP), Rights((), True, True, False), [Because.KEY_OPEN]),
        (key(*Risk), Rights(("enableWithdrawals",), True, True, True), [Because.KEY]),
        (KEY, Rights(("one", "two"), False, False, False), [*[Because.KEY] * 2, Because.KEY_OPEN]),
        (KEY, NotAccepted("-2015"), [Because.KEY]),
        (key(*Risk), NotAccepted("-2015"), [Because.KEY]),
        (KEY, Unread("nobody answers"), [Because.KEY_UNREAD]),
        (key(*Risk), Unread("nobody answers"), [Because.KEY_UNREAD]),
        (KEY, NEVER, [Because.KEY_UNREAD]),
        (key(Risk.RESTRICTIONS_UNREAD), NEVER, []),
        (key(Risk.NO_IP_LIST), NEVER, [Because.KEY_UNREAD]),
    ],
)
def test_every_objection_is_told_with_what_to_do(
    asked: Key, answer: Answer, because: list[Because]
) -> None:
    told = objections(asked, answer)

    assert [each.because for each in told] == because
    assert all("prod/main" in each.text and each.hint for each in told)
    assert bool(grounds(asked, answer)) == (not because and isinstance(answer, Rights))


def test_what_can_be_signed_for_says_the_commands() -> None:
    for answer, risk in ((Rights((), True, True, False), "no-ip-list"),
                         (NEVER, "restrictions-unread")):  # fmt: skip
        (reason,) = objections(KEY, answer)
        assert f"'{SIGNS} --accept {risk}', then '{ASKS}'" in reason.hint


def test_rights_that_move_money_are_named() -> None:
    moves = ("enableWithdrawals", "permitsUniversalTransfer")
    (reason,) = objections(KEY, Rights(moves, True, True, True))
    assert reason.text.endswith("may move money away: enableWithdrawals, permitsUniversalTransfer")


def test_what_speaks_for_a_key_says_from_where_it_can_be_used() -> None:
    (bound,) = grounds(KEY, FIT)
    (open_,) = grounds(key(Risk.NO_IP_LIST), Rights((), True, True, False))
    assert "a list of addresses only" in bound.text
    assert "as signed for" in open_.text


def promotion(letter: str, kind: Kind = Kind.PROMOTE, *accepts: Risk) -> Promotion:
    return Promotion(
        kind=kind,
        environment="prod",
        strategy="beat",
        release=f"beat@1.0.0+{letter * 8}",
        digest=letter * 64,
        by="ann",
        accepts=accepts,
        at=NOW,
    )


def test_a_rollback_brings_back_what_was_signed_for_and_nothing_else() -> None:
    history = (
        promotion("a", Kind.PROMOTE, Risk.NO_IP_LIST),
        promotion("b"),
        back := promotion("a", Kind.ROLLBACK),
    )
    track = Record.of(Line(n, each) for n, each in enumerate(history, 1)).track("prod", "beat")

    assert signed_for(track, back) == (Risk.NO_IP_LIST,)
    assert signed_for(track, promotion("b", Kind.ROLLBACK)) == ()
    assert signed_for(track, promotion("c", Kind.ROLLBACK)) == ()
    # Who promotes again signs again.
    assert signed_for(track, promotion("a")) == ()
