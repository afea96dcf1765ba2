"""Changes of health, as alerts: what is wrong once, and once that it is over."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pipelines.domain.health import Changed, Check, Ill
from runner.agent.alerts import Alert, Kind, Severity
from runner.agent.muster import Member

ELSEWHERE = frozenset({Check.STOPS, Check.LIMITS})
"""Who finds these tells them: reconciling, and the guard. That they are over is told here."""


def of_bot(member: Member, changed: Changed, now: datetime) -> Iterator[Alert]:
    """What a human has to hear of a bot."""
    about: dict[str, Any] = {"at": now, "environment": member.bot.environment}
    about["strategy"] = member.bot.strategy
    mine = tuple(each for each in changed.ills if each.reason.check not in ELSEWHERE)
    if mine:
        down = any(each.reason.check is Check.PROCESS for each in mine)
        kind: Kind = "down" if down else "degraded"
        at_risk = member.record.placed.live and member.bot.has_trades
        severity: Severity = "money" if at_risk else "warning"
        yield Alert(severity=severity, kind=kind, text=f"{kind}: {_said(mine)}", **about)
    if changed.is_over:
        text = "recovered: it can manage its orders again"
        yield Alert(severity="notice", kind="recovered", text=text, **about)


def of_host(changed: Changed, now: datetime) -> Iterator[Alert]:
    """What a human has to hear of the machine."""
    for ill in changed.ills:
        kind: Kind = "clock" if ill.reason.check is Check.CLOCK else "host"
        severity: Severity = "money" if kind == "clock" else "warning"
        yield Alert(at=now, severity=severity, kind=kind, text=f"the host: {_said((ill,))}")
    if changed.is_over:
        text = "the host: all is well again"
        yield Alert(at=now, severity="notice", kind="recovered", text=text)


def _said(ills: tuple[Ill, ...]) -> str:
    return "; ".join(f"{each.reason.check}: {each.reason.text}" for each in ills)
