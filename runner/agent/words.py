"""How requests and answers of the agent are worded."""

import base64
import binascii
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import JsonValue, ValidationError

from pipelines.adapters.agent import Asked, Said
from pipelines.adapters.approvals import TrustedKey
from pipelines.domain.candidate import Reason
from pipelines.domain.document import Document
from pipelines.domain.environment import Environment
from pipelines.domain.trust import Role
from pipelines.errors import BadInput, Refused
from runner.agent.declared import Declared

D = TypeVar("D", bound=Document)


def read(asked: Asked, model: type[D]) -> D:
    """What is asked, as its verb has it.

    :raises BadInput: when it is written otherwise.
    """
    try:
        return model.model_validate(asked.args, strict=False)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{asked.verb}: {key}: {first['msg'].lower()}") from None


def json(document: Document) -> JsonValue:
    """What an answer says."""
    told: JsonValue = document.model_dump(mode="json")
    return told


def decoded(text: str, what: str) -> bytes:
    """Bytes that came as base64.

    :raises BadInput: when they did not.
    """
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise BadInput(f"deliver: {what}: should be base64") from None


def called(environment: Environment) -> str:
    """What trust.yaml calls an environment."""
    return f"demo/{environment.name}" if environment.demo else environment.name


def approvers(train: Declared, environment: Environment) -> tuple[TrustedKey, ...]:
    """Whose signature allows a promotion into an environment, now."""
    now, name = datetime.now(UTC), called(environment)
    return tuple(
        TrustedKey(called, key.key)
        for called, key in (train.trust.listed or {}).items()
        if key.role is Role.APPROVER and name in key.environments and not key.objections(now, now)
    )


def refused(reasons: tuple[Reason, ...]) -> Refused:
    """The refusal that says every reason."""
    hint = next((reason.hint for reason in reasons if reason.hint), "see 'sluice docs promotion'")
    return Refused("\n".join(f"{each.because}: {each.text}" for each in reasons), hint)


def said(reasons: tuple[Reason, ...]) -> tuple[Said, ...]:
    """Reasons as an answer tells them."""
    return tuple(Said(because=r.because, text=r.text, hint=r.hint) for r in reasons)
