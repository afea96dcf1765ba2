"""What a repository should be set to, and what is to be done about it: tables of values."""

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from pipelines.domain.environment import Environment
from pipelines.domain.repository.declared import Declared, Gated, Merging
from pipelines.domain.repository.hosting import PI, Hosting, enforced
from pipelines.domain.repository.parts import (
    AllowedActions,
    CodeOwners,
    ForkApproval,
    Gate,
    Label,
    Part,
    People,
    PrivateForks,
    Ref,
    Ruleset,
    SecretNames,
)
from pipelines.domain.repository.planning import (
    Absent,
    ByHand,
    Create,
    Keep,
    Unknown,
    Unoffered,
    Unread,
    Update,
    plan,
)
from pipelines.domain.repository.wanted import Wanted, wanted
from pipelines.workflow import place

P = TypeVar("P", bound=Part)

PUBLIC = Hosting("octo", "train", False, False, None)
PRIVATE = replace(PUBLIC, private=True)
FREE, PRO, PAID = (replace(PRIVATE, plan=plan) for plan in ("free", "pro", "paid"))
LABEL = Label("strategy", "ffffff", "")


@pytest.fixture(scope="module")
def train(root: Path) -> dict[str, Environment]:
    return place.find(root, root).train("environments")


def of(kind: type[P], found: Wanted) -> dict[str, P]:
    return {part.what: part for part in found.parts if isinstance(part, kind)}


def test_everything_is_wanted_of_a_public_repository(train: dict[str, Environment]) -> None:
    found = wanted(Declared(), train, PUBLIC)
    assert found.gaps == ()
    assert list(of(Gate, found)) == [f"environment {n}" for n in ("prod", "sandbox", "test")]
    assert list(of(Ruleset, found)) == ["ruleset sluice main", "ruleset sluice tags"]
    assert list(of(ForkApproval, found)) == ["workflows of forks"]


@pytest.mark.parametrize(
    ("hosting", "gates", "rules", "unoffered", "unknown"),
    [
        (PUBLIC, 3, 2, 0, 0),
        (replace(PRIVATE, own_server=True), 3, 2, 0, 0),
        (replace(PRIVATE, plan="enterprise"), 3, 2, 0, 0),
        (PRO, 3, 2, 2, 0),
        (PAID, 3, 2, 0, 2),
        (FREE, 0, 0, 5, 0),
        (PRIVATE, 0, 0, 0, 5),
    ],
)
def test_what_a_plan_does_not_have_is_a_gap_and_what_nobody_knows_is_unknown(
    train: dict[str, Environment],
    hosting: Hosting,
    gates: int,
    rules: int,
    unoffered: int,
    unknown: int,
) -> None:
    found = wanted(Declared(), train, hosting)
    assert (len(of(Gate, found)), len(of(Ruleset, found))) == (gates, rules)
    actions = plan(found, {})
    assert sum(isinstance(each, Unoffered) for each in actions) == unoffered
    assert sum(isinstance(each, Unknown) for each in actions) == unknown + len(found.parts)


def test_a_gate_is_opened_by_main_or_by_the_tags_of_releases(
    train: dict[str, Environment],
) -> None:
    gates = of(Gate, wanted(Declared(), train, PUBLIC))
    refs = {name: [str(ref) for ref in gate.refs or ()] for name, gate in gates.items()}
    assert refs["environment test"] == ["branch main"]
    assert refs["environment prod"] == ["branch main", "tag *-v*", "tag v*"]
    assert refs["environment sandbox"] == refs["environment prod"]


def test_owners_let_jobs_into_what_trades_with_money(train: dict[str, Environment]) -> None:
    for owners in (("anna",), ("bert", "anna"), ("octo/team",)):
        gates = of(Gate, wanted(Declared(owners=owners), train, PUBLIC))
        people = {name: gate.people for name, gate in gates.items()}
        assert people["environment test"].reviewers == ()  # type: ignore[union-attr]
        prod, sandbox = people["environment prod"], people["environment sandbox"]
        assert prod
        assert sandbox
        assert prod.reviewers == sandbox.reviewers == tuple(sorted(owners))
        # Who halts is asked as well, and must not have to wait for somebody else.
        assert not prod.prevents_self_review


def test_the_file_goes_before_what_follows_from_the_train(train: dict[str, Environment]) -> None:
    said = Gated(reviewers=("bert",), prevents_self_review=True, wait_minutes=5, tags=("x-*",))
    own = Gated(branches=("main",), prevents_self_review=True, secrets=("PUBLISHES",))
    declared = Declared(environments={"prod": said, "data": own}, sealed_secrets=False)
    found = wanted(declared, train, PUBLIC)
    prod, data = (of(Gate, found)[f"environment {name}"] for name in ("prod", "data"))
    assert prod.people == People(("bert",), True, 5)
    assert [str(ref) for ref in prod.refs or ()] == ["branch main", "tag x-*"]
    # Nobody is asked, so nobody can be kept from answering himself.
    assert data == Gate("data", (Ref("branch", "main"),), People())
    secrets = {each.place: each.names for each in of(SecretNames, found).values()}
    assert secrets == {"prod": (), "sandbox": (), "test": (), "data": ("PUBLISHES",), "": ()}
    (gap,) = [
        each for each in wanted(declared, train, FREE).gaps if each.what == "environment data"
    ]
    assert gap.instead == "nobody: whoever may push can run its jobs"


@pytest.mark.parametrize(
    ("owners", "said", "reviews"),
    [
        ((), None, 0),
        (("anna",), None, 0),
        (("anna", "bert"), None, 1),
        (("o/t",), None, 1),
        (("anna",), 2, 2),
        (("anna", "bert"), 0, 0),
    ],
)
def test_a_review_is_asked_for_where_somebody_else_can_give_it(
    train: dict[str, Environment], owners: tuple[str, ...], said: int | None, reviews: int
) -> None:
    declared = Declared(owners=owners, merging=Merging(reviews=said))
    main = of(Ruleset, wanted(declared, train, PUBLIC))["ruleset sluice main"]
    assert main.reviews
    assert main.reviews.approvals == reviews
    assert main.reviews.by_code_owners is main.reviews.of_the_last_push is (reviews > 0)


def test_nobody_is_above_the_rules_and_tags_stay_where_they_are(
    train: dict[str, Environment],
) -> None:
    rules = of(Ruleset, wanted(Declared(), train, PUBLIC))
    tags, main = rules["ruleset sluice tags"], rules["ruleset sluice main"]
    assert tags.include == ("refs/tags/*-v*", "refs/tags/v*")
    assert set(tags.plain) == {"update", "deletion", "non_fast_forward"}
    assert tags.bypass == main.bypass == ()
    assert [(check.name, check.app) for check in main.checks] == [("Passed", 15368)]


def test_secrets_lie_in_their_environment_or_in_the_one_list_that_a_free_plan_has(
    train: dict[str, Environment],
) -> None:
    declared = Declared(environments={"test": Gated(secrets=("CI_KEY",))})
    keys = [f"{name}_EXCHANGE_{half}" for name in ("PROD", "SANDBOX") for half in ("KEY", "SECRET")]
    apart = {
        each.place: each.names for each in of(SecretNames, wanted(declared, train, PRO)).values()
    }
    assert apart == {
        "prod": tuple(keys[:2]),
        "sandbox": tuple(keys[2:]),
        "test": ("CI_KEY",),
        "": (),
    }
    together = of(SecretNames, wanted(declared, train, FREE)).values()
    assert [(each.place, each.names) for each in together] == [
        ("", tuple(sorted([*keys, "CI_KEY"])))
    ]


def test_an_account_of_its_own_has_secrets_of_its_own(train: dict[str, Environment]) -> None:
    prod = train["environments/prod.yaml"].model_copy(update={"accounts": {"trend": "trend"}})
    found = of(SecretNames, wanted(Declared(), {"prod": prod}, PUBLIC))["secrets of prod"]
    assert "PROD_TREND_EXCHANGE_KEY" in found.names
    assert "PROD_EXCHANGE_KEY" in found.names
    same = prod.model_copy(update={"name": "prod-trend", "account": "a", "accounts": {}})
    with pytest.raises(ValueError, match="two secrets would be called PROD_TREND_EXCHANGE_KEY"):
        wanted(Declared(), {"prod": prod, "same": same}, PUBLIC)


def test_a_private_repository_has_its_own_switch_for_forks_and_no_patterns(
    train: dict[str, Environment],
) -> None:
    declared = Declared(actions=("docker/*",))
    for hosting, kind, patterns in (
        (PUBLIC, ForkApproval, ("docker/*",)),
        (FREE, PrivateForks, ()),
    ):
        found = wanted(declared, train, hosting)
        assert of(kind, found)
        assert of(AllowedActions, found)["allowed actions"].patterns == patterns


NAMES = SecretNames("prod", ("A", "B"))


@pytest.mark.parametrize(
    ("part", "seen", "kind"),
    [
        (LABEL, LABEL, Keep),
        (LABEL, Absent(), Create),
        (LABEL, Label("strategy", "000000", ""), Update),
        (LABEL, Unread("403"), Unknown),
        (LABEL, None, Unknown),
        (NAMES, NAMES, Keep),
        (NAMES, SecretNames("prod", ("B", "C")), ByHand),
        (NAMES, Unread("404"), Unknown),
        (CodeOwners(("@a",)), CodeOwners(("@OWNER",)), Update),
        (CodeOwners(("@a",)), Absent(), ByHand),
        (CodeOwners(()), CodeOwners(("@OWNER",)), ByHand),
        (CodeOwners(()), CodeOwners(()), Keep),
    ],
)
def test_a_plan_says_what_is_to_be_done_and_never_passes_what_nobody_saw(
    part: Part, seen: Part | Absent | Unread | None, kind: type
) -> None:
    (action,) = plan(Wanted((part,), ()), {} if seen is None else {part.what: seen})
    assert type(action) is kind
    assert action.what == part.what


def test_names_of_secrets_that_lack_or_are_too_many_are_told_one_by_one() -> None:
    (action,) = plan(Wanted((NAMES,), ()), {NAMES.what: SecretNames("prod", ("B", "C"))})
    assert isinstance(action, ByHand)
    assert action.how == (
        "seal A and set it: gh secret set A --env prod",
        "nobody needs C: gh secret delete C --env prod",
    )


def test_who_enforces_what_is_said_for_every_plan() -> None:
    by = {name: dict(enforced(hosting)) for name, hosting in (("free", FREE), ("public", PUBLIC))}
    moved, person = "tags cannot be moved or deleted", "a person lets a job into an environment"
    assert by["free"][moved] == by["free"][person] == PI
    assert by["public"][moved].startswith("GitHub")
    assert "plan in environments/github.yaml" in dict(enforced(PRIVATE))[moved]
    assert all(rows["releases are signed, in order, and have soaked"] == PI for rows in by.values())
