"""The options that say what trading costs."""

from decimal import Decimal
from typing import Any

import click
import pytest
from click.testing import CliRunner

from pipelines.errors import BadInput
from runner.exchange.core.terms import Spread, Terms
from runner.exchange.costs import with_terms


def meant(*arguments: str) -> Terms:
    """What a command is told that has these options."""
    found: list[Terms] = []

    @click.command()
    @with_terms
    def command(terms: Terms) -> None:
        found.append(terms)

    told = CliRunner().invoke(command, arguments)
    if told.exception is not None:
        raise told.exception
    return found[0]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), {}),
        (("--fee", "0.002"), {"fee": Decimal("0.002")}),
        (("--volume-share", "0.5"), {"volume_share": Decimal("0.5")}),
        (("--spread", "1tick"), {"spread": Spread()}),
        (("--spread", "12ticks"), {"spread": Spread(ticks=12)}),
        (("--spread", "2.5bp"), {"spread": Spread(share=Decimal("0.00025"))}),
        (("--slippage", "20bp"), {"slippage": Decimal("0.002")}),
        (("--fee-asset", "BNB"), {"fee_asset": "BNB"}),
        (("--fee-discount", "0"), {"discount": Decimal(0)}),
        (("--seed", "7"), {"seed": 7}),
    ],
)
def test_options_say_what_trading_costs(arguments: tuple[str, ...], expected: Any) -> None:
    assert meant(*arguments) == Terms(**expected)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--fee", "1.01"),
        ("--fee", "a lot"),
        ("--volume-share", "-0.1"),
        ("--fee-discount", "25%"),
        ("--spread", "0ticks"),
        ("--spread", "5"),
        ("--spread", "5001bp"),
        ("--slippage", "3ticks"),
        ("--slippage", "-1bp"),
        ("--slippage", "0.00001bp"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_option(option: str, value: str) -> None:
    with pytest.raises(BadInput, match=f"{option}: should be .*got '{value}'"):
        meant(option, value)
