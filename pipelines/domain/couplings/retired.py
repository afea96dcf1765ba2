"""Keys that an environment's file once had, or that people know from elsewhere."""

_FREQTRADE = "an environment holds none of freqtrade's keys, so that none can contradict it"

RETIRED: dict[str, str] = {
    "exchange": "since environments name their account too, write 'exchange: {name: binance}'",
    "strategy": "every release that is promoted here runs here: 'sluice promote'",
    "dry_run": f"write 'mode: dry_run' or 'mode: live': {_FREQTRADE}",
    "dry_run_wallet": f"write 'portfolio.starting_balance': {_FREQTRADE}",
    "stake_currency": f"write 'portfolio.stake_currency': {_FREQTRADE}",
    "stake_amount": f"write 'portfolio.stake': {_FREQTRADE}",
    "max_open_trades": f"write 'portfolio.max_open_trades': {_FREQTRADE}",
    "available_capital": f"write 'portfolio.available_capital': {_FREQTRADE}",
    "tradable_balance_ratio": f"write 'portfolio.available_capital': {_FREQTRADE}",
    "db_url": "every bot has a database of its own, named by environment, strategy and mode",
    "api_server": "every bot listens on loopback only, with credentials that the agent makes",
    "telegram": "no bot asks Telegram, the agent does: 'sluice docs telegram'",
    "edge": "freqtrade itself has no edge any more: take it out",
    "exchange.key": "a key never stands in a file: 'sluice secrets set'",
    "exchange.api_key": "a key never stands in a file: 'sluice secrets set'",
    "exchange.secret": "a secret never stands in a file: 'sluice secrets set'",
    "exchange.password": "a password never stands in a file: 'sluice secrets set'",
    "exchange.ccxt_config": "what ccxt is made with is derived from 'exchange'",
    "exchange.pair_whitelist": "pairs are the strategy's: 'pairs' in its strategy.yaml",
}
"""What to write in their place."""
