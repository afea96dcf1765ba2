"""What a repository is set to. What cannot be read is said to be so, and never taken for a yes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import quote

from pipelines.adapters.github import client, rulesets
from pipelines.adapters.github.answers import (
    Account,
    ActionsTold,
    EnvironmentTold,
    ForkApprovalTold,
    LabelTold,
    Named,
    PrivateForksTold,
    RefPolicy,
    RepositoryTold,
    RulesetListed,
    SelectedActions,
    WorkflowToken,
    understood,
)
from pipelines.adapters.github.client import Denied, GitHub, Limited
from pipelines.domain.repository.declared import Plan
from pipelines.domain.repository.hosting import Hosting, Known
from pipelines.domain.repository.parts import (
    ActionsUse,
    AllowedActions,
    DefaultToken,
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
from pipelines.domain.repository.planning import Absent, Seen, Unread
from pipelines.errors import CannotTell

T = TypeVar("T")

_PLANS: dict[str, Known] = {
    "free": "free",
    "pro": "pro",
    "team": "team",
    "business": "team",
    "business_plus": "enterprise",
    "enterprise": "enterprise",
}
"""GitHub's names of plans; `business` is what teams had before."""


@dataclass(frozen=True)
class Reading:
    """One repository, read through one client."""

    github: GitHub
    hosting: Hosting

    @property
    def path(self) -> str:
        return f"/repos/{self.hosting.full_name}"

    def of(self, part: Part) -> Seen:
        """How a part is now.

        :raises Limited: when GitHub wants to be left alone.
        """
        try:
            return self._of(part)
        except Limited:
            raise
        except CannotTell as error:
            return Unread(error.message)

    def _of(self, part: Part) -> Seen:
        match part:
            case Gate():
                return self.gate(part.name)
            case SecretNames():
                return self.secrets(part.place)
            case Label():
                return self.label(part.name)
            case Ruleset():
                return self.ruleset(part.name)
            case _:
                return self._actions()[type(part)]()

    def _actions(self) -> dict[type[Any], Callable[[], Part | Absent | Unread]]:
        return {
            ActionsUse: self.use,
            AllowedActions: self.allowed,
            DefaultToken: self.token,
            ForkApproval: self.forks,
            PrivateForks: self.private_forks,
        }

    def use(self) -> ActionsUse | Unread:
        """Whether workflows run, and whose actions."""
        told = self._get("actions/permissions", ActionsTold)
        if told.sha_pinning_required is None:
            return Unread("this server does not say whether actions are pinned by SHA")
        return ActionsUse(told.enabled, told.allowed_actions, told.sha_pinning_required)

    def allowed(self) -> AllowedActions | Absent:
        """Whose actions, where they are selected."""
        if self._get("actions/permissions", ActionsTold).allowed_actions != "selected":
            return Absent()
        told = self._get("actions/permissions/selected-actions", SelectedActions)
        # A private repository has no patterns, whatever is kept of them.
        patterns = () if self.hosting.private else tuple(sorted(told.patterns_allowed))
        return AllowedActions(told.github_owned_allowed, told.verified_allowed, patterns)

    def token(self) -> DefaultToken:
        """What a workflow may do that asks for nothing."""
        told = self._get("actions/permissions/workflow", WorkflowToken)
        return DefaultToken(
            told.default_workflow_permissions, told.can_approve_pull_request_reviews
        )

    def forks(self) -> ForkApproval:
        """Whose pull requests wait, in a public repository."""
        told = self._get("actions/permissions/fork-pr-contributor-approval", ForkApprovalTold)
        return ForkApproval(told.approval_policy)

    def private_forks(self) -> PrivateForks:
        """What pull requests from forks may, in a private repository."""
        told = self._get("actions/permissions/fork-pr-workflows-private-repos", PrivateForksTold)
        return PrivateForks(
            told.run_workflows_from_fork_pull_requests,
            told.send_write_tokens_to_workflows,
            told.send_secrets_and_variables,
            told.require_approval_for_fork_pr_workflows,
        )

    def gate(self, name: str) -> Gate | Absent:
        """An environment; GitHub does not tell their letters' case apart."""
        for told in self._every("environments", EnvironmentTold, "environments"):
            if told.name.lower() == name.lower():
                people = self._people(told) if self.hosting.people else None
                return Gate(name, self._refs(told), people)
        return Absent()

    def _people(self, told: EnvironmentTold) -> People:
        rules = {rule.type: rule for rule in told.protection_rules}
        asked, waits = rules.get("required_reviewers"), rules.get("wait_timer")
        names = [
            each.reviewer.login or f"{self.hosting.owner}/{each.reviewer.slug}"
            for each in (asked.reviewers if asked else ())
        ]
        return People(
            tuple(sorted(names, key=str.lower)),
            asked.prevent_self_review if asked else False,
            waits.wait_timer if waits else 0,
        )

    def _refs(self, told: EnvironmentTold) -> tuple[Ref, ...] | None:
        policy = told.deployment_branch_policy
        if policy is None:
            return None
        if policy.protected_branches:
            return (Ref("protected", "branches"),)
        return tuple(sorted(ref_of(each) for each in self.policies(told.name)))

    def policies(self, environment: str) -> tuple[RefPolicy, ...]:
        """Branches and tags that may deploy to an environment."""
        path = f"environments/{quote(environment, safe='')}/deployment-branch-policies"
        return tuple(self._every(path, RefPolicy, "branch_policies"))

    def ruleset(self, name: str) -> Seen:
        """A ruleset of the repository itself, by its name."""
        number = self.ruleset_number(name)
        if number is None:
            return Absent()
        path = f"{self.path}/rulesets/{number}?includes_parents=false"
        return rulesets.read(self.github.get(path), path)

    def ruleset_number(self, name: str) -> int | None:
        """GitHub's number of a ruleset."""
        every = self._every("rulesets?includes_parents=false", RulesetListed)
        return next((told.id for told in every if told.name == name), None)

    def label(self, name: str) -> Label | Absent:
        """A label; GitHub does not tell their letters' case apart."""
        for told in self._every("labels", LabelTold):
            if told.name.lower() == name.lower():
                return Label(told.name, told.color.lower(), told.description or "")
        return Absent()

    def secrets(self, place: str) -> SecretNames:
        """The names of an environment's secrets, or of the repository's own."""
        where = f"environments/{quote(place, safe='')}" if place else "actions"
        try:
            told = [each.name for each in self._every(f"{where}/secrets", Named, "secrets")]
        except Denied as error:
            # An environment that is not there yet has none; that it is not there is told elsewhere.
            if not place or error.status != 404 or self.gate(place) != Absent():
                raise
            told = []
        return SecretNames(place, tuple(sorted(told)))

    def _get(self, path: str, kind: type[T]) -> T:
        return understood(kind, self.github.get(f"{self.path}/{path}"), path)

    def _every(self, path: str, kind: type[T], key: str = "") -> Iterator[T]:
        for told in self.github.every(f"{self.path}/{path}", key):
            yield understood(kind, told, path)


def ref_of(told: RefPolicy) -> Ref:
    """A branch or a tag that may deploy."""
    return Ref("tag" if told.type == "tag" else "branch", told.name)


def hosting(github: GitHub, owner: str, name: str, declared: Plan | None) -> Hosting:
    """Where a repository is hosted; `declared` is the plan where GitHub does not tell it.

    :raises CannotTell: when the repository cannot be read, or the token's owner is no
        administrator: settings could not be read then, or would look as if they were not there.
    """
    path = f"/repos/{quote(owner, safe='')}/{quote(name, safe='')}"
    answer = github.ask("GET", path)
    told = understood(RepositoryTold, client.read(answer, path), path)
    if not told.permissions.admin:
        hint = "settings are shown to administrators only: use the token of one"
        raise CannotTell(f"{owner}/{name}: this token is no administrator's", hint)
    by_organization = told.owner.type == "Organization"
    own_server = "x-github-enterprise-version" in answer.headers
    found = Hosting(told.owner.login, told.name, by_organization, told.private, None, own_server)
    if not found.private or own_server:
        return found
    return replace(found, plan=_plan(github, found, declared))


def _plan(github: GitHub, found: Hosting, declared: Plan | None) -> Known | None:
    """What the owner pays for: as GitHub says, or as it lets be done, or as the file says."""
    path = f"/orgs/{found.owner}" if found.by_organization else "/user"
    try:
        told = understood(Account, github.get(path), path)
    except Denied:
        told = Account(login="")
    if told.plan and told.login == found.owner and told.plan.name in _PLANS:
        return _PLANS[told.plan.name]
    try:
        github.get(f"/repos/{found.full_name}/rulesets")
    except Denied as error:
        return "free" if error.for_the_plan else declared
    return "paid" if declared in {None, "free"} else declared
