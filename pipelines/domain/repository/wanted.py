"""What a repository should be set to: the file `environments/github.yaml` and the train's own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.domain.couplings.host import wanted as secrets_of
from pipelines.domain.environment import Environment
from pipelines.domain.promotion import Approval
from pipelines.domain.repository.declared import Declared, Gated
from pipelines.domain.repository.hosting import Hosting
from pipelines.domain.repository.parts import (
    ActionsUse,
    AllowedActions,
    Check,
    CodeOwners,
    DefaultToken,
    ForkApproval,
    Gate,
    Label,
    Part,
    People,
    PrivateForks,
    Ref,
    Reviews,
    Ruleset,
    SecretNames,
)
from pipelines.domain.secret import Scope, SecretName

MAIN, TAGS = "sluice main", "sluice tags"
"""The rulesets that are ours; those of other names are left alone."""

EVERYBODY = "all_external_contributors"

Train = Mapping[str, Environment]


@dataclass(frozen=True)
class Gap:
    """Something wanted that GitHub does not do here; with None for `offered` nobody knows."""

    what: str
    offered: bool | None
    instead: str


@dataclass(frozen=True)
class Wanted:
    """Everything that should be so, and what the plan leaves out of it."""

    parts: tuple[Part, ...]
    gaps: tuple[Gap, ...]


def wanted(declared: Declared, train: Train, hosting: Hosting) -> Wanted:
    """What this repository should be set to.

    :raises ValueError: when two secrets would have one name.
    """
    owners = owners_of(declared, hosting)
    gates = _gates(declared, train, owners)
    parts: list[Part] = [*_actions(declared, hosting)]
    gaps: list[Gap] = []
    if hosting.environments:
        parts += [_offered(gate, hosting) for gate in gates]
    else:
        trained = {each.name for each in train.values()}
        says = {gate.name: _OTHERWISE if gate.name in trained else _NOBODY for gate in gates}
        gaps += [Gap(gate.what, hosting.environments, says[gate.name]) for gate in gates]
    if hosting.environments and not hosting.people:
        gaps += [
            Gap(f"reviewers of {gate.name}", hosting.people, _SIGNED)
            for gate in gates
            if gate.people != People()
        ]
    rules = (_main(declared, owners), _tags(declared))
    if hosting.rulesets:
        parts += rules
    else:
        gaps += [Gap(each.what, hosting.rulesets, _RULES[each.name]) for each in rules]
    parts += [Label(name, each.color, each.description) for name, each in declared.labels.items()]
    parts += _secrets(declared, train, hosting)
    return Wanted((*parts, CodeOwners(tuple(f"@{owner}" for owner in owners))), tuple(gaps))


_OTHERWISE = "the Pi refuses what is not signed for this environment"
_NOBODY = "nobody: whoever may push can run its jobs"
_SIGNED = "the Pi asks for signatures by keys in trust.yaml"
_RULES = {
    MAIN: "whoever may push can merge unreviewed: the Pi takes releases of the CI key to test only",
    TAGS: "the Pi takes a tag by its signature and its digest, wherever it is moved to",
}


def owners_of(declared: Declared, hosting: Hosting) -> tuple[str, ...]:
    """Who answers for it: as the file says, or whose it is; an organization is nobody."""
    return declared.owners or (() if hosting.by_organization else (hosting.owner,))


def github_name(scope: Scope, name: SecretName, own: bool) -> str:
    """What a secret is called at GitHub: with its environment, for a repository may have one list.

    An environment's `own` account is not named.
    """
    parts = [scope.environment, *([] if own or not scope.account else [scope.account]), name.value]
    return "_".join(parts).replace("-", "_").upper()


def names_of(environment: Environment) -> tuple[str, ...]:
    """The secrets that an environment's bots need, as GitHub calls them."""
    return tuple(
        github_name(scope, name, scope.account == environment.account)
        for scope, name in secrets_of(environment)
    )


def _actions(declared: Declared, hosting: Hosting) -> Iterator[Part]:
    yield ActionsUse(enabled=True, allowed="selected", only_by_sha=True)
    # Patterns count in public repositories only.
    patterns = () if hosting.private else tuple(sorted(declared.actions))
    yield AllowedActions(of_github=True, of_verified_creators=False, patterns=patterns)
    yield DefaultToken(permissions="read", approves_pull_requests=False)
    if hosting.private:
        yield PrivateForks(runs=False, writes=False, gets_secrets=False, needs_approval=True)
    else:
        yield ForkApproval(EVERYBODY)


def _gates(declared: Declared, train: Train, owners: tuple[str, ...]) -> list[Gate]:
    """Of every environment of the train, and of those that are GitHub's alone."""
    own = {each.name: each for each in train.values()}
    names = sorted(own.keys() | declared.environments.keys())
    return [_gate(declared, name, own.get(name), owners) for name in names]


def _gate(
    declared: Declared, name: str, environment: Environment | None, owners: tuple[str, ...]
) -> Gate:
    said = declared.gated(name)
    asked = said.reviewers
    if asked is None:
        asked = owners[:6] if environment and environment.mode == "live" else ()
    reviewers = tuple(sorted(asked, key=str.lower))
    people = People(reviewers, bool(asked) and said.prevents_self_review, said.wait_minutes)
    return Gate(name, _refs(declared, said, environment), people)


def _refs(declared: Declared, said: Gated, environment: Environment | None) -> tuple[Ref, ...]:
    if environment is None:
        refs = [Ref("branch", each) for each in said.branches or ()]
        return tuple(sorted(refs + [Ref("tag", each) for each in said.tags or ()]))
    # What is merged enters by a push to main; all others by a tag, and by hand from main.
    by_merge = environment.policy.approval is Approval.MERGE
    branches = (declared.merging.branch,) if said.branches is None else said.branches
    tags = (() if by_merge else declared.tags) if said.tags is None else said.tags
    refs = [Ref("branch", each) for each in branches] + [Ref("tag", each) for each in tags]
    return tuple(sorted(refs))


def _offered(gate: Gate, hosting: Hosting) -> Gate:
    return gate if hosting.people else Gate(gate.name, gate.refs, None)


def _main(declared: Declared, owners: tuple[str, ...]) -> Ruleset:
    merging = declared.merging
    asked = (0 if _alone(owners) else 1) if merging.reviews is None else merging.reviews
    # Nobody can approve his own pull request, so whoever is alone is asked for none.
    reviews = Reviews(asked, asked > 0, True, asked > 0, True)
    return Ruleset(
        MAIN,
        "branch",
        (f"refs/heads/{merging.branch}",),
        (),
        "active",
        (),
        ("deletion", "non_fast_forward"),
        reviews,
        tuple(Check(name, merging.checks_by) for name in sorted(merging.checks)),
        True,
    )


def _alone(owners: tuple[str, ...]) -> bool:
    """Nobody or one person; a team is several."""
    return len(owners) < 2 and not any("/" in owner for owner in owners)


def _tags(declared: Declared) -> Ruleset:
    include = tuple(sorted(f"refs/tags/{each}" for each in declared.tags))
    plain = ("deletion", "non_fast_forward", "update")
    return Ruleset(TAGS, "tag", include, (), "active", (), plain)


def _secrets(declared: Declared, train: Train, hosting: Hosting) -> Iterator[SecretNames]:
    places = {name: said.secrets for name, said in declared.environments.items()}
    for each in train.values():
        sealed = names_of(each) if declared.sealed_secrets else ()
        places[each.name] = (*sealed, *places.get(each.name, ()))
    every = [name for names in places.values() for name in names]
    if twice := sorted({name for name in every if every.count(name) > 1}):
        raise ValueError(f"two secrets would be called {twice[0]}: name an account differently")
    if hosting.environments:
        yield from (
            SecretNames(place, tuple(sorted(names))) for place, names in sorted(places.items())
        )
        # What lies here is every job's, also of a branch that somebody pushed.
        yield SecretNames("", ())
    elif hosting.environments is False:
        yield SecretNames("", tuple(sorted(every)))
