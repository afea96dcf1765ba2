"""Plugins on the disk, or in a git revision, become strategies. Their code is read, never run."""

import difflib
import keyword
from dataclasses import dataclass
from pathlib import Path

from pipelines import documents
from pipelines.adapters import git
from pipelines.adapters.trees import (
    FOLDER,
    MOST_BYTES_IN_ALL,
    MOST_FILES,
    Leaf,
    Revision,
    Tree,
    WorkingTree,
)
from pipelines.domain.document import sha256
from pipelines.domain.source import NotPython, SharedImport, parse, shared_imports
from pipelines.domain.strategy import Manifest, SourceFile, Strategy
from pipelines.errors import BadInput, Problem, Problems

MANIFEST = "strategy.yaml"


def names(root: Path) -> tuple[str, ...]:
    """The names of all plugins, sound or not.

    :raises BadInput: when there is no `strategies` folder.
    """
    if not (root / FOLDER).is_dir():
        raise BadInput(
            f"{root}: has no folder {FOLDER!r}", "run this in the repository, or 'sluice new NAME'"
        )
    return WorkingTree(root).names()


def read(root: Path, name: str) -> Strategy:
    """The plugin `strategies/<name>` and the shared code that it uses.

    :raises BadInput: when there is none, or something is wrong with it; all problems at once.
    """
    check_name(name)
    known = names(root)
    if name not in known:
        raise _unknown(name, known)
    return _strategy(WorkingTree(root), name)


def read_at(root: Path, name: str, revision: str) -> Strategy | None:
    """The plugin as it was in a git revision.

    None when it was not there, or could not be read there: what was never sound has no figures
    to hold a change against, so a change that mends it is judged like a new strategy.

    :raises SluiceError: when git cannot tell, or knows no such revision.
    """
    try:
        check_name(name)
    except BadInput:
        return None
    tree = Revision(root, git.resolve(root, revision))
    if name not in tree.names():
        return None
    try:
        return _strategy(tree, name)
    except BadInput:
        return None


def incumbent(root: Path, name: str, revision: str) -> Strategy | None:
    """The plugin as it was where the current work left `revision`; None as for `read_at`.

    :raises SluiceError: when git cannot tell what HEAD and `revision` have in common.
    """
    return read_at(root, name, git.merge_base(root, revision))


def changed_since(root: Path, revision: str) -> tuple[str, ...]:
    """The plugins whose content, shared code included, differs from the merge base with HEAD.

    Work that is not committed counts. Plugins that are gone are not listed.

    :raises SluiceError: when git cannot tell what HEAD and `revision` have in common.
    """
    now, then = WorkingTree(root), Revision(root, git.merge_base(root, revision))
    before = set(then.names())
    return tuple(
        name
        for name in names(root)
        if name not in before or _gather(now, name).digest != _gather(then, name).digest
    )


def others(root: Path, name: str) -> tuple[tuple[str, str], ...]:
    """Name and class of every other plugin; the class is empty where the manifest is unreadable."""
    tree = WorkingTree(root)
    return tuple((other, _class_of(tree, other)) for other in names(root) if other != name)


def _class_of(tree: Tree, name: str) -> str:
    try:
        return _manifest(_gather(tree, name)).class_name
    except BadInput:
        return ""


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a plugin.

    :raises BadInput: with a name that would do.
    """
    where = f"{FOLDER}/{name}"
    if name == "shared":
        raise Problem(where, "is where shared code lives", hint="name a plugin")
    if not (name.isascii() and name.isidentifier()):
        raise Problem(
            where,
            "should be named like a Python variable",
            hint=f"call it {suggested(name)!r}",
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise Problem(where, "is a word of Python's own", hint=f"call it {suggested(name)!r}")


def suggested(name: str) -> str:
    """A plugin's name as near to a text as the rules allow: `my-strat` becomes `my_strat`."""
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in name).strip("_").lower()
    plain = "_".join(part for part in plain.split("_") if part)
    if not plain or plain[0].isdigit() or plain == "shared" or keyword.iskeyword(plain):
        return f"strategy_{plain}".rstrip("_")
    return f"{plain}_strategy" if keyword.issoftkeyword(plain) else plain


def _unknown(name: str, known: tuple[str, ...]) -> Problem:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    listed = f"there are: {', '.join(known)}" if known else "there is none yet: 'sluice new NAME'"
    hint = f"did you mean {near[0]!r}? {listed}" if near else listed
    return Problem(f"{FOLDER}/{name}", "there is no such strategy", hint=hint)


@dataclass(frozen=True)
class _Gathered:
    """Everything found of one plugin, good and bad."""

    name: str
    files: tuple[SourceFile, ...]
    shared: tuple[SourceFile, ...]
    problems: tuple[Problem, ...]

    @property
    def digest(self) -> str:
        """Like `Strategy.digest`, but defined for what is broken as well."""
        every = sorted((*self.files, *self.shared), key=lambda file: file.path)
        lines = [f"{file.digest} {file.path}" for file in every]
        return sha256("\n".join(lines + [p.message for p in self.problems]).encode())


def _strategy(tree: Tree, name: str) -> Strategy:
    found = _gather(tree, name)
    problems = list(found.problems)
    try:
        manifest = _manifest(found)
    except Problems as several:
        problems += several.problems
    except Problem as one:
        problems.append(one)
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(tuple(problems))
    return Strategy(name, manifest, found.files, found.shared)


def _manifest(found: _Gathered) -> Manifest:
    where = f"{FOLDER}/{found.name}/{MANIFEST}"
    file = next((f for f in found.files if f.path == f"{found.name}/{MANIFEST}"), None)
    if file is None:
        raise Problem(where, "there is no such file", hint="see 'sluice docs strategy'")
    return documents.parse(file.content, Manifest, where, "strategy")


def _gather(tree: Tree, name: str) -> _Gathered:
    leaves = tree.leaves(name)
    problems = _faults(name, leaves)
    try:
        files = _files(tree, leaves)
        shared, missing = _shared(tree, files)
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
        return _Gathered(name, (), (), (Problem(f"{FOLDER}/{name}", reason),))
    return _Gathered(name, files, shared, (*problems, *missing))


def _faults(name: str, leaves: tuple[Leaf, ...]) -> list[Problem]:
    found = [
        Problem(f"{FOLDER}/{leaf.path}", leaf.fault, hint=leaf.hint)
        for leaf in leaves
        if leaf.fault
    ]
    folder, hint = f"{FOLDER}/{name}", "candles and models do not belong into a plugin"
    if sum(leaf.size for leaf in leaves) > MOST_BYTES_IN_ALL:
        found.append(Problem(folder, "is too large: at most 8 MiB in all", hint=hint))
    if len(leaves) > MOST_FILES:
        found.append(Problem(folder, f"holds more than {MOST_FILES} files", hint=hint))
    if all(leaf.path not in (name, f"{name}/strategy.py") for leaf in leaves):
        reason = "there is no such file"
        found.append(Problem(f"{folder}/strategy.py", reason, hint="the class goes there"))
    return found


def _files(tree: Tree, leaves: tuple[Leaf, ...]) -> tuple[SourceFile, ...]:
    # What is too much is refused already; enough is read to say what else is wrong.
    room, sound = MOST_BYTES_IN_ALL, list[str]()
    manifest_first = sorted(leaves, key=lambda leaf: not leaf.path.endswith(f"/{MANIFEST}"))
    for leaf in manifest_first[:MOST_FILES]:
        room -= leaf.size
        if not leaf.fault and room >= 0:
            sound.append(leaf.path)
    contents = tree.contents(tuple(sorted(sound)))
    return tuple(SourceFile(path, content) for path, content in contents.items())


def _shared(
    tree: Tree, files: tuple[SourceFile, ...]
) -> tuple[tuple[SourceFile, ...], list[Problem]]:
    """The shared modules that files import, and those that these import, and so on."""
    there = {leaf.path: leaf for leaf in tree.leaves("shared")}
    found, problems, looked_at = dict[str, SourceFile](), list[Problem](), list(files)
    while looked_at:
        file = looked_at.pop(0)
        for wanted in _imports(file):
            path = f"shared/{wanted.module}.py"
            if path in found:
                continue
            if not wanted.module or path not in there or there[path].fault:
                problems.append(_missing(file, wanted, there))
                continue
            found[path] = SourceFile(path, tree.contents((path,))[path])
            looked_at.append(found[path])
    return tuple(found[path] for path in sorted(found)), problems


def _imports(file: SourceFile) -> tuple[SharedImport, ...]:
    if not file.path.endswith(".py"):
        return ()
    try:
        return tuple(shared_imports(parse(file.content)))
    except NotPython:
        return ()  # the manifest check and the policy say so, with the line


def _missing(file: SourceFile, wanted: SharedImport, there: dict[str, Leaf]) -> Problem:
    where = f"{FOLDER}/{file.path}"
    if not wanted.module:
        return Problem(
            where,
            f"imports {wanted.text}, which is no versioned module",
            line=wanted.line,
            hint="shared code is imported as 'from shared.<name>_v<number> import …'",
        )
    path = f"shared/{wanted.module}.py"
    if path in there:
        return Problem(f"{FOLDER}/{path}", there[path].fault, hint=there[path].hint)
    modules = [p.removeprefix("shared/").removesuffix(".py") for p in there if p.endswith(".py")]
    near = difflib.get_close_matches(wanted.module, modules, n=1)
    return Problem(
        where,
        f"imports {wanted.text}, and there is no {FOLDER}/{path}",
        line=wanted.line,
        hint=f"did you mean 'shared.{near[0]}'?" if near else "add it, or correct the import",
    )
