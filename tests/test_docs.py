"""The pages of `docs/` say what the code knows, all of it and nothing else."""

import re
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import click
import pytest
from pydantic import BaseModel

from pipelines import checks, documents
from pipelines.adapters.approvals import TAG_LASTS
from pipelines.adapters.disguises import SHORTEST
from pipelines.adapters.isolation.watch import MOST_REPLY_BYTES
from pipelines.adapters.redaction import MARK, Redactor
from pipelines.checks import backtest_job, unit
from pipelines.cli.github import github
from pipelines.cli.orphan import orphan
from pipelines.cli.secrets import secrets
from pipelines.domain import budget, health
from pipelines.domain.attack import BREAKS
from pipelines.domain.candidate import Because
from pipelines.domain.couplings import RULES
from pipelines.domain.deployment import MOST_FAILURES, Action, Obstacle, Phase
from pipelines.domain.eligibility import HOTFIX_SHARE
from pipelines.domain.entry import Entry
from pipelines.domain.environment import Environment
from pipelines.domain.evidence import Evidence
from pipelines.domain.limits import Limit, Protections, Then
from pipelines.domain.observation import Observation
from pipelines.domain.planning import back_off
from pipelines.domain.promotion import Approval, Risk
from pipelines.domain.protections import BLIND
from pipelines.domain.record import MOST_UNSEEN
from pipelines.domain.release import Pins, Release
from pipelines.domain.repository.declared import Declared
from pipelines.domain.repository.hosting import Hosting
from pipelines.domain.repository.parts import (
    ActionsUse,
    AllowedActions,
    CodeOwners,
    DefaultToken,
    ForkApproval,
)
from pipelines.domain.repository.wanted import MAIN, TAGS
from pipelines.domain.secret import SecretName
from pipelines.domain.sighting import LOOKS, TURNS
from pipelines.domain.statement import EvidenceSummary, Packed
from pipelines.domain.telegram import Telegram
from pipelines.domain.thresholds import Admission, IncumbentMargin, WindowThresholds
from pipelines.domain.trust import Role, TrustedKey
from pipelines.domain.verdict import Status, Verdict
from pipelines.domain.workflows import RULES as WORKFLOW_RULES
from pipelines.errors import ExitCode
from pipelines.freqtrade.moving import Place
from pipelines.reports import folder, gaps
from pipelines.reports.model import Report
from pipelines.workflow import tell_bot
from pipelines.workflow.github import shown
from pipelines.workflow.github.owners import PLACEHOLDER
from runner.agent import cli as agent
from runner.agent.acting import Acting
from runner.agent.books import weights
from runner.agent.books.looking import WHOLE_SECONDS
from runner.agent.crew import PATIENCE
from runner.agent.deciding import Deciding
from runner.agent.halting import Stop
from runner.agent.newsroom import Newsroom
from runner.agent.orphans import Orphans
from runner.agent.reconciling import TURN_SECONDS
from runner.agent.telling import Telling
from runner.agent.tick import LEASE
from runner.agent.verbs import Verbs
from runner.bots import logs
from runner.exchange import cli as exchange
from runner.exchange.clock import ClockName
from runner.exchange.core.futures.book import Book
from runner.exchange.core.futures.contract import Fees
from runner.exchange.core.terms import Terms
from runner.exchange.costs import with_terms
from runner.exchange.futures.account import Accounts
from runner.exchange.futures.floor import Floor
from runner.exchange.futures.public import Public
from runner.exchange.futures.trading import Trading
from runner.exchange.messages import FaultName
from runner.monitoring import metrics, store
from runner.monitoring.heart import BEAT_SECONDS
from runner.monitoring.observing import TIME_SECONDS
from runner.systemd import Where, files
from runner.telegram.danger import DANGER
from runner.telegram.feed import OLDER
from runner.telegram.reading import READING

DOCS = Path(__file__).resolve().parent.parent / "docs"


def read(page: str) -> str:
    return (DOCS / f"{page}.md").read_text(encoding="utf-8")


def rows(page: str, section: str = "") -> list[list[str]]:
    """The cells of every table row below a heading, without the head of the table."""
    text = (
        read(page).partition(f"## {section}\n")[2].partition("\n## ")[0] if section else read(page)
    )
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    heads = {n for n, row in enumerate(cells[1:]) if set(row[0]) == {"-"}}
    return [row for n, row in enumerate(cells) if n not in heads and n - 1 not in heads]


def named(page: str, section: str = "") -> list[str]:
    return [row[0].strip("`") for row in rows(page, section)]


def test_every_exit_code_stands_in_its_row() -> None:
    table = {row[1]: int(row[0]) for row in rows("exit-codes")}
    assert table == {code.name: code.value for code in ExitCode}
    assert all(len(row[2]) > 3 and row[3] for row in rows("exit-codes"))


def test_every_check_has_a_chapter_in_the_order_of_the_gate() -> None:
    chapters = re.findall(r"^## \d\. (\w+)$", read("checks"), re.MULTILINE)
    assert chapters == [check.NAME for check in checks.CHECKS]


def test_every_status_is_explained() -> None:
    assert named("checks") == [status.value for status in Status]


def test_every_threshold_has_formula_unit_and_reason() -> None:
    chapters: list[tuple[str, type[BaseModel]]] = [
        ("Thresholds of a window", WindowThresholds),
        ("Against the incumbent", IncumbentMargin),
    ]
    for section, model in chapters:
        assert named("thresholds", section) == list(model.model_fields)
    plain = [n for n, f in Admission.model_fields.items() if not _models(f.annotation)]
    assert named("thresholds", "Thresholds of the whole admission") == plain
    tables = [
        "Thresholds of a window",
        "Thresholds of the whole admission",
        "Against the incumbent",
    ]
    assert [row for table in tables for row in rows("thresholds", table) if not all(row)] == []


def test_every_file_of_a_report_has_its_row(tmp_path: Path) -> None:
    index = folder.write(Report(()), tmp_path / "report")
    assert set(named("reports", "Files")) == {file.name for file in index.parent.iterdir()}


def test_every_way_to_meet_a_threshold_is_explained() -> None:
    assert named("reports", "What would have to change") == list(gaps.WAYS)


def test_every_status_has_its_element_in_junit() -> None:
    assert named("reports", "JUnit XML") == [status.value for status in Status]


def test_every_limit_and_its_size_is_told() -> None:
    assert named("isolation", "Limits") == list(BREAKS)
    for row, limits in ((1, unit.LIMITS), (2, backtest_job.LIMITS)):
        said = [cells[row] for cells in rows("isolation", "Limits")]
        assert said[:5] == [
            f"{limits.wall_seconds:,} s",
            f"{limits.cpu_seconds:,} s",
            f"{limits.memory_mb:,} MB",
            str(limits.processes),
            f"{limits.disk_mb} MB",
        ]
    printed, answered = rows("isolation", "Limits")[5][1].split(", ")
    assert printed == f"{backtest_job.LIMITS.output_kb >> 10} MB printed"
    assert answered == f"{MOST_REPLY_BYTES >> 20} MB answered"


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The dotted path of every key, down to thresholds, which have a page of their own."""
    for name, field in model.model_fields.items():
        inner = _models(field.annotation)
        if inner and not issubclass(inner[0], WindowThresholds | Limit):
            yield from keys(inner[0], f"{prefix}{field.alias or name}.")
        else:
            yield f"{prefix}{field.alias or name}"


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def test_every_key_of_an_environment_is_explained() -> None:
    assert sorted(named("environment")) == sorted(keys(Environment))


def test_every_key_part_and_action_of_githubs_settings_is_explained() -> None:
    assert named("github-settings", "Keys") == list(keys(Declared))
    parts = [row.removesuffix(" …") for row in named("github-settings", "What is set")]
    assert parts == [
        *(f(*_filler(f)).what for f in (ActionsUse, AllowedActions, DefaultToken, ForkApproval)),
        "environment",
        f"ruleset {MAIN}",
        f"ruleset {TAGS}",
        "label",
        "secrets of",
        CodeOwners(()).what,
    ]
    assert named("github-settings", "Actions of a plan") == list(shown.WORDS.values())
    assert f"`{PLACEHOLDER}`" in read("github-settings")


def test_what_the_page_says_of_githubs_plans_is_so() -> None:
    free, paid, enterprise = (
        Hosting("octo", "train", False, True, plan) for plan in ("free", "team", "enterprise")
    )
    table = {row[0]: row[1:] for row in rows("github-settings", "What a plan enforces")}
    for what, offered in (
        ("environments, and who deploys to them", lambda each: each.environments),
        ("reviewers and waiting times", lambda each: each.people),
        ("protected branches and tags", lambda each: each.rulesets),
    ):
        says = ["yes" if offered(each) else "no" for each in (free, paid, enterprise)]
        assert table[what] == says


def test_every_file_that_sets_a_host_up_is_explained() -> None:
    where = Where(DOCS, DOCS, "pi", "octo/train")
    assert named("runner", "The host") == [str(file.path) for file in files(where, ())]


def _filler(part: type[Any]) -> list[Any]:
    return [None for _ in fields(part)]


def test_every_key_command_and_complaint_of_telegram_is_explained() -> None:
    assert named("telegram", "telegram.yaml") == list(keys(Telegram))
    told = [each.removeprefix("/") for each in named("telegram", "Commands that look")]
    assert told == [*READING, "picture"]
    told = [each.removeprefix("/") for each in named("telegram", "Commands that act")]
    assert told == [*DANGER, "ack"]
    text = read("telegram")
    defaults = {name: field.default for name, field in Telegram.model_fields.items()}
    assert f"acknowledges it; {defaults['repeat']} by default" in text
    assert f"counts; {defaults['confirm']} by default" in text
    assert f"the last {OLDER} alerts from before" in text
    example = text.partition("```yaml\n")[2].partition("```")[0]
    assert documents.parse(example.encode(), Telegram, "telegram.yaml").name_of(123456789) == "ann"


def test_every_limit_and_everything_that_follows_from_one_is_explained() -> None:
    assert named("protections", "Limits") == list(Protections.model_fields)
    assert named("protections", "What follows") == list(get_args(Then))
    assert "after a minute the bot is halted" in read("protections")
    assert timedelta(minutes=1) == BLIND


def test_every_command_that_stops_is_explained() -> None:
    verbs = Stop(None, "").verbs  # type: ignore[arg-type]
    assert sorted(named("stopping", "What they do")) == sorted(verbs)


def test_every_rule_of_the_linter_is_explained() -> None:
    assert named("couplings", "Rules") == list(RULES)
    assert [row for row in rows("couplings", "Rules") if not all(row)] == []


def test_every_rule_on_workflows_stands_there_as_the_policy_has_it() -> None:
    told = [[f"`{rule.name}`", rule.demands, rule.why] for rule in WORKFLOW_RULES]
    assert rows("github", "Rules") == told


def test_every_command_and_every_workflow_on_github_has_its_row() -> None:
    assert set(named("github", "Commands")) == set(github.commands)
    there = {path.name for path in (DOCS.parent / ".github" / "workflows").glob("*.yml")}
    listed = re.findall(r"^\| `([\w-]+\.yml)` \|", read("github"), re.MULTILINE)
    assert sorted(listed) == sorted(there)


def test_every_secret_and_every_command_for_them_has_its_row() -> None:
    names = {row[0].strip("`"): row[1] for row in rows("secrets", "Names")}
    assert list(names) == list(SecretName)
    assert {name for name, whose in names.items() if whose == "the account's"} == {
        name for name in SecretName if name.of_account
    }
    assert sorted(named("secrets", "Commands")) == sorted(secrets.commands)
    assert f"fewer than {SHORTEST}\ncharacters" in read("secrets")


def test_what_the_page_says_of_logs_is_so() -> None:
    examples = [
        "Authorization: Bearer abc",
        '"secret": "abc"',
        "signature=abc",
        "X-MBX-APIKEY: 0123456789abcdef",
        "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1",
        "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE",
    ]
    assert len(rows("secrets", "In logs")) == len(examples)
    told = [Redactor(()).text(example) for example in examples]
    assert all(MARK.decode() in each for each in told)
    assert "Without a TPM a stolen card is a stolen key" in read("secrets")


def test_every_field_of_evidence_is_explained() -> None:
    assert named("evidence", "Fields") == list(Evidence.model_fields)
    assert named("evidence", "Fields of a verdict") == list(Verdict.model_fields)


def test_every_option_of_what_trading_costs_has_its_row() -> None:
    @click.command()
    @with_terms
    def command(terms: Terms) -> None: ...

    told = [name for name in named("exchange", "How orders are filled") if name[:2] == "--"]
    assert sorted(told) == sorted(option.opts[0] for option in command.params)


def test_every_command_fault_and_clock_of_the_exchange_has_its_row() -> None:
    commands = exchange.cli.commands
    assert sorted(named("exchange", "Commands")) == sorted(commands)
    assert named("exchange", "Faults") == list(get_args(FaultName))
    assert named("exchange", "Clocks") == list(get_args(ClockName))


def test_every_field_of_a_release_and_of_what_is_signed_is_explained() -> None:
    models = (Release, Pins, Packed, EvidenceSummary)
    told = [*named("releases", "What is in one"), *named("releases", "What is signed")]
    assert told == [name for model in models for name in model.model_fields]


def test_every_role_and_every_key_of_trust_is_explained() -> None:
    assert named("releases", "Roles") == [role.value for role in Role]
    fields = TrustedKey.model_fields.items()
    assert named("releases", "trust.yaml") == [field.alias or name for name, field in fields]


def test_every_kind_of_entry_of_the_ledger_is_explained() -> None:
    union = get_args(get_args(Entry)[0])
    assert named("ledger", "Entries") == [kind.model_fields["entry"].default for kind in union]


def test_every_reason_approval_action_and_obstacle_of_a_promotion_is_explained() -> None:
    assert named("promotion", "Who has to agree") == [each.value for each in Approval]
    assert named("promotion", "Risks") == [each.value for each in Risk]
    assert named("promotion", "What is asked") == [each.value for each in Because]
    acts = named("promotion", "What the agent does")
    kinds = {kind.__name__ for kind in get_args(Action)}
    assert set(acts[: len(kinds)]) == kinds
    assert acts[len(kinds) :] == [each.value for each in Obstacle]


def test_the_figures_of_promotion_are_those_of_the_code() -> None:
    text = " ".join(read("promotion").split())
    hours = MOST_UNSEEN.total_seconds() / 3600
    assert f"at most {hours:.0f} hours apart" in text
    assert f"within {TAG_LASTS.days} days" in text
    assert f"more than {MOST_FAILURES} times in a row" in text
    assert HOTFIX_SHARE == 10
    assert "soaks for the tenth part when two people signed" in text
    assert (back_off(1).total_seconds(), back_off(99).total_seconds()) == (10, 600)


def test_every_request_of_futures_stands_on_the_page() -> None:
    section = read("exchange").partition("## Futures\n")[2].partition("\n## ")[0]
    floor = Floor(Book({}, Terms(), Fees()), {}, {})
    answers = (Public(None, floor, None), Accounts(None, floor), Trading(None, floor))
    paths = {path for each in answers for _, path in each.routes()}
    names = {path.split("/", 3)[3] for path in paths}
    assert sorted(name for name in names if f"`{name}`" not in section) == []


def test_every_command_phase_and_verb_of_the_agent_has_its_row() -> None:
    assert named("agent", "Commands") == list(agent.cli.commands)
    assert named("agent", "Phases") == [phase.value for phase in Phase]
    verbs = Deciding(None, DOCS, "").verbs | Verbs(None, DOCS)._reading  # type: ignore[arg-type]
    more = {*Acting(None, "").verbs, *Telling(None).verbs, *Newsroom(None).verbs}  # type: ignore[arg-type]
    asked = {*verbs, *Orphans(None, "").verbs, *Stop(None, "").verbs, *more}  # type: ignore[arg-type]
    assert sorted(named("agent", "Verbs")) == sorted(asked)


def test_every_command_and_figure_of_reconciling_is_told() -> None:
    assert named("reconciliation", "What to do about an orphan") == list(orphan.commands)
    text = " ".join(read("reconciliation").split())
    assert f"looked at for {budget.LATE:.0f} seconds" in text
    assert f"They are {TURN_SECONDS:.0f} seconds apart" in text
    assert f"budget: {budget.SHARE * 100:.0f} % of the request weight" in text
    assert f"1,500 of {weights.LIMITS['spot']:,} on Binance" in text
    assert f"have used {budget.RESERVE * 100:.0f} %" in text
    assert f"every {WHOLE_SECONDS:.0f} seconds; the orders" in text
    assert (LOOKS, TURNS, budget.LATE / 2) == (2, 2, 60)
    each = weights.look(5, "spot", orders=False)
    assert f"A look weighs {each}:" in text
    assert budget.Spent().routine(0, weights.LIMITS["spot"]) // each == 11


def test_every_check_kind_figure_and_metric_of_health_is_explained() -> None:
    assert named("health", "Checks") == [check.value for check in health.Check]
    kinds = {"down", "degraded", "stop", "clock", "host", "recovered"}
    assert set(named("health", "What is told")) == kinds
    figures = [
        n for cell in rows("health", "Observations") for n in re.findall(r"`(\w+)`", cell[0])
    ]
    own = [n for n in Observation.model_fields if n not in (*_SERIES, "at", "healthy")]
    assert sorted(figures) == sorted(own)
    told = named("health", "Prometheus")
    assert told == [figure.name for figure in metrics.FIGURES]
    agents = metrics.Metrics(_NOBODY).collect()  # type: ignore[arg-type]
    others = {each.name for each in agents} - set(told)
    assert sorted(name for name in others if f"`{name}" not in read("health")) == []


_SERIES = ("environment", "strategy", "release")
_NOBODY = SimpleNamespace(
    bots={},
    rounds=0,
    failed=0,
    host=health.Host(1, 1, 1.0, {"binance": 0.0}),
    standing=lambda _: None,
)


def test_the_figures_of_health_are_those_of_the_code() -> None:
    text = " ".join(read("health").split())
    assert f"end of a turn within {health.LOOP_SECONDS:.0f} seconds" in text
    assert f"did so within {health.PRIVATE_SECONDS:.0f} seconds" in text
    assert f"its timeframe and {health.CANDLE_SECONDS:.0f} seconds" in text
    assert f"within {health.CLOCK_SECONDS:.0f} second of" in text
    assert f"{health.DISK_BYTES >> 20} MiB are free where" in text
    assert f"{health.MEMORY_BYTES >> 20} MiB are free |" in text
    assert f"below {health.HOT_CELSIUS:.0f} °C" in text
    assert f"lasts for {health.BLIND_SECONDS:.0f} seconds" in text
    assert f"started after {health.START_SECONDS:.0f}." in text
    assert health.CALM_ROUNDS == 3
    assert (60, 60, timedelta(minutes=2)) == (TIME_SECONDS, BEAT_SECONDS, store.GAP)
    assert [level.kept.days for level in store.LEVELS] == [1, 14, 400]


def test_every_place_of_a_setting_that_is_imported_has_its_row() -> None:
    assert named("import-bot", "Where settings go") == [place.value for place in Place]
    fields = re.findall(r"`(\w+)`", read("import-bot").rpartition("`--json`")[2])
    assert fields == list(tell_bot.FIELDS)


def test_what_the_page_of_the_agent_says_in_figures_is_so() -> None:
    text = " ".join(read("agent").split())
    assert f"Every {agent.TICK_SECONDS:.0f} seconds" in text
    assert f"is given {PATIENCE.total_seconds():.0f} seconds" in text
    assert f"its log ({logs.LARGEST >> 20} MiB, and {logs.KEPT} older ones)" in text
    assert f"more than {MOST_FAILURES} times in a row" in text
    assert f"within {LEASE.total_seconds() / 60:.0f} minutes of the last renewal" in text


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_links_between_pages_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (DOCS / page).read_text(encoding="utf-8"))
    assert [link for link in links if not (DOCS / link).exists()] == []


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_links_to_headings_lead_to_one(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    for other, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", text):
        headings = re.findall(r"^#+ (.+)$", (DOCS / (other or page)).read_text(), re.MULTILINE)
        named = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
        assert anchor in named, f"{other}#{anchor}"


def test_every_topic_that_a_hint_points_to_is_a_page() -> None:
    code = "".join(path.read_text() for path in DOCS.parent.glob("pipelines/**/*.py"))
    topics = re.findall(r"sluice docs ([a-z][a-z-]+)|topic=\"([a-z-]+)\"", code)
    asked = {first or second for first, second in topics}
    assert [topic for topic in sorted(asked) if not (DOCS / f"{topic}.md").exists()] == []
