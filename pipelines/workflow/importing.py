"""`sluice import`: makes plugins out of freqtrade strategies that exist already.

Their code is read, never run. Whatever had to be guessed is said, and whatever will not work.
"""

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.adapters import git
from pipelines.adapters.ruff import Ruff
from pipelines.adapters.trees import FOLDER, MOST_BYTES, is_cache
from pipelines.checks import policy, promises
from pipelines.domain import source as code
from pipelines.domain.strategy import Strategy
from pipelines.domain.verdict import Finding
from pipelines.errors import BadInput, CannotTell, Problem
from pipelines.workflow.drafting import Draft, PassedOver, Wanted, drafted
from pipelines.workflow.planting import from_template, plant, refuse_taken


@dataclass(frozen=True)
class Imported:
    """One strategy that became a plugin.

    `guesses` are what its code did not say, `obstacles` what the gate will object to.
    """

    name: str
    class_name: str
    source: Path
    files: tuple[Path, ...]
    guesses: tuple[str, ...]
    obstacles: tuple[Finding, ...]


@dataclass(frozen=True)
class ImportReport:
    """What an import did, or without writing would do."""

    imported: tuple[Imported, ...]
    passed_over: tuple[PassedOver, ...]


def import_(
    root: Path, source: Path, pairs: tuple[str, ...] = (), owner: str = "", *, write: bool = True
) -> ImportReport:
    """Import a strategy's file, or every strategy below a folder.

    Every class becomes a plugin of its own; one that others in the file derive from does not.
    `pairs` are by default those of a `config.json` beside the source, else those of the embedded
    market. Without `write` nothing is written and the report says what would be.

    :raises BadInput: when there is nothing to import.
    """
    wanted = Wanted(source, pairs, owner or git.user_name(root) or "unknown")
    drafts, passed = list[Draft](), list[PassedOver]()
    for found in _found(wanted):
        if isinstance(found, PassedOver):
            passed.append(found)
        elif taken := _taken(root, found, drafts):
            passed.append(taken)
        else:
            drafts.append(found)
    if not drafts and not passed:
        hint = "name a .py file with a class that derives from IStrategy, or a folder of such"
        raise BadInput(f"{source}: holds no strategy", hint)
    drafts = [_judged(draft) for draft in drafts]
    made = {draft.strategy.name: _files(draft) for draft in drafts}
    if write and made:
        plant(root, made)
    return ImportReport(tuple(_imported(root, draft, made) for draft in drafts), tuple(passed))


def one(
    root: Path, source: Path, class_name: str, pairs: tuple[str, ...], owner: str
) -> tuple[Imported, dict[str, bytes]]:
    """The plugin that one class of a file becomes, and its files by name. Nothing is written.

    :raises BadInput: when it can become none.
    """
    wanted = Wanted(source, pairs, owner or git.user_name(root) or "unknown")
    for found in _found(wanted):
        if isinstance(found, PassedOver) and found.class_name in ("", class_name):
            raise Problem(str(source), found.reason, key=class_name, hint=found.hint)
        if isinstance(found, Draft) and found.strategy.manifest.class_name == class_name:
            draft = _judged(found)
            made = {draft.strategy.name: _files(draft)}
            return _imported(root, draft, made), made[draft.strategy.name]
    hint = "classes that others in the file derive from are none"
    raise Problem(str(source), f"holds no strategy {class_name}", hint=hint)


def file_of(folders: tuple[Path, ...], class_name: str) -> Path:
    """The file below these folders that holds a strategy of this name.

    :raises BadInput: when there is none, or more than one.
    """
    found = sorted(
        {path for each in folders if each.is_dir() for path in _holding(each, class_name)}
    )
    told = ", ".join(map(str, found or folders))
    if not found:
        hint = "'strategy_path' in the configuration names another folder"
        raise BadInput(f"{told}: holds no strategy {class_name}", hint)
    if len(found) > 1:
        raise BadInput(f"{class_name}: is declared twice: {told}", "keep the one that is traded")
    return found[0]


def _holding(folder: Path, class_name: str) -> Iterator[Path]:
    for path in _sources(folder):
        try:
            names = {node.name for node in code.strategy_classes(code.parse(path.read_bytes()))}
        except (OSError, code.NotPython):
            continue
        if class_name in names:
            yield path


def _found(wanted: Wanted) -> Iterator[Draft | PassedOver]:
    for path in _sources(wanted.source):
        try:
            content = path.read_bytes()
            tree = code.parse(content)
        except OSError as error:
            yield PassedOver(path, "", f"cannot be read: {error.strerror}")
            continue
        except code.NotPython as error:
            place = f"line {error.line}: " if error.line else ""
            yield PassedOver(path, "", f"{place}{error.message}", "mend it, then import again")
            continue
        for node in _leaves(tree):
            yield drafted(wanted, path, content, tree, node)


def _sources(source: Path) -> tuple[Path, ...]:
    if source.is_file():
        return (source,)
    if not source.is_dir():
        raise BadInput(f"{source}: there is no such file or folder")
    return tuple(
        path
        for path in sorted(source.rglob("*.py"))
        if not is_cache(path.relative_to(source).as_posix())
        and path.is_file()
        and not path.is_symlink()
        and not path.name.startswith("test_")
        and path.stat().st_size <= MOST_BYTES
    )


def _leaves(tree: ast.Module) -> Iterator[ast.ClassDef]:
    every = code.strategy_classes(tree)
    bases = {base.id for node in every for base in node.bases if isinstance(base, ast.Name)}
    return (node for node in every if node.name not in bases)


def _taken(root: Path, draft: Draft, earlier: list[Draft]) -> PassedOver | None:
    name, class_name = draft.strategy.name, draft.strategy.manifest.class_name
    for other in earlier:
        if name == other.strategy.name:
            reason = f"{other.source} holds a strategy of that name as well"
            return PassedOver(draft.source, class_name, reason, "rename one of the classes")
    try:
        refuse_taken(root, name)
    except BadInput as error:
        return PassedOver(draft.source, class_name, error.message, error.hint)
    return None


def _judged(draft: Draft) -> Draft:
    """With what the gate will object to, as far as the source alone tells."""
    strategy = draft.strategy
    tree = code.parse(strategy.files[0].content)
    found = [
        *policy.findings(strategy.files),
        *promises.of_source(strategy, tree, "USDT"),
        *promises.of_parameters(strategy),
        *_missing_neighbours(draft, tree),
        *_style(strategy),
    ]
    if strategy.manifest.trading_mode == "futures":
        what = f"{FOLDER}/{strategy.name}/strategy.yaml: trading_mode: futures"
        found.append(Finding(what=what, hint="it needs recorded futures candles to be checked on"))
    return replace(draft, obstacles=tuple(found))


def _style(strategy: Strategy) -> Iterator[Finding]:
    sources = {file.path: file.content for file in strategy.files if file.path.endswith(".py")}
    try:
        said = Ruff().run(sources)
    except CannotTell as error:
        yield Finding(what=f"style: {error.message}", hint=error.hint)
        return
    if said:
        first = f"{said[0].code} {said[0].text}, line {said[0].line}"
        yield Finding(
            what=f"{FOLDER}/{strategy.name}: ruff says {len(said)} things, the first: {first}",
            hint=f"run: ruff check --fix {FOLDER}/{strategy.name}",
        )


def _missing_neighbours(draft: Draft, tree: ast.Module) -> Iterator[Finding]:
    """Modules that lie beside the source and stayed there."""
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            stem = name.split(".")[0]
            if stem and (draft.source.parent / f"{stem}.py").is_file():
                yield Finding(
                    what=f"{FOLDER}/{draft.strategy.name}/strategy.py: needs {stem}.py",
                    hint=f"bring it in as {FOLDER}/shared/{stem.lower()}_v1.py, "
                    f"and import it as 'shared.{stem.lower()}_v1'",
                )


def _files(draft: Draft) -> dict[str, bytes]:
    strategy, manifest = draft.strategy, draft.strategy.manifest
    words = {
        "name": strategy.name,
        "class_name": manifest.class_name,
        "version": manifest.version,
        "owner": json.dumps(manifest.owner, ensure_ascii=False),
        "summary": json.dumps(manifest.summary, ensure_ascii=False),
        "pairs": ", ".join(f'"{p}"' if p.count(":") else p for p in manifest.pairs),
        "timeframe": manifest.timeframe,
        "informative": ", ".join(manifest.informative),
        "trading_mode": manifest.trading_mode,
        "handover": manifest.handover,
        "source": draft.source.name,
        "guesses": _listed(draft.guesses),
        "obstacles": _listed(tuple(_told(finding) for finding in draft.obstacles)),
    }
    own = {file.path.split("/", 1)[1]: file.content for file in strategy.files}
    return {
        "strategy.yaml": from_template("strategy.yaml", words),
        **own,
        f"test_{strategy.name}.py": from_template("imported_test.py", words),
        "README.md": from_template("imported_readme.md", words),
    }


def _told(finding: Finding) -> str:
    expected = f" (expected {finding.expected})" if finding.expected else ""
    return f"{finding.what}{expected}" + (f" – {finding.hint}" if finding.hint else "")


def _listed(lines: tuple[str, ...]) -> str:
    return "\n".join(f"- {line}" for line in lines) or "- nothing that the source shows"


def _imported(root: Path, draft: Draft, made: dict[str, dict[str, bytes]]) -> Imported:
    name = draft.strategy.name
    return Imported(
        name=name,
        class_name=draft.strategy.manifest.class_name,
        source=draft.source,
        files=tuple(root / FOLDER / name / file for file in made[name]),
        guesses=draft.guesses,
        obstacles=draft.obstacles,
    )
