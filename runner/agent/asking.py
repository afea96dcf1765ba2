"""Asks the exchange itself about an account, with the key of that account: ccxt as it is."""

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

from pipelines.domain.candles import TradingMode
from pipelines.domain.clearance import Answer, NotAccepted, Rights, Unread
from pipelines.errors import CannotTell, Refused
from pipelines.freqtrade import exchanges

TIMEOUT_SECONDS = 5.0
"""How long the exchange may say nothing: whatever else the agent has to do waits."""

_MOVES = ("enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer")
_QUERY = re.compile(r"\?\S*")


@dataclass(frozen=True)
class Asking:
    """One account. `api` is ccxt's class for the exchange."""

    api: Any

    def rights(self) -> Answer:
        """What the key may do."""
        if not hasattr(self.api, "sapi_get_account_apirestrictions"):
            return Unread(f"{self.api.id} has no way to ask", never=True)
        try:
            return _rights(self._ask("sapi_get_account_apirestrictions"))
        except Refused as error:
            return NotAccepted(error.message)
        except CannotTell as error:
            return Unread(error.message)

    def holds(self, currency: str) -> Decimal | None:
        """What the account has of a currency, bound by orders or not; None when nobody can tell."""
        try:
            # Without it ccxt asks for everything that is traded there.
            self.api.set_markets([])
            return Decimal(str(self._ask("fetch_balance")["total"].get(currency, 0)))
        except (Refused, CannotTell, ArithmeticError, LookupError, TypeError):
            return None

    def _ask(self, method: str) -> Any:
        """
        :raises Refused: when the exchange does not accept the key.
        :raises CannotTell: when it does not answer.
        """
        exchanges.put_off()
        from ccxt.base import errors

        # ccxt changes how the whole process rounds.
        with localcontext():
            try:
                try:
                    return getattr(self.api, method)()
                except errors.InvalidNonce:
                    # Its time is not ours: that of a rehearsal moves in steps.
                    self.api.load_time_difference()
                    return getattr(self.api, method)()
            except (errors.AuthenticationError, errors.PermissionDenied) as error:
                raise Refused(_told(error)) from None
            except (errors.BaseError, ArithmeticError, LookupError, TypeError, ValueError) as error:
                raise CannotTell(_told(error)) from None


def asking(
    exchange: Mapping[str, Any], key: str, secret: str, password: str, trading_mode: TradingMode
) -> Asking:
    """Somebody who asks. `exchange` is freqtrade's part of that name, with `ccxt_config`.

    :raises CannotTell: when ccxt does not know the exchange.
    """
    exchanges.put_off()
    import ccxt

    name = str(exchange.get("name", ""))
    if name not in ccxt.exchanges:
        raise CannotTell(f"ccxt knows no exchange {name}")
    given = deepcopy(dict(exchange.get("ccxt_config", {})))
    usual = {
        "defaultType": "swap" if trading_mode == "futures" else "spot",
        "fetchMargins": False,
        "fetchCurrencies": False,
    }
    more = {
        "options": given.get("options", {}) | usual,
        "apiKey": key,
        "secret": secret,
        "password": password,
        "number": Decimal,
        "timeout": int(TIMEOUT_SECONDS * 1000),
        "enableRateLimit": False,
    }
    with localcontext():
        return Asking(getattr(ccxt, name)(given | more))


def _rights(told: Any) -> Rights:
    """
    :raises CannotTell: when anything is missing: what is not said is never taken for a no.
    """
    names = (*_MOVES, "enableSpotAndMarginTrading", "enableFutures", "ipRestrict")
    said = {name: told.get(name) if isinstance(told, Mapping) else None for name in names}
    if missing := [name for name, value in said.items() if not isinstance(value, bool)]:
        raise CannotTell(f"the answer does not say {', '.join(missing)}")
    return Rights(
        moves=tuple(name for name in _MOVES if said[name]),
        spot=bool(said["enableSpotAndMarginTrading"]),
        futures=bool(said["enableFutures"]),
        bound=bool(said["ipRestrict"]),
    )


def _told(error: Exception) -> str:
    """What went wrong, without the address: what is signed stands in there."""
    text = _QUERY.sub("", str(error)).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
