"""What Binance says when it will not do something."""


class Rejection(Exception):
    """A request that is turned down: Binance's code, its message and the status of HTTP.

    The codes stand in Binance's "Error codes for Binance"; the messages are its own.
    """

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def filtered(name: str) -> Rejection:
    """A filter of the symbol says no."""
    return Rejection(-1013, f"Filter failure: {name}")


def crowded(name: str) -> Rejection:
    """A filter that counts open orders says no: the matching engine's code, not the API's."""
    return Rejection(-2010, f"Filter failure: {name}")


def closed() -> Rejection:
    """The symbol is not traded now."""
    return Rejection(-1013, "Market is closed.")


def missing(name: str) -> Rejection:
    """A parameter is not there, or is no such thing as it should be."""
    return Rejection(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def illegal(name: str) -> Rejection:
    """A parameter holds characters that it may not hold."""
    return Rejection(-1100, f"Illegal characters found in parameter '{name}'.")


def insufficient() -> Rejection:
    """The account has not got what the order would spend."""
    return Rejection(-2010, "Account has insufficient balance for requested action.")


def unknown_symbol() -> Rejection:
    """Nothing is traded here under this name."""
    return Rejection(-1121, "Invalid symbol.")
