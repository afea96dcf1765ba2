"""What a source settles about prices: whatever may be otherwise is left open."""

import pytest

from pipelines.domain.pricing import Pricing, pricing
from pipelines.domain.strategy import Manifest, SourceFile, Strategy

MANIFEST = Manifest.model_validate_json(
    '{"class": "Plugin", "version": "1.0.0", "owner": "us", "summary": "x",'
    ' "pairs": ["BTC/USDT"], "timeframe": "1h", "handover": "drain"}'
)
BODY = "from freqtrade.strategy import IStrategy\nclass Plugin(IStrategy):\n    "
SETTLED = 'stoploss = -0.1\n    minimal_roi = {"60": 0.01, "0": 0.05}\n    '


def of(body: str, **others: str) -> Pricing:
    files = {"plugin/strategy.py": BODY + SETTLED + body}
    files |= {path.replace("__", "/").replace("_json", ".json"): t for path, t in others.items()}
    sources = tuple(SourceFile(path, text.encode()) for path, text in files.items())
    return pricing(Strategy("plugin", MANIFEST, sources))


def test_a_plain_strategy_settles_everything() -> None:
    assert of("pass") == Pricing(
        free_entries=False,
        free_exits=False,
        free_stakes=False,
        adjusts=False,
        stop=0.1,
        trail=None,
        roi=((0, 0.05), (60, 0.01)),
    )


@pytest.mark.parametrize(
    ("body", "open_"),
    [
        ("def custom_entry_price(self): pass", "free_entries"),
        ("adjust_entry_price = other", "free_entries"),
        ("def adjust_order_price(self): pass", "free_exits"),
        ("def custom_exit_price(self): pass", "free_exits"),
        ("setattr(IStrategy, 'custom_exit_price', 1)", "free_exits"),
        ("def custom_stake_amount(self): pass", "free_stakes"),
        ("position_adjustment_enable = True", "adjusts"),
        ("def adjust_trade_position(self): pass", "adjusts"),
        ("position_adjustment_enable = True", "free_stakes"),
    ],
)
def test_a_callback_that_is_named_leaves_it_open(body: str, open_: str) -> None:
    assert getattr(of(body), open_) is True


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("def custom_stoploss(self): pass", "stop"),
        ("def f(self): self.stoploss = -0.5", "stop"),
        ("trailing_stop = True; trailing_stop_positive = X", "stop"),
        ("trailing_stop = X; trailing_stop_positive_offset = Y", "stop"),
        ("use_custom_roi = True", "roi"),
        ("def f(self): self.minimal_roi = {}", "roi"),
    ],
)
def test_what_may_change_is_not_settled(body: str, name: str) -> None:
    assert getattr(of(body), name) is None


@pytest.mark.parametrize(
    ("body", "stop", "trail", "offset"),
    [
        ("trailing_stop = False", 0.1, None, 0.0),
        ("trailing_stop = True", 0.1, 0.1, 0.0),
        ("trailing_stop = True; trailing_stop_positive = 0.02", 0.1, 0.02, 0.0),
        (
            "trailing_stop = True; trailing_stop_positive = 0.2; "
            "trailing_stop_positive_offset = 0.3",
            0.1,
            0.1,
            0.3,
        ),
    ],
)
def test_a_trailing_stop_is_as_close_as_it_can_get(
    body: str, stop: float, trail: float | None, offset: float
) -> None:
    told = of(body)
    assert (told.stop, told.trail, told.offset) == (stop, trail, offset)


def test_exported_parameters_leave_open_what_they_set() -> None:
    exported = '{"params": {"roi": {"0": 0.1}, "stoploss": {"stoploss": -0.3}}}'
    told = of("pass", plugin__strategy_json=exported)
    assert (told.stop, told.roi) == (None, None)


def test_what_cannot_be_read_settles_nothing() -> None:
    assert of("def (:") == Pricing()


def test_a_test_of_the_plugin_leaves_nothing_open() -> None:
    named = SourceFile("plugin/test_a.py", b"strategy.custom_entry_price = 1")
    source = SourceFile("plugin/strategy.py", (BODY + SETTLED + "pass").encode())
    assert not pricing(Strategy("plugin", MANIFEST, (source, named))).free_entries
