"""The options of `serve` that say what trading costs, and how much may be traded."""

import functools
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import click

from pipelines.errors import BadInput
from runner.exchange.core.terms import Spread, Terms

_OPTIONS = (
    click.option("--fee", default="0.001", show_default=True, help="As a share, 0.001 is 0.1 %."),
    click.option(
        "--fee-asset", default="", metavar="ASSET", help="Who has it pays fees in it, as in BNB."
    ),
    click.option(
        "--fee-discount",
        default="0.25",
        show_default=True,
        help="How much less a fee is in that asset, as a share.",
    ),
    click.option(
        "--spread",
        default="1tick",
        show_default=True,
        help="Between what the market buys and sells at: in ticks, or basis points as in 5bp.",
    ),
    click.option(
        "--slippage",
        default="0bp",
        show_default=True,
        help="What an order that takes all that may be taken of a candle moves the price by.",
    ),
    click.option(
        "--volume-share",
        default="0.1",
        show_default=True,
        help="How much of a candle's volume all orders together may take.",
    ),
    click.option(
        "--seed", type=int, help="Draw each candle's spread and volume; the same for a seed."
    ),
)


def with_terms(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options, and what they mean as its parameter `terms`."""

    @functools.wraps(command)
    def told(
        *,
        fee: str,
        fee_asset: str,
        fee_discount: str,
        spread: str,
        slippage: str,
        volume_share: str,
        seed: int | None,
        **others: Any,
    ) -> None:
        terms = Terms(
            fee=_share("--fee", fee),
            volume_share=_share("--volume-share", volume_share),
            spread=_spread(spread),
            slippage=_basis_points("--slippage", slippage),
            fee_asset=fee_asset,
            discount=_share("--fee-discount", fee_discount),
            seed=seed,
        )
        command(terms=terms, **others)

    for option in reversed(_OPTIONS):
        told = option(told)
    return told


def _share(option: str, text: str) -> Decimal:
    try:
        share = Decimal(text)
    except InvalidOperation:
        share = Decimal(-1)
    if not 0 <= share <= 1:
        raise BadInput(f"{option}: should be a share between 0 and 1, got {text!r}")
    return share


def _spread(text: str) -> Spread:
    if found := re.fullmatch(r"([1-9]\d{0,5})ticks?", text):
        return Spread(ticks=int(found[1]))
    if text.endswith("bp"):
        return Spread(share=_basis_points("--spread", text))
    raise BadInput(f"--spread: should be written as 2ticks or 5bp, got {text!r}")


def _basis_points(option: str, text: str) -> Decimal:
    """Hundredths of a percent as a share, up to half of the price."""
    found = re.fullmatch(r"(\d{1,4}(?:\.\d{1,4})?)bp", text)
    if not found or Decimal(found[1]) > 5000:
        raise BadInput(f"{option}: should be basis points up to 5000bp, as in 5bp, got {text!r}")
    return Decimal(found[1]) / 10_000
