"""Equity and drawdown as a picture, from what releases earned by the day."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate

from PIL import Image, ImageDraw, ImageFont

from pipelines.adapters.agent_trades import ReleaseTrades

_WIDTH, _HEIGHT, _SMOOTH = 720, 560, 2
_LEFT, _RIGHT, _TOP, _GAP, _BOTTOM = 84, 24, 64, 44, 44
_SHARE = 0.64
_PAPER, _INK, _FAINT, _GRID = "#ffffff", "#1b1f24", "#6b7280", "#e5e7eb"
_GAIN, _LOSS = "#0a7f5a", "#c2372e"

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """What a release had at the end of each day with a closed trade, and the capital before."""

    title: str
    currency: str
    days: tuple[date, ...]
    equity: tuple[Decimal, ...]

    @property
    def drawdown(self) -> tuple[Decimal, ...]:
        """How far it was below its highest so far, in parts of that; never above 0."""
        highest = accumulate(self.equity, max)
        return tuple(now / top - 1 for now, top in zip(self.equity, highest, strict=True))


def curve(trades: ReleaseTrades) -> Curve | None:
    """The curve of one release; None without a day on which it closed a trade."""
    if not trades.days or trades.capital <= 0:
        return None
    days = tuple(date.fromisoformat(day.of) for day in trades.days)
    sums = accumulate((day.profit for day in trades.days), initial=trades.capital)
    title = f"{trades.environment}  {(trades.release or trades.strategy).partition('+')[0]}"
    before = days[0] - timedelta(days=1)
    return Curve(title, trades.currency, (before, *days), tuple(sums))


def picture(of: Curve) -> bytes:
    """A PNG: equity above, drawdown below."""
    canvas = _Canvas()
    change = of.equity[-1] / of.equity[0] - 1
    said = f"{of.equity[-1]:,.2f} {of.currency}  {change:+.1%}"
    canvas.text((_LEFT, 14), of.title, 20, _INK)
    canvas.text((_LEFT, 38), f"closed trades, {said}", 15, _FAINT)
    middle = _TOP + (_HEIGHT - _TOP - _BOTTOM - _GAP) * _SHARE
    equity, fall = [float(each) for each in of.equity], [float(each) for each in of.drawdown]
    canvas.panel(of.days, equity, (_TOP, middle), _GAIN, "{:,.0f}")
    canvas.panel(of.days, fall, (middle + _GAP, _HEIGHT - _BOTTOM), _LOSS, "{:.1%}", top=0.0)
    canvas.text((_LEFT, middle + 14), f"drawdown, worst {min(fall):.1%}", 15, _FAINT)
    canvas.text((_LEFT, _HEIGHT - 30), f"{of.days[0]:%d %b %Y}", 14, _FAINT)
    canvas.text((_WIDTH - _RIGHT, _HEIGHT - 30), f"{of.days[-1]:%d %b %Y}", 14, _FAINT, "ra")
    return canvas.png()


class _Canvas:
    """Drawn larger than it is shown, so that lines are smooth."""

    def __init__(self) -> None:
        self._image = Image.new("RGB", (_WIDTH * _SMOOTH, _HEIGHT * _SMOOTH), _PAPER)
        self._draw = ImageDraw.Draw(self._image)

    def text(self, at: Point, said: str, size: int, colour: str, anchor: str = "la") -> None:
        font = ImageFont.load_default(size * _SMOOTH)
        self._draw.text(_scaled(at), said, fill=colour, font=font, anchor=anchor)

    def panel(
        self,
        days: Sequence[date],
        values: Sequence[float],
        between: tuple[float, float],
        colour: str,
        form: str,
        top: float | None = None,
    ) -> None:
        """One curve with its scale."""
        above, below = between
        high = max(values) if top is None else top
        low = min(values)
        if high == low:
            high, low = (high, low - 0.01) if top is not None else (high + 1, low - 1)
        span = (days[-1] - days[0]).days

        def at(index: int) -> Point:
            share = (days[index] - days[0]).days / span
            y = below - (values[index] - low) / (high - low) * (below - above)
            return _LEFT + share * (_WIDTH - _LEFT - _RIGHT), y

        for level in (low, (low + high) / 2, high):
            y = below - (level - low) / (high - low) * (below - above)
            self._line([(_LEFT, y), (_WIDTH - _RIGHT, y)], _GRID, 1)
            self.text((_LEFT - 8, y), form.format(level), 13, _FAINT, "rm")
        points = [at(index) for index in range(len(values))]
        self._line(points, colour, 3)

    def _line(self, points: Sequence[Point], colour: str, width: int) -> None:
        scaled = [_scaled(point) for point in points]
        self._draw.line(scaled, fill=colour, width=width * _SMOOTH, joint="curve")

    def png(self) -> bytes:
        image = self._image.resize((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS)
        kept = io.BytesIO()
        image.save(kept, "PNG", optimize=True)
        return kept.getvalue()


def _scaled(at: Point) -> Point:
    return at[0] * _SMOOTH, at[1] * _SMOOTH
