"""A running exchange, from outside: its control port."""

from pathlib import Path

import httpx

from pipelines.documents import load_json
from pipelines.domain.document import Document
from pipelines.errors import BadInput, CannotTell, Problem
from runner.exchange.messages import AccountBook, Ready, State, Whose

_SECONDS = 120.0


def located(ready_file: Path) -> Ready:
    """Where the exchange is that wrote this file.

    :raises BadInput: when there is no such file.
    """
    if not ready_file.is_file():
        hint = "'sluice-exchange serve --ready-file FILE' writes it"
        raise Problem(str(ready_file), "there is no such file", hint=hint)
    return load_json(ready_file, Ready)


def ask(ready: Ready, verb: str, message: Document | None = None) -> State:
    """Send a message to the control port, and get the state after it.

    :raises BadInput: when the exchange does not do it.
    :raises CannotTell: when nobody answers.
    """
    return State.model_validate_json(_answer(ready, verb, message))


def book(ready: Ready, key: str) -> AccountBook:
    """What the exchange's book knows of the account that a key belongs to.

    :raises BadInput: when nobody has this key.
    :raises CannotTell: when nobody answers.
    """
    return AccountBook.model_validate_json(_answer(ready, "book", Whose(key=key)))


def book_of(ready: Ready, account: str) -> AccountBook:
    """What the exchange's book knows of the account of this name.

    :raises BadInput: when there is none.
    :raises CannotTell: when nobody answers.
    """
    return AccountBook.model_validate_json(_answer(ready, "book", Whose(account=account)))


def _answer(ready: Ready, verb: str, message: Document | None) -> bytes:
    headers = {"Authorization": f"Bearer {ready.control_token}"}
    url = f"{ready.control_url}/{verb}"
    try:
        # No proxy of the environment stands between two processes of one machine.
        # And no TLS: to read the certificates for it takes longer than all the rest.
        with httpx.Client(
            headers=headers, timeout=_SECONDS, trust_env=False, verify=False
        ) as client:
            if message is None:
                answer = client.get(url)
            else:
                answer = client.post(url, content=message.model_dump_json())
    except httpx.HTTPError as error:
        hint = "is 'sluice-exchange serve' running?"
        raise CannotTell(f"{ready.control_url}: {error}", hint) from None
    if answer.status_code != httpx.codes.OK:
        told = answer.json()
        raise BadInput(told["error"], told["hint"])
    return answer.content
