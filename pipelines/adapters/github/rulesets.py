"""Rulesets, between our words and GitHub's."""

from typing import Any

from pipelines.adapters.github.answers import (
    PullRequestRule,
    RulesetTold,
    RuleTold,
    StatusChecksRule,
    understood,
)
from pipelines.domain.repository.parts import Check, Reviews, Ruleset
from pipelines.domain.repository.planning import Unread

_REVIEWS, _CHECKS = "pull_request", "required_status_checks"


def read(told: Any, what: str) -> Ruleset | Unread:
    """A ruleset as GitHub tells it."""
    ruleset = understood(RulesetTold, told, what)
    if ruleset.bypass_actors is None:
        return Unread("this token is not told who may bypass the ruleset")
    refs = ruleset.conditions.ref_name if ruleset.conditions else None
    rules = {rule.type: rule for rule in ruleset.rules}
    reviews, checks = rules.pop(_REVIEWS, None), rules.pop(_CHECKS, None)
    asked = understood(StatusChecksRule, checks.parameters, what) if checks else None
    return Ruleset(
        ruleset.name,
        ruleset.target,
        tuple(sorted(refs.include)) if refs else (),
        tuple(sorted(refs.exclude)) if refs else (),
        ruleset.enforcement,
        tuple(sorted(str(actor) for actor in ruleset.bypass_actors)),
        tuple(sorted(rules)),
        _reviews(reviews, what) if reviews else None,
        tuple(
            sorted(
                (Check(each.context, each.integration_id) for each in asked.required_status_checks),
                key=lambda check: (check.name, check.app or 0),
            )
        )
        if asked
        else (),
        asked.strict_required_status_checks_policy if asked else False,
    )


def _reviews(rule: RuleTold, what: str) -> Reviews:
    told = understood(PullRequestRule, rule.parameters, what)
    return Reviews(
        told.required_approving_review_count,
        told.require_code_owner_review,
        told.dismiss_stale_reviews_on_push,
        told.require_last_push_approval,
        told.required_review_thread_resolution,
    )


def body(ruleset: Ruleset) -> dict[str, Any]:
    """A ruleset as GitHub is told it; nobody bypasses it."""
    rules: list[dict[str, Any]] = [{"type": each} for each in ruleset.plain]
    if ruleset.reviews:
        rules.append({"type": _REVIEWS, "parameters": _review_parameters(ruleset.reviews)})
    if ruleset.checks:
        rules.append({"type": _CHECKS, "parameters": _check_parameters(ruleset)})
    return {
        "name": ruleset.name,
        "target": ruleset.target,
        "enforcement": ruleset.enforcement,
        "bypass_actors": [],
        "conditions": {
            "ref_name": {"include": list(ruleset.include), "exclude": list(ruleset.exclude)}
        },
        "rules": rules,
    }


def _review_parameters(reviews: Reviews) -> dict[str, Any]:
    return {
        "required_approving_review_count": reviews.approvals,
        "require_code_owner_review": reviews.by_code_owners,
        "dismiss_stale_reviews_on_push": reviews.stale_ones_lapse,
        "require_last_push_approval": reviews.of_the_last_push,
        "required_review_thread_resolution": reviews.threads_resolved,
    }


def _check_parameters(ruleset: Ruleset) -> dict[str, Any]:
    return {
        "strict_required_status_checks_policy": ruleset.checks_are_strict,
        "required_status_checks": [
            {"context": each.name} | ({} if each.app is None else {"integration_id": each.app})
            for each in ruleset.checks
        ],
    }
