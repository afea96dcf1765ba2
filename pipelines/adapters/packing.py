"""A release as one file: a tar that is the same, byte for byte, wherever it is packed.

There is one way to write it, and reading accepts nothing else: every header is written again and
compared. So links, owners, padding that says something and members that nobody asked for cannot
even be expressed, and no general reader of tars meets what a stranger wrote.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from pipelines import documents
from pipelines.adapters import exact
from pipelines.adapters.exact import AGAIN
from pipelines.adapters.folders import appear
from pipelines.domain.document import sha256
from pipelines.domain.release import Release
from pipelines.domain.strategy import Manifest, Strategy
from pipelines.errors import BadInput, Refused

DESCRIPTION = "release.json"
FOLDER = "strategies/"
MOST_BYTES = 16 << 20
MOST_FILES = 400

_BLOCK = 512
_END = bytes(2 * _BLOCK)
_LONGEST_NAME = 100
_KINDS = {b"1": "a hard link", b"2": "a symbolic link", b"5": "a folder"}


def pack(release: Release, strategy: Strategy) -> bytes:
    """The tar of a release.

    :raises Refused: when it is too large to be unpacked anywhere.
    """
    files = {f"{FOLDER}{file.path}": file.content for file in (*strategy.files, *strategy.shared)}
    files[DESCRIPTION] = release.canonical()
    content = b"".join(_member(name, files[name]) for name in sorted(files)) + _END
    if len(content) > MOST_BYTES or len(files) > MOST_FILES:
        limit = f"at most {MOST_FILES} files and {MOST_BYTES >> 20} MiB in all"
        raise Refused(f"{release.id}: is too large for a release: {limit}", "use less shared code")
    return content


def _member(name: str, content: bytes) -> bytes:
    return _header(name.encode(), len(content)) + content + bytes(-len(content) % _BLOCK)


def _header(name: bytes, size: int) -> bytes:
    """The header of an ordinary file that belongs to nobody and is as old as time (POSIX ustar)."""
    before = name.ljust(_LONGEST_NAME, b"\0") + b"0000644\0" + b"0000000\0" * 2
    before += b"%011o\0" % size + b"%011o\0" % 0
    after = (b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2).ljust(356, b"\0")
    total = sum(before) + sum(b" " * 8) + sum(after)
    return before + b"%06o\0 " % total + after


def read(content: bytes, where: str) -> tuple[Release, dict[str, bytes]]:
    """What a release is, and its files by path below `strategies/`.

    `where` is how messages name the tar. Its digest should have been compared before.

    :raises Refused: when it is not exactly what packing this release writes.
    """
    if len(content) > MOST_BYTES:
        raise Refused(f"{where}: is larger than {MOST_BYTES >> 20} MiB", AGAIN)
    members = list(_members(content, where))
    names = [name for name, _ in members]
    if any(later <= earlier for earlier, later in pairwise(names)):
        raise Refused(f"{where}: its files are not sorted, or one stands twice", AGAIN)
    files = dict(members)
    release = _described(files.pop(DESCRIPTION, None), where)
    expected = {f"{FOLDER}{file.path}": file for file in release.files}
    reasons = [f"holds {name}, which is no part of it" for name in files if name not in expected]
    reasons += [f"lacks {name}" for name in expected if name not in files]
    reasons += [
        f"{name} is not what {DESCRIPTION} says"
        for name, file in expected.items()
        if name in files and (len(files[name]), sha256(files[name])) != (file.size, file.digest)
    ]
    reasons += () if reasons else _contradictions(release, files)
    if reasons:
        raise Refused("\n".join(f"{where}: {reason}" for reason in reasons), AGAIN)
    return release, {name.removeprefix(FOLDER): files[name] for name in sorted(files)}


def _contradictions(release: Release, files: dict[str, bytes]) -> tuple[str, ...]:
    """What the manifest says other than the release: its version is in no digest but by that."""
    name = f"{FOLDER}{release.name}/strategy.yaml"
    try:
        version = documents.parse(files.get(name, b""), Manifest, name).version
    except BadInput as error:
        return tuple(error.message.splitlines())
    if version == release.version:
        return ()
    return (f"{name} says version {version}, {DESCRIPTION} {release.version}",)


def _members(content: bytes, where: str) -> Iterator[tuple[str, bytes]]:
    at, count = 0, 0
    while content[at : at + _BLOCK] != bytes(_BLOCK):
        header = content[at : at + _BLOCK]
        name, size = header[:_LONGEST_NAME].rstrip(b"\0"), header[124:135]
        shown = name.decode("latin-1").encode("unicode_escape").decode()
        if kind := _KINDS.get(header[156:157]):
            raise Refused(f"{where}: {shown} is {kind}", AGAIN)
        if not size.isdigit() or header != _header(name, _octal(size)):
            raise Refused(f"{where}: byte {at}: is no file as releases hold them", AGAIN)
        first, last = at + _BLOCK, at + _BLOCK + _octal(size)
        at = last + -last % _BLOCK
        count += 1
        if at > len(content) or any(content[last:at]):
            raise Refused(f"{where}: {shown} is cut off, or not padded with zeros", AGAIN)
        if count > MOST_FILES:
            raise Refused(f"{where}: holds more than {MOST_FILES} files", AGAIN)
        yield shown, content[first:last]
    if content[at:] != _END:
        raise Refused(f"{where}: does not end where its last file ends", AGAIN)


def _octal(digits: bytes) -> int:
    try:
        return int(digits, 8)
    except ValueError:
        return -1


def _described(content: bytes | None, where: str) -> Release:
    if content is None:
        raise Refused(f"{where}: lacks {DESCRIPTION}", AGAIN)
    return exact.read(Release, content, f"{where}: {DESCRIPTION}")


def unpack(content: bytes, digest: str, target: Path, where: str) -> Release:
    """Make the folder `target` with the plugin and its shared code; the release.

    The digest, which a statement vouches for, is compared before a byte is looked at. The folder
    appears as a whole or not at all; one that is there already must hold the same.

    :raises Refused: when this is not the release, or `target` holds something else.
    :raises CannotTell: when it cannot be written.
    """
    if sha256(content) != digest:
        raise Refused(f"{where}: is not the release that was signed: its digest differs", AGAIN)
    release, files = read(content, where)
    appear(target, lambda making: _fill(making, files))
    if reasons := differences(release, target):
        hint = f"delete {target} and unpack it again"
        raise Refused("\n".join(f"{target}: {reason}" for reason in reasons), hint)
    return release


def _fill(folder: Path, files: dict[str, bytes]) -> None:
    for path, content in files.items():
        documents.write(folder / path, content)
    for made in folder.rglob("*"):
        # Whoever unpacks it under a narrow umask is not the user that runs it.
        made.chmod(0o755 if made.is_dir() else 0o644)


def differences(release: Release, folder: Path) -> tuple[str, ...]:
    """What in an unpacked release is not as it was packed; nothing when all is.

    :raises OSError: when it cannot be read.
    """
    expected = {file.path: file.digest for file in release.files}
    there = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or not path.is_dir()
    }
    found = [
        f"holds {name}, which is no part of the release" for name in there if name not in expected
    ]
    found += [f"lacks {name}" for name in expected if name not in there]
    found += [
        f"{name} is not what was packed"
        for name, path in there.items()
        if name in expected
        and (path.is_symlink() or not path.is_file() or sha256(path.read_bytes()) != expected[name])
    ]
    return tuple(found)
