"""GitHub's answers, as far as they are read. What is not asked for is ignored."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pipelines.errors import CannotTell

A = TypeVar("A")


class Told(BaseModel):
    """Something that GitHub told."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Owner(Told):
    """Whose a repository is."""

    login: str
    type: str


class Rights(Told):
    """What the token's owner may do."""

    admin: bool = False


class RepositoryTold(Told):
    """`GET /repos/{owner}/{repo}`."""

    name: str
    owner: Owner
    private: bool
    permissions: Rights = Rights()


class PlanTold(Told):
    """The plan of a user or an organization."""

    name: str


class Account(Told):
    """`GET /user` and `GET /orgs/{org}`: the plan is told to the owner only."""

    login: str
    plan: PlanTold | None = None


class Numbered(Told):
    """A user or a team, by its number."""

    id: int


class Reviewer(Told):
    """Who may let a job in: a user has a login, a team a slug."""

    login: str = ""
    slug: str = ""


class ReviewerTold(Told):
    """One of the reviewers of an environment."""

    type: str
    reviewer: Reviewer


class ProtectionRule(Told):
    """What an environment asks: of type wait_timer, required_reviewers or branch_policy."""

    type: str
    wait_timer: int = 0
    prevent_self_review: bool = False
    reviewers: tuple[ReviewerTold, ...] = ()


class BranchPolicy(Told):
    """Which of the two ways of naming refs is meant."""

    protected_branches: bool
    custom_branch_policies: bool


class EnvironmentTold(Told):
    """One of `GET /repos/{owner}/{repo}/environments`."""

    name: str
    protection_rules: tuple[ProtectionRule, ...] = ()
    deployment_branch_policy: BranchPolicy | None


class RefPolicy(Told):
    """A branch or a tag that may deploy; what says nothing is a branch."""

    id: int
    name: str
    type: str = "branch"


class Named(Told):
    """A secret, of which GitHub tells the name only."""

    name: str


class RulesetListed(Told):
    """One of `GET /repos/{owner}/{repo}/rulesets`, which leaves the rules out."""

    id: int
    name: str


class Refs(Told):
    """Which refs a ruleset is about."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]


class Conditions(Told):
    """When a ruleset counts."""

    ref_name: Refs | None = None


class Bypass(Told):
    """Who is above a ruleset."""

    actor_id: int | None = None
    actor_type: str
    bypass_mode: str = "always"

    def __str__(self) -> str:
        number = "" if self.actor_id is None else f" {self.actor_id}"
        return f"{self.actor_type}{number} ({self.bypass_mode})"


class RuleTold(Told):
    """One rule; its parameters are its type's."""

    type: str
    parameters: dict[str, Any] | None = None


class RulesetTold(Told):
    """`GET …/rulesets/{id}`. Who may not write it is not told who bypasses it."""

    name: str
    target: str
    enforcement: str
    bypass_actors: tuple[Bypass, ...] | None = None
    conditions: Conditions | None = None
    rules: tuple[RuleTold, ...]


class PullRequestRule(Told):
    """Parameters of the rule `pull_request`."""

    required_approving_review_count: int
    require_code_owner_review: bool
    dismiss_stale_reviews_on_push: bool
    require_last_push_approval: bool
    required_review_thread_resolution: bool


class StatusCheck(Told):
    """A check that must have passed."""

    context: str
    integration_id: int | None = None


class StatusChecksRule(Told):
    """Parameters of the rule `required_status_checks`."""

    required_status_checks: tuple[StatusCheck, ...]
    strict_required_status_checks_policy: bool


class ActionsTold(Told):
    """`GET …/actions/permissions`. Older servers know no pinning."""

    enabled: bool
    allowed_actions: str = "all"
    sha_pinning_required: bool | None = None


class SelectedActions(Told):
    """`GET …/actions/permissions/selected-actions`."""

    github_owned_allowed: bool
    verified_allowed: bool
    patterns_allowed: tuple[str, ...] = ()


class WorkflowToken(Told):
    """`GET …/actions/permissions/workflow`."""

    default_workflow_permissions: str
    can_approve_pull_request_reviews: bool


class ForkApprovalTold(Told):
    """`GET …/actions/permissions/fork-pr-contributor-approval`."""

    approval_policy: str


class PrivateForksTold(Told):
    """`GET …/actions/permissions/fork-pr-workflows-private-repos`."""

    run_workflows_from_fork_pull_requests: bool
    send_write_tokens_to_workflows: bool
    send_secrets_and_variables: bool
    require_approval_for_fork_pr_workflows: bool


class LabelTold(Told):
    """One of `GET …/labels`."""

    name: str
    color: str
    description: str | None = None


def understood(kind: type[A], told: Any, what: str) -> A:
    """An answer of a kind.

    :raises CannotTell: when it is none.
    """
    try:
        return TypeAdapter(kind).validate_python(told)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise CannotTell(f"{what}: GitHub's answer: {key}: {first['msg'].lower()}") from None
