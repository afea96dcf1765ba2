"""What may be written down as a promotion, and what a policy may say."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines import documents
from pipelines.domain.promotion import (
    Approval,
    ApprovalStatement,
    Kind,
    Promotion,
    PromotionPolicy,
    Soak,
    strategy_of,
    version_of,
)
from pipelines.errors import BadInput

DIGEST = "3f9c2a1b" + "0" * 56
RELEASE = "calm@1.4.0+3f9c2a1b"
AT = datetime(2026, 1, 1, tzinfo=UTC)


def read(text: str) -> PromotionPolicy:
    return documents.parse(text.encode(), PromotionPolicy, "prod.yaml")


@pytest.mark.parametrize(
    ("written", "hours"),
    [
        ("{days: 14, trades: 30}", Decimal(336)),
        ("{hours: 6, trades: 3}", Decimal(6)),
        ("{days: 0.5, trades: 0}", Decimal(12)),
    ],
)
def test_a_soak_is_read_in_days_or_in_hours(written: str, hours: Decimal) -> None:
    policy = read(f"upstream: test\napproval: tag\nsoak: {written}\n")
    assert policy.soak is not None
    assert policy.soak.hours == hours
    assert policy.soak.time == timedelta(hours=float(hours))


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("{days: 1, hours: 24, trades: 3}", "soak: should have either days or hours"),
        ("{trades: 3}", "soak: should have either days or hours"),
        ("{days: -1, trades: 3}", "days should be a number of at least 0, got -1"),
        ("{days: true, trades: 3}", "days should be a number of at least 0, got True"),
        ("{hours: .nan, trades: 3}", "is no finite number"),
        ("{days: 1}", "soak.trades: is missing"),
        ("{days: 1, trades: -1}", "soak.trades: should be at least 0"),
        ("[1, 2]", "soak: should be keys and values"),
    ],
)
def test_refuses_a_soak_that_says_nothing_clear(written: str, complaint: str) -> None:
    with pytest.raises(BadInput, match=r"prod\.yaml") as caught:
        read(f"upstream: test\napproval: tag\nsoak: {written}\n")
    assert complaint in caught.value.message


def test_refuses_a_soak_without_a_place_to_soak() -> None:
    with pytest.raises(BadInput, match="a soak needs an upstream"):
        read("approval: tag\nsoak: {days: 1, trades: 3}\n")


def test_a_soak_reads_back_what_it_wrote() -> None:
    soak = Soak.model_validate_json('{"days": 1.5, "trades": 3}')
    assert Soak.model_validate_json(soak.canonical()) == soak


def promotion(**changed: Any) -> Promotion:
    said: dict[str, Any] = {
        "kind": Kind.PROMOTE,
        "environment": "test",
        "strategy": "calm",
        "release": RELEASE,
        "digest": DIGEST,
        "by": "ada",
        "at": AT,
    }
    return Promotion(**said | changed)


def test_a_promotion_names_one_release() -> None:
    assert promotion().stake == 100
    assert promotion(kind=Kind.RETIRE, release=None, digest=None).release is None


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"digest": "0" * 64}, "is not the id of a release with the digest"),
        ({"release": None}, "a promote names a release"),
        ({"kind": Kind.ROLLBACK, "digest": None}, "a rollback names a release"),
        ({"kind": Kind.RETIRE}, "names no release"),
        ({"strategy": "wild"}, "is no release of wild"),
        ({"strategy": "*"}, "should match"),
        ({"release": "calm@latest"}, "should match"),
        ({"release": "calm@01.4.0+3f9c2a1b"}, "should match"),
        ({"release": "calm@1.٤.0+3f9c2a1b"}, "should match"),
        ({"release": f"{RELEASE}\n"}, "should match"),
        ({"environment": "prod\n"}, "should match"),
        ({"at": datetime(2026, 1, 1)}, "timezone"),  # noqa: DTZ001
        ({"stake": 0}, "greater than or equal to 1"),
        ({"step": 0}, "greater than or equal to 1"),
    ],
)
def test_refuses_a_promotion_that_contradicts_itself(
    changed: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        promotion(**changed)


def test_what_is_signed_names_the_release_by_id_and_digest_alike() -> None:
    with pytest.raises(ValidationError, match="is not the id"):
        ApprovalStatement(
            environment="prod",
            release=RELEASE,
            digest="0" * 64,
            predecessor=None,
            sequence=1,
            expires=AT,
        )


def test_an_id_tells_strategy_and_version() -> None:
    assert strategy_of(RELEASE) == "calm"
    assert version_of("calm@1.10.0+3f9c2a1b") > version_of("calm@1.9.0+3f9c2a1b")


def test_every_way_to_agree_has_its_word() -> None:
    assert [each.value for each in Approval] == ["merge", "tag", "signed", "automatic"]
