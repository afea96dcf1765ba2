"""What a strategy said about candles, and assertions that read well when they fail."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Signals:
    """The candles with every column that the strategy added.

    Rows are counted from 0. `after` and `before` bound them as in a slice: at or after the one,
    before the other.
    """

    frame: pd.DataFrame

    @property
    def entries(self) -> tuple[int, ...]:
        """The rows with an entry, long or short."""
        return self._rows("enter_long", "enter_short")

    @property
    def exits(self) -> tuple[int, ...]:
        """The rows with an exit, long or short."""
        return self._rows("exit_long", "exit_short")

    @property
    def tags(self) -> dict[int, str]:
        """The tag of every row with an entry."""
        return self._tags("enter_tag", self.entries)

    @property
    def exit_tags(self) -> dict[int, str]:
        """The tag of every row with an exit."""
        return self._tags("exit_tag", self.exits)

    def assert_enters(
        self, after: int = 0, before: int | None = None, tag: str | None = None
    ) -> int:
        """The first row with an entry between these rows, with that tag where one is named."""
        __tracebackhide__ = True
        return self._first("entry", self.entries, self.tags, after, before, tag)

    def assert_exits(
        self, after: int = 0, before: int | None = None, tag: str | None = None
    ) -> int:
        """The first row with an exit between these rows, with that tag where one is named."""
        __tracebackhide__ = True
        return self._first("exit", self.exits, self.exit_tags, after, before, tag)

    def assert_never_enters(self, after: int = 0, before: int | None = None) -> None:
        """No entry between these rows."""
        __tracebackhide__ = True
        self._none("entry", self.entries, self.tags, after, before)

    def assert_never_exits(self, after: int = 0, before: int | None = None) -> None:
        """No exit between these rows."""
        __tracebackhide__ = True
        self._none("exit", self.exits, self.exit_tags, after, before)

    def assert_tag(self, tag: str, row: int | None = None) -> None:
        """The entry at that row carries the tag; without a row there are entries, and all do."""
        __tracebackhide__ = True
        rows = self.entries if row is None else (row,)
        if not rows:
            raise AssertionError(f"no entry at all, so none is tagged {tag!r}")
        for each in rows:
            if each not in self.entries:
                raise AssertionError(f"no entry at {self._at(each)}; {self._heard(self.tags)}")
            if self.tags[each] != tag:
                raise AssertionError(
                    f"the entry at {self._at(each)} is tagged {self.tags[each]!r}, not {tag!r}"
                )

    def _first(
        self,
        kind: str,
        rows: tuple[int, ...],
        tags: dict[int, str],
        after: int,
        before: int | None,
        tag: str | None,
    ) -> int:
        __tracebackhide__ = True
        inside = [row for row in rows if after <= row and (before is None or row < before)]
        for row in inside:
            if tag is None or tags[row] == tag:
                return row
        tagged = f" tagged {tag!r}" if tag is not None else ""
        raise AssertionError(
            f"no {kind}{tagged} {_between(after, before)} of {len(self.frame)} rows; "
            f"{self._heard(tags)}"
        )

    def _none(
        self,
        kind: str,
        rows: tuple[int, ...],
        tags: dict[int, str],
        after: int,
        before: int | None,
    ) -> None:
        __tracebackhide__ = True
        inside = [row for row in rows if after <= row and (before is None or row < before)]
        if inside:
            raise AssertionError(
                f"{len(inside)} {'signal' if len(inside) == 1 else 'signals'} of {kind} "
                f"{_between(after, before)}, the first at {self._at(inside[0])}"
                + (f", tagged {tags[inside[0]]!r}" if tags[inside[0]] else "")
            )

    def _rows(self, *columns: str) -> tuple[int, ...]:
        said = pd.Series(False, index=range(len(self.frame)))
        for column in columns:
            if column in self.frame.columns:
                said |= (self.frame[column] == 1).to_numpy(dtype=bool)
        return tuple(int(row) for row in said[said].index)

    def _tags(self, column: str, rows: tuple[int, ...]) -> dict[int, str]:
        if column not in self.frame.columns:
            return dict.fromkeys(rows, "")
        tags = self.frame[column]
        return {row: "" if pd.isna(tags.iloc[row]) else str(tags.iloc[row]) for row in rows}

    def _at(self, row: int) -> str:
        if not 0 <= row < len(self.frame):
            return f"row {row}, which is outside the candles"
        candle = self.frame.iloc[row]
        return f"row {row} ({candle['date']:%Y-%m-%d %H:%M}, close {candle['close']:.6g})"

    def _heard(self, tags: dict[int, str]) -> str:
        if not tags:
            return "there is none anywhere"
        shown = [f"{row} {tag!r}" if tag else f"{row}" for row, tag in list(tags.items())[:5]]
        more = f" and {len(tags) - 5} more" if len(tags) > 5 else ""
        return f"there are some at row {', '.join(shown)}{more}"


def _between(after: int, before: int | None) -> str:
    if before is None:
        return f"at or after row {after}" if after else "on any"
    return f"from row {after} to row {before - 1}"
