"""The rehearsal exchange: Binance's API on loopback, replaying candles, with real books."""


def main() -> None:
    """Run `sluice-exchange`."""
    from runner.exchange.cli import main as run

    run()
