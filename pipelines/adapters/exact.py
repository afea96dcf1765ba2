"""Documents that Sluice wrote and others may have touched: read to the byte, or refused."""

from typing import TypeVar

from pydantic import ValidationError

from pipelines.domain.document import Document
from pipelines.errors import Refused

D = TypeVar("D", bound=Document)

AGAIN = "get it again, or pack it again with 'sluice pack'"


def read(model: type[D], content: bytes, where: str) -> D:
    """The document in its one spelling.

    What says the same in other bytes is refused: it would pass for two different documents.

    :raises Refused: when it is anything else.
    """
    try:
        found = model.model_validate_json(content)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]
        key = ".".join(map(str, said["loc"]))
        reason = said["msg"].removeprefix("Value error, ")
        raise Refused(": ".join(filter(None, (where, key, reason))), AGAIN) from None
    if found.canonical() != content:
        raise Refused(f"{where}: is not as packing writes it", AGAIN)
    return found
