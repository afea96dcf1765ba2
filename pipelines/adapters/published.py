"""Sets of candles as they are published: one tar, named after the digest of what is in it."""

import io
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import IO

from pipelines.domain.candles import DataSet
from pipelines.errors import CannotTell, Problem

BASE_VARIABLE = "SLUICE_DATA_URL"
"""The environment variable that says where sets are published: a folder or a URL."""

_MOST_BYTES = 4 << 30
_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 60
_FOREIGN = "get it from somebody else, or pack it again with 'sluice data pack'"


def pack(folder: Path, data: DataSet, target: Path) -> None:
    """Write the files of a set into a tar: the same bytes for the same files.

    :raises OSError: when a file cannot be read, or the tar cannot be written.
    """
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(_expected(data)):
            content = (folder / name).read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))


def get(base: str, digest: str, target: Path) -> str:
    """Copy `<base>/<digest>.tar` to `target`; the place that it came from.

    `base` is a folder, or a URL that starts with file://, http:// or https://.

    :raises BadInput: when the base is neither, or a folder has no such tar.
    :raises CannotTell: when it cannot be fetched.
    """
    scheme = urllib.parse.urlsplit(base).scheme
    if scheme in {"http", "https"}:
        return _get_url(f"{base.rstrip('/')}/{digest}.tar", target)
    if scheme not in {"", "file"}:
        hint = f"give a folder, or a URL with file://, http:// or https://, or set {BASE_VARIABLE}"
        raise Problem(base, "is no place that candles can be fetched from", hint=hint)
    folder = Path(urllib.request.url2pathname(urllib.parse.urlsplit(base).path) if scheme else base)
    return _get_file(folder / f"{digest}.tar", target)


def _get_file(path: Path, target: Path) -> str:
    try:
        with path.open("rb") as source, target.open("wb") as copy:
            _copy(source, copy, str(path))
    except FileNotFoundError:
        hint = "sets are published as <digest>.tar; see --from"
        raise Problem(str(path), "there is no such file", hint=hint) from None
    except OSError as error:
        raise CannotTell(f"{path}: cannot be read: {error.strerror}", "try again") from None
    return str(path)


def _get_url(url: str, target: Path) -> str:
    hint = (
        f"see whether it is published there, or name another place with --from or {BASE_VARIABLE}"
    )
    try:
        with (
            urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as source,
            target.open("wb") as copy,
        ):
            _copy(source, copy, url)
            expected = source.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        error.close()
        raise CannotTell(f"{url}: the server says {error.code} {error.reason}", hint) from None
    except (OSError, ValueError, urllib.error.URLError) as error:
        reason = getattr(error, "reason", None) or error
        raise CannotTell(f"{url}: cannot be fetched: {reason}", hint) from None
    if expected and expected.isdecimal() and int(expected) != target.stat().st_size:
        raise CannotTell(f"{url}: the connection ended in the middle", "try again")
    return url


def _copy(source: IO[bytes], target: IO[bytes], where: str) -> None:
    copied = 0
    while chunk := source.read(_CHUNK):
        copied += len(chunk)
        if copied > _MOST_BYTES:
            raise Problem(where, f"is larger than {_MOST_BYTES >> 30} GiB", hint=_FOREIGN)
        target.write(chunk)


def unpack(tar: Path, data: DataSet, folder: Path, where: str) -> None:
    """Unpack exactly the files of a set. What they hold is still to be verified.

    :raises BadInput: when the tar is broken, lacks a file, or holds anything else.
    """
    left = _expected(data)
    try:
        with tarfile.open(tar, "r:") as opened:
            for entry in opened:
                if entry.name not in left or not entry.isreg() or entry.size > _MOST_BYTES:
                    message = f"holds {entry.name!r}, which is no part of the set"
                    raise Problem(where, message, hint=_FOREIGN)
                left.remove(entry.name)
                opened.extract(entry, folder, filter="data")
    except (tarfile.TarError, EOFError, ValueError):
        raise Problem(where, "is no tar, or only a part of one", hint=_FOREIGN) from None
    if left:
        raise Problem(where, f"lacks {min(left)}", hint=_FOREIGN)


def _expected(data: DataSet) -> set[str]:
    return {data.file(pair, timeframe).as_posix() for pair, timeframe, _ in data.every()}
