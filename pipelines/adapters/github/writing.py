"""Doing one action of a plan. Each can be done again, also after it was done in part."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pipelines.adapters.github import rulesets
from pipelines.adapters.github.answers import Numbered, understood
from pipelines.adapters.github.reading import Reading, ref_of
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
)
from pipelines.domain.repository.planning import Absent


@dataclass(frozen=True)
class Writing:
    """One repository, changed through one client."""

    reading: Reading

    def make(self, part: Part) -> None:
        """Make a part as it should be.

        :raises Refused: when GitHub does not do it.
        :raises CannotTell: when nobody knows whether it was done.
        """
        match part:
            case Gate():
                self._gate(part)
            case Ruleset():
                self._ruleset(part)
            case Label():
                self._label(part)
            case _:
                where, body = _setting(part)
                self._send("PUT", f"actions/permissions{where}", body)

    def _gate(self, gate: Gate) -> None:
        path = f"environments/{quote(gate.name, safe='')}"
        # Without policies nobody deploys: killed in between, it is shut and not open.
        custom = gate.refs is not None
        policy = {"protected_branches": False, "custom_branch_policies": True} if custom else None
        body: dict[str, Any] = {"deployment_branch_policy": policy}
        self._send("PUT", path, body | (self._people(gate.people) if gate.people else {}))
        if gate.refs is not None:
            self._policies(gate, gate.refs, f"{path}/deployment-branch-policies")

    def _policies(self, gate: Gate, refs: tuple[Ref, ...], path: str) -> None:
        there = {ref_of(each): each.id for each in self.reading.policies(gate.name)}
        for ref in sorted(there.keys() - set(refs)):
            self._send("DELETE", f"{path}/{there[ref]}")
        for ref in sorted(set(refs) - there.keys()):
            self._send("POST", path, {"name": ref.pattern, "type": ref.kind})

    def _people(self, people: People) -> dict[str, Any]:
        reviewers = [self._reviewer(each) for each in people.reviewers]
        return {
            "wait_timer": people.wait_minutes,
            "prevent_self_review": people.prevents_self_review,
            "reviewers": reviewers or None,
        }

    def _reviewer(self, who: str) -> dict[str, Any]:
        organization, _, team = who.rpartition("/")
        path = f"/orgs/{organization}/teams/{team}" if organization else f"/users/{who}"
        number = understood(Numbered, self.reading.github.get(path), path).id
        return {"type": "Team" if organization else "User", "id": number}

    def _ruleset(self, ruleset: Ruleset) -> None:
        number = self.reading.ruleset_number(ruleset.name)
        method, where = ("POST", "rulesets") if number is None else ("PUT", f"rulesets/{number}")
        self._send(method, where, rulesets.body(ruleset))

    def _label(self, label: Label) -> None:
        there = self.reading.label(label.name)
        body = {"color": label.color, "description": label.description}
        if isinstance(there, Absent):
            self._send("POST", "labels", {"name": label.name, **body})
        else:
            path = f"labels/{quote(there.name, safe='')}"
            self._send("PATCH", path, {"new_name": label.name, **body})

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        self.reading.github.send(method, f"{self.reading.path}/{path}", body)


def _setting(part: Part) -> tuple[str, dict[str, Any]]:
    match part:
        case ActionsUse():
            return "", {
                "enabled": part.enabled,
                "allowed_actions": part.allowed,
                "sha_pinning_required": part.only_by_sha,
            }
        case AllowedActions():
            return "/selected-actions", {
                "github_owned_allowed": part.of_github,
                "verified_allowed": part.of_verified_creators,
                "patterns_allowed": list(part.patterns),
            }
        case DefaultToken():
            return "/workflow", {
                "default_workflow_permissions": part.permissions,
                "can_approve_pull_request_reviews": part.approves_pull_requests,
            }
        case ForkApproval():
            return "/fork-pr-contributor-approval", {"approval_policy": part.policy}
        case PrivateForks():
            return "/fork-pr-workflows-private-repos", {
                "run_workflows_from_fork_pull_requests": part.runs,
                "send_write_tokens_to_workflows": part.writes,
                "send_secrets_and_variables": part.gets_secrets,
                "require_approval_for_fork_pr_workflows": part.needs_approval,
            }
        case _:
            raise TypeError(f"{part.what} is no setting of Actions")
