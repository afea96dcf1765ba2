"""The commands that change a running exchange: accounts and faults."""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import cast, get_args

import click

from pipelines.errors import BadInput
from runner.exchange import remote
from runner.exchange.core.faults import FaultName
from runner.exchange.core.orders import Permission
from runner.exchange.messages import Clear, Fault, NewAccount, NewKey, Ready, State

_FILE = click.Path(dir_okay=False, path_type=Path)
_NAMES = (*get_args(FaultName), "clear")
ACCOUNT = "NAME:KEY:SECRET[:ASSET=AMOUNT|:ip=ADDRESS|:may=PERMISSION]..."
_IN_FUTURES = "futures."
"""`futures.USDT=1000` is money in the futures wallet."""

_SPAN = re.compile(r"(-?\d{1,9})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

with_ready_file = click.option(
    "--ready-file",
    type=_FILE,
    envvar="SLUICE_EXCHANGE",
    required=True,
    help="The file that 'serve' wrote (SLUICE_EXCHANGE).",
)
with_json = click.option("--json", "as_json", is_flag=True, help="One line for machines.")


def ask(ready_file: Path, as_json: bool, send: Callable[[Ready], State]) -> None:
    """Send something to the exchange, and print how it stands then."""
    told = send(remote.located(ready_file))
    if as_json:
        click.echo(told.model_dump_json())
        return
    runs = f", x{told.speed}" if told.clock == "scaled" else ""
    click.echo(f"{told.now:%Y-%m-%d %H:%M:%S} UTC{runs}, {told.open_orders} open orders")
    for name, held in told.accounts.items():
        each = (f"{held[asset].free + held[asset].locked} {asset}" for asset in held)
        click.echo(f"{name}: {', '.join(each) or 'nothing'}")
    for name, wallet in told.futures.wallets.items() if told.futures else ():
        for asset, amount in wallet.items():
            click.echo(f"{name}: {amount} {asset} in futures")
    for fault in told.faults:
        whom = " ".join(part for part in (fault.account, fault.symbol, fault.side) if part)
        often = "" if fault.left is None else f", {fault.left} times"
        until = "" if fault.until is None else f", until {fault.until:%Y-%m-%d %H:%M:%S}"
        click.echo(f"fault {fault.name}{f' for {whom}' if whom else ''}{often}{until}")


@click.group()
def account() -> None:
    """Accounts of the exchange."""


@account.command()
@click.argument("text", metavar=ACCOUNT)
@click.option(
    "--permission",
    "permissions",
    type=click.Choice(get_args(Permission)),
    multiple=True,
    help="What the key may do; may be given again. By default trade, and futures with money there.",
)
@click.option("--ip", "addresses", multiple=True, help="An address that the key may be used from.")
@with_ready_file
@with_json
def add(
    text: str,
    permissions: tuple[Permission, ...],
    addresses: tuple[str, ...],
    ready_file: Path,
    as_json: bool,
) -> None:
    """Open an account with money in it."""
    told = parsed_account(text)
    allowed = {
        "permissions": (*(told.permissions or ()), *permissions) or None,
        "addresses": (*told.addresses, *addresses),
    }
    opened = told.model_copy(update=allowed)
    ask(ready_file, as_json, lambda ready: remote.ask(ready, "account", opened))


@account.command("key")
@click.argument("text", metavar="NAME:KEY:SECRET")
@with_ready_file
@with_json
def key_(text: str, ready_file: Path, as_json: bool) -> None:
    """Give an account another key; the one that it had is gone."""
    told = parsed_account(text)
    changed = NewKey(name=told.name, key=told.key, secret=told.secret)
    ask(ready_file, as_json, lambda ready: remote.ask(ready, "key", changed))


@click.command()
@click.argument("name", type=click.Choice(_NAMES))
@click.option("--times", type=click.IntRange(0), help="How often; 0 ends it.")
@click.option("--for", "span", help="How long by the exchange's clock: 30s, 5m, 1h, 2d.")
@click.option("--account", default="", help="For this account only.")
@click.option("--symbol", default="", help="For this symbol only.")
@click.option("--side", type=click.Choice(["buy", "sell"]), default=None)
@click.option("--by", help="How far: -10% of the price, 1h of the clock.")
@click.option("--share", help="Which share of the order is filled, like 0.3.")
@click.option("--code", type=click.Choice(["-2010", "-1013"]), default=None)
@with_ready_file
@with_json
def fault(
    name: str,
    times: int | None,
    span: str | None,
    account: str,
    symbol: str,
    side: str | None,
    by: str | None,
    share: str | None,
    code: str | None,
    ready_file: Path,
    as_json: bool,
) -> None:
    """Let a fault happen; 'sluice docs exchange' explains each. 'clear' ends all of them."""
    if name == "clear":
        ask(ready_file, as_json, lambda ready: remote.ask(ready, "clear", Clear()))
        return
    # The document itself refuses what click cannot: options stand for several faults.
    given = {
        "name": name,
        "times": times,
        "seconds": None if span is None else _seconds("--for", span),
        "account": account,
        "symbol": symbol.partition(":")[0].replace("/", ""),
        "side": (side or "").upper(),
        "by": _amount(by, share),
        "code": None if code is None else int(code),
    }
    asked = Fault.model_validate(given)
    ask(ready_file, as_json, lambda ready: remote.ask(ready, "fault", asked))


def parsed_account(text: str) -> NewAccount:
    """An account as it is written on the command line, like `ACCOUNT`.

    :raises BadInput: when it is written otherwise.
    """
    parts = text.split(":")
    hint = "write it as alice:key:secret:USDT=1000:ip=127.0.0.1:may=trade"
    if len(parts) < 3 or not all(parts[:3]):
        raise BadInput("--account: should have a name, a key and a secret", hint)
    funds: dict[str, Decimal] = {}
    futures: dict[str, Decimal] = {}
    allowed: dict[str, list[str]] = {"ip": [], "may": []}
    for part in parts[3:]:
        asset, _, amount = part.partition("=")
        if asset in allowed:
            allowed[asset].append(amount)
            continue
        wallet = futures if asset.startswith(_IN_FUTURES) else funds
        try:
            wallet[asset.removeprefix(_IN_FUTURES)] = Decimal(amount)
        except InvalidOperation:
            raise BadInput(f"--account: {part!r} is no amount of an asset", hint) from None
    if unknown := sorted({*allowed["may"]} - {*get_args(Permission)}):
        raise BadInput(f"--account: may={unknown[0]}: there is no such permission", hint)
    return NewAccount(
        name=parts[0],
        key=parts[1],
        secret=parts[2],
        permissions=cast(tuple[Permission, ...], tuple(allowed["may"])) or None,
        addresses=tuple(allowed["ip"]),
        funds=funds,
        futures=futures,
    )


def _seconds(option: str, text: str) -> int:
    found = _SPAN.fullmatch(text)
    if found is None or (option == "--for" and int(found[1]) < 1):
        raise BadInput(f"{option}: should be a span of time, got {text!r}", "write it as 30s or 1h")
    return int(found[1]) * _SECONDS[found[2]]


def _amount(by: str | None, share: str | None) -> Decimal | None:
    """A share, a percentage as a share, or a span of time in milliseconds."""
    if by and share:
        raise BadInput("--share: cannot stand beside --by")
    if by and _SPAN.fullmatch(by):
        return Decimal(_seconds("--by", by) * 1000)
    if by:
        return _decimal("--by", by, "-10% or 1h", by.removesuffix("%") if "%" in by else "") / 100
    return _decimal("--share", share, "0.3", share) if share else None


def _decimal(option: str, given: str, form: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise BadInput(f"{option}: should look like {form}, got {given!r}")
    return number
