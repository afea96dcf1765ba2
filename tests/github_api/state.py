"""What the stand-in remembers, and what it does when it is asked: one method for each request."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

AT = "2026-11-22T00:00:00Z"

UPGRADE = "Upgrade to GitHub Pro or make this repository public to enable this feature."
BILLING = (
    "Failed to create the environment protection rule. Please ensure the billing plan supports "
    "the required reviewers protection rule."
)
"""What GitHub says when a plan has no such thing; published in issues, not in the description."""

Body = dict[str, Any]
Reply = tuple[int, Any]


class No(Exception):
    """An answer that is no: a status, and what is said."""

    def __init__(self, status: int, message: str, errors: list[Body] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.errors = status, message, errors


@dataclass
class State:
    """One repository of one owner."""

    owner: str = "octo"
    name: str = "train"
    organization: bool = False
    private: bool = False
    plan: str = "free"
    tells_plan: bool = True
    admin: bool = True
    own_server: bool = False
    shows_bypass: bool = True
    pins: bool = True
    people: dict[str, int] = field(default_factory=lambda: {"octo": 1, "anna": 2, "bert": 3})
    teams: dict[str, int] = field(default_factory=lambda: {"traders": 7})
    environments: dict[str, Body] = field(default_factory=dict)
    policies: dict[str, list[Body]] = field(default_factory=dict)
    rulesets: dict[int, Body] = field(default_factory=dict)
    labels: list[Body] = field(default_factory=list)
    secrets: dict[str, list[str]] = field(default_factory=lambda: {"": []})
    permissions: Body = field(
        default_factory=lambda: {
            "enabled": True,
            "allowed_actions": "all",
            "sha_pinning_required": False,
        }
    )
    selected: Body = field(
        default_factory=lambda: {
            "github_owned_allowed": True,
            "verified_allowed": True,
            "patterns_allowed": [],
        }
    )
    token: Body = field(
        default_factory=lambda: {
            "default_workflow_permissions": "write",
            "can_approve_pull_request_reviews": True,
        }
    )
    forks: Body = field(default_factory=lambda: {"approval_policy": "first_time_contributors"})
    private_forks: Body = field(
        default_factory=lambda: {
            "run_workflows_from_fork_pull_requests": True,
            "send_write_tokens_to_workflows": True,
            "send_secrets_and_variables": False,
            "require_approval_for_fork_pr_workflows": False,
        }
    )
    numbers: Any = field(default_factory=lambda: count(100), repr=False)

    def _offers(self, *plans: str) -> bool:
        return not self.private or self.own_server or self.plan in plans

    @property
    def has_environments(self) -> bool:
        return self._offers("pro", "team", "enterprise")

    @property
    def has_people(self) -> bool:
        return self._offers("enterprise")

    def _refuse_rulesets(self) -> None:
        if not self._offers("pro", "team", "enterprise"):
            raise No(403, UPGRADE)

    def repository(self) -> Reply:
        """`GET /repos/{owner}/{repo}`."""
        kind = "Organization" if self.organization else "User"
        owner = {"login": self.owner, "id": 1, "node_id": "U", "type": kind, "site_admin": False}
        rights = dict.fromkeys(("admin", "maintain"), self.admin)
        return 200, {
            "id": 1,
            "node_id": "R",
            "name": self.name,
            "full_name": f"{self.owner}/{self.name}",
            "private": self.private,
            "visibility": "private" if self.private else "public",
            "default_branch": "main",
            "owner": owner,
            "permissions": {**rights, "push": True, "triage": True, "pull": True},
        }

    def account(self, login: str, kind: str) -> Reply:
        """`GET /user` and `GET /orgs/{org}`; the plan is for those who may see it."""
        plan = {"plan": {"name": self.plan, "space": 1}} if self.tells_plan else {}
        return 200, {"login": login, "id": 1, **({"type": kind} if kind else {}), **plan}

    def user(self, login: str) -> Reply:
        """`GET /users/{username}`."""
        if login not in self.people:
            raise No(404, "Not Found")
        return 200, {"login": login, "id": self.people[login], "type": "User"}

    def team(self, slug: str) -> Reply:
        """`GET /orgs/{org}/teams/{team_slug}`."""
        if slug not in self.teams:
            raise No(404, "Not Found")
        return 200, {"id": self.teams[slug], "node_id": "T", "name": slug, "slug": slug}

    def listed_environments(self) -> list[Body]:
        """The entries of `GET …/environments`."""
        return [self.environment(name) for name in self.environments]

    def put_environment(self, name: str, body: Body | None) -> Reply:
        """`PUT …/environments/{name}`: what is left out is as it is in a new one."""
        if not self.has_environments:
            raise No(404, "Not Found")
        body = body or {}
        if not self.has_people and body.keys() - {"deployment_branch_policy"}:
            raise No(422, BILLING)
        reviewers, policy = body.get("reviewers") or [], body.get("deployment_branch_policy")
        if body.get("prevent_self_review") and not reviewers:
            told = "Required reviewers must have at least one reviewer to set prevent_self_review."
            raise No(422, told)
        if policy and policy["protected_branches"] == policy["custom_branch_policies"]:
            raise No(422, "protected_branches and custom_branch_policies cannot be the same")
        number = self.environments.get(name, {}).get("id") or next(self.numbers)
        self.environments[name] = {"id": number, **body}
        if not policy or not policy["custom_branch_policies"]:
            self.policies.pop(name, None)
        self.secrets.setdefault(name, [])
        return 200, self.environment(name)

    def environment(self, name: str) -> Body:
        """An environment as GitHub shows it."""
        kept = self.environments[name]
        rules: list[Body] = []
        if kept.get("wait_timer"):
            timer = {
                "id": 1,
                "node_id": "W",
                "type": "wait_timer",
                "wait_timer": kept["wait_timer"],
            }
            rules.append(timer)
        if kept.get("reviewers"):
            rules.append(
                {
                    "id": 2,
                    "node_id": "A",
                    "type": "required_reviewers",
                    "prevent_self_review": kept.get("prevent_self_review", False),
                    "reviewers": [self._reviewer(each) for each in kept["reviewers"]],
                }
            )
        if kept.get("deployment_branch_policy"):
            rules.append({"id": 3, "node_id": "B", "type": "branch_policy"})
        return {
            "id": kept["id"],
            "node_id": "E",
            "name": name,
            "url": "u",
            "html_url": "h",
            "created_at": AT,
            "updated_at": AT,
            "protection_rules": rules,
            "deployment_branch_policy": kept.get("deployment_branch_policy"),
        }

    def _reviewer(self, asked: Body) -> Body:
        known = self.people if asked["type"] == "User" else self.teams
        name = next(each for each, number in known.items() if number == asked["id"])
        if asked["type"] == "User":
            told = {"login": name, "id": asked["id"], "node_id": "U", "type": "User"}
            return {"type": "User", "reviewer": {**told, "site_admin": False}}
        told = {"id": asked["id"], "node_id": "T", "name": name.title(), "slug": name}
        return {"type": "Team", "reviewer": told}

    def listed_policies(self, environment: str) -> list[Body]:
        """The entries of `GET …/deployment-branch-policies`."""
        if environment not in self.environments:
            raise No(404, "Not Found")
        return self.policies.get(environment, [])

    def add_policy(self, environment: str, body: Body) -> Reply:
        """`POST …/deployment-branch-policies`."""
        policy = self.environments.get(environment, {}).get("deployment_branch_policy") or {}
        if not policy.get("custom_branch_policies"):
            raise No(404, "Not Found")
        kept = self.policies.setdefault(environment, [])
        told = {"name": body["name"], "type": body.get("type", "branch")}
        if any((each["name"], each["type"]) == (told["name"], told["type"]) for each in kept):
            return 303, None
        kept.append({"id": next(self.numbers), "node_id": "P", **told})
        return 200, kept[-1]

    def drop_policy(self, environment: str, number: int) -> Reply:
        """`DELETE …/deployment-branch-policies/{id}`."""
        kept = self.policies.get(environment, [])
        self.policies[environment] = [each for each in kept if each["id"] != number]
        return 204, None

    def listed_rulesets(self) -> list[Body]:
        """The entries of `GET …/rulesets`, without rules."""
        self._refuse_rulesets()
        hidden = {"rules", "conditions", "bypass_actors", "current_user_can_bypass"}
        return [
            {key: value for key, value in self._ruleset(number).items() if key not in hidden}
            for number in self.rulesets
        ]

    def ruleset(self, number: int) -> Reply:
        """`GET …/rulesets/{id}`."""
        self._refuse_rulesets()
        if number not in self.rulesets:
            raise No(404, "Not Found")
        return 200, self._ruleset(number)

    def put_ruleset(self, number: int | None, body: Body) -> Reply:
        """`POST …/rulesets` and `PUT …/rulesets/{id}`."""
        self._refuse_rulesets()
        taken = {kept["name"]: key for key, kept in self.rulesets.items() if key != number}
        if body.get("name") in taken:
            raise No(422, "Validation Failed", [{"message": "Name must be unique"}])
        fresh = number is None
        if number is None:
            number = next(self.numbers)
        elif number not in self.rulesets:
            raise No(404, "Not Found")
        self.rulesets[number] = {"target": "branch", **self.rulesets.get(number, {}), **body}
        return 201 if fresh else 200, self._ruleset(number)

    def _ruleset(self, number: int) -> Body:
        kept = dict(self.rulesets[number])
        # GitHub says more of a rule than it was told.
        kept["rules"] = [
            {"type": rule["type"], "parameters": {**_MORE.get(rule["type"], {}), **given}}
            if (given := rule.get("parameters")) is not None
            else rule
            for rule in kept.get("rules", [])
        ]
        if not self.shows_bypass:
            kept.pop("bypass_actors", None)
        source = {"source_type": "Repository", "source": f"{self.owner}/{self.name}"}
        return {"id": number, "node_id": "S", **source, **kept, "created_at": AT}

    def show_permissions(self) -> Reply:
        """`GET …/actions/permissions`."""
        told = dict(self.permissions)
        if not self.pins:
            told.pop("sha_pinning_required", None)
        return 200, told

    def show_selected(self) -> Reply:
        """`GET …/actions/permissions/selected-actions`."""
        if self.permissions["allowed_actions"] != "selected":
            raise No(409, "Conflict")
        return 200, self.selected

    def show_forks(self, *, private: bool) -> Reply:
        """What pull requests of forks may do: each kind of repository has its own."""
        if private != self.private:
            raise No(404, "Not Found")
        return 200, self.private_forks if private else self.forks

    def change(self, kept: Body, body: Body) -> Reply:
        """One of the settings of Actions."""
        if kept is self.selected:
            self.show_selected()
        kept.update(body)
        return 204, None

    def add_label(self, body: Body) -> Reply:
        """`POST …/labels`."""
        if self._label(body["name"]):
            raise No(422, "Validation Failed", [{"resource": "Label", "code": "already_exists"}])
        told = {"description": None, "color": "ededed", **body}
        fixed = {"id": next(self.numbers), "node_id": "L", "url": "u", "default": False}
        self.labels.append({**fixed, **told})
        return 201, self.labels[-1]

    def change_label(self, name: str, body: Body) -> Reply:
        """`PATCH …/labels/{name}`."""
        label = self._label(name)
        if not label:
            raise No(404, "Not Found")
        label.update({"name": body.get("new_name", name), **body})
        label.pop("new_name", None)
        return 200, label

    def _label(self, name: str) -> Body | None:
        return next((each for each in self.labels if each["name"].lower() == name.lower()), None)

    def listed_secrets(self, place: str) -> list[Body]:
        """The entries of `GET …/secrets`: names and times."""
        if place and place not in self.environments:
            raise No(404, "Not Found")
        names = self.secrets.get(place, [])
        return [{"name": name, "created_at": AT, "updated_at": AT} for name in names]


_MORE: dict[str, Body] = {
    "pull_request": {"allowed_merge_methods": ["merge", "squash", "rebase"]},
    "required_status_checks": {"do_not_enforce_on_create": False},
}
