"""Where candles come from: published sets, and freqtrade's downloader."""

import io
import tarfile
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from pipelines.adapters import feather, lockfile
from pipelines.domain.candles import Candles
from pipelines.errors import BadInput, CannotTell, SluiceError
from pipelines.freqtrade.download import Span, Wanted
from pipelines.workflow import data, supply

NOW = datetime(2024, 1, 1, tzinfo=UTC)
START, HOUR = 1_577_836_800_000, 3_600_000
FILE = "binance/BTC_USDT-1h.feather"


def candles(count: int = 48, lift: float = 0) -> Candles:
    price = np.arange(count, dtype=np.float64) + 100 + lift
    time = START + HOUR * np.arange(count)
    return Candles("BTC/USDT", "1h", time, price, price + 2, price - 2, price + 1, price * 10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    feather.write(tmp_path / "candles" / FILE, candles())
    data.pin(tmp_path, tmp_path / "candles", "mine", NOW, source="a test")
    return tmp_path / "candles"


@pytest.fixture
def tar(tmp_path: Path, folder: Path) -> Path:
    return supply.pack(tmp_path, folder, "mine", tmp_path / "published", NOW)


def test_packing_twice_gives_the_same_bytes_under_the_digest(tmp_path: Path, folder: Path) -> None:
    one = supply.pack(tmp_path, folder, "mine", tmp_path / "one", NOW)
    (folder / FILE).touch()
    two = supply.pack(tmp_path, folder, "mine", tmp_path / "two", NOW)
    assert one.name == f"{lockfile.load(tmp_path).sets['mine'].published_digest}.tar"
    assert one.read_bytes() == two.read_bytes()
    assert [path.name for path in (tmp_path / "one").iterdir()] == [one.name]


def test_candles_that_are_not_the_pinned_ones_are_not_packed(tmp_path: Path, folder: Path) -> None:
    feather.write(folder / FILE, candles(lift=1))
    with pytest.raises(BadInput, match="other candles"):
        supply.pack(tmp_path, folder, "mine", tmp_path / "published", NOW)
    assert not (tmp_path / "published").exists()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "published").mkdir(exist_ok=True)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Quiet, directory=str(tmp_path / "published"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        serving.daemon_threads = False  # closing waits for them
        threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


@pytest.mark.parametrize("kind", ["folder", "file", "http"])
def test_what_was_packed_is_fetched(tmp_path: Path, tar: Path, server: str, kind: str) -> None:
    bases = {"folder": str(tar.parent), "file": tar.parent.as_uri(), "http": server}
    done = supply.fetch(tmp_path, tar.stem, bases[kind], tmp_path / "fetched", NOW)
    assert (done.name, done.digest) == ("mine", tar.stem)
    assert done.source.endswith(tar.name)
    assert (done.folder / FILE).read_bytes() == (tmp_path / "candles" / FILE).read_bytes()
    assert [path.name for path in (tmp_path / "fetched").iterdir()] == [tar.stem]
    assert data.verify(tmp_path, done.folder, tmp_path, NOW).unsound == ()


def test_the_first_letters_of_a_digest_are_enough(tmp_path: Path, tar: Path) -> None:
    done = supply.fetch(tmp_path, tar.stem[:12], str(tar.parent), tmp_path / "fetched", NOW)
    assert done.digest == tar.stem


def test_fetching_again_verifies_what_is_there(tmp_path: Path, tar: Path) -> None:
    fetch = partial(supply.fetch, tmp_path, tar.stem, str(tar.parent), tmp_path / "fetched", NOW)
    done = fetch()
    assert fetch().source == ""
    feather.write(done.folder / FILE, candles(lift=1))
    with pytest.raises(BadInput, match="other candles") as caught:
        fetch()
    assert caught.value.hint == f"delete {done.folder} and fetch it again"


def raised(tmp_path: Path, digest: str, base: str, kind: type[SluiceError]) -> tuple[str, str]:
    with pytest.raises(kind) as caught:
        supply.fetch(tmp_path, digest, base, tmp_path / "fetched", NOW)
    assert not list((tmp_path / "fetched").glob("*"))
    assert caught.value.hint
    return caught.value.message, caught.value.hint


@pytest.mark.parametrize("digest", ["", "abc", "0" * 64, "../../etc/passwd"])
def test_a_digest_that_the_lock_does_not_pin_is_refused(
    tmp_path: Path, tar: Path, digest: str
) -> None:
    said, hint = raised(tmp_path, digest, str(tar.parent), BadInput)
    assert said == f"environments/data.lock: pins no set with the digest {digest!r}"
    assert f"mine is {tar.stem[:12]}" in hint


@pytest.mark.parametrize(
    ("base", "kind", "expected"),
    [
        ("", BadInput, "nothing says where candles are published"),
        ("ftp://example.org", BadInput, "is no place that candles can be fetched from"),
        ("nowhere", BadInput, "there is no such file"),
        ("http://127.0.0.1:1", CannotTell, "cannot be fetched: [Errno 111] Connection refused"),
    ],
)
def test_a_place_without_the_set_is_told(
    tmp_path: Path, tar: Path, base: str, kind: type[SluiceError], expected: str
) -> None:
    assert expected in raised(tmp_path, tar.stem, base, kind)[0]


def test_a_server_without_the_set_is_told(tmp_path: Path, tar: Path, server: str) -> None:
    tar.unlink()
    said, _ = raised(tmp_path, tar.stem, server, CannotTell)
    assert said == f"{server}/{tar.name}: the server says 404 File not found"


def entry(name: str, content: bytes = b"", **changed: object) -> Callable[[Path], None]:
    """A tar that holds one more entry than it should."""

    def add(path: Path) -> None:
        with tarfile.open(path, "a") as opened:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in changed.items():
                setattr(info, key, value)
            opened.addfile(info, io.BytesIO(content))

    return add


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1500])


def others(path: Path) -> None:
    made = path.parent / "other.feather"
    feather.write(made, candles(lift=1))
    with tarfile.open(path, "w") as opened:
        opened.add(made, FILE)
    made.unlink()


def empty(path: Path) -> None:
    tarfile.open(path, "w").close()


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (entry("../escaped", b"x"), "holds '../escaped', which is no part of the set"),
        (entry("/tmp/escaped", b"x"), "holds '/tmp/escaped', which is no part of the set"),
        (entry("more.txt", b"x"), "holds 'more.txt', which is no part of the set"),
        (entry(FILE, b"x"), f"holds {FILE!r}, which is no part of the set"),
        (
            entry("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
            "holds 'link', which is no part of the set",
        ),
        (cut, "is no tar, or only a part of one"),
        (empty, f"lacks {FILE}"),
        (lambda path: path.write_bytes(b"no tar" * 999) and None, "is no tar"),
        (others, f"{FILE}: holds other candles than data.lock records"),
    ],
)
def test_a_tar_that_is_not_the_set_leaves_nothing_behind(
    tmp_path: Path, tar: Path, harm: Callable[[Path], None], expected: str
) -> None:
    harm(tar)
    said, _ = raised(tmp_path, tar.stem, str(tar.parent), BadInput)
    assert said.startswith(str(tar))
    assert expected in said
    assert not (tmp_path / "escaped").exists()


WANTED = Wanted(("BTC/USDT",), ("1h",))


def child(found: Candles | None, code: int = 0) -> Callable[[Sequence[str]], int]:
    """A downloader that writes these candles, or none."""

    def run(command: Sequence[str]) -> int:
        folder = Path(command[command.index("--datadir") + 1])
        if found:
            feather.write(folder / "BTC_USDT-1h.feather", found)
        return code

    return run


def test_downloaded_candles_replace_those_that_they_extend(tmp_path: Path, folder: Path) -> None:
    done = supply.download(folder, WANTED, Span(days=3), NOW, run=child(candles(60)))
    assert done.files == ((folder / FILE, 60),)
    assert len(feather.read(folder / FILE, "BTC/USDT", "1h")) == 60
    assert [path.name for path in folder.iterdir()] == ["binance"]


def test_the_downloader_sees_what_is_there_already(tmp_path: Path, folder: Path) -> None:
    def run(command: Sequence[str]) -> int:
        path = Path(command[command.index("--datadir") + 1]) / "BTC_USDT-1h.feather"
        assert len(feather.read(path, "BTC/USDT", "1h")) == 48
        return child(candles(50))(command)

    supply.download(folder, WANTED, Span(), NOW, run=run)


@pytest.mark.parametrize(
    ("run", "kind", "expected"),
    [
        (
            child(None),
            CannotTell,
            f"freqtrade's downloader brought nothing for {FILE} and ended with exit code 0; "
            "nothing was changed",
        ),
        (
            child(candles(60), code=2),
            CannotTell,
            "freqtrade's downloader brought all files and ended with exit code 2; "
            "nothing was changed",
        ),
        (
            child(candles(60, lift=-130)),
            BadInput,
            "downloaded BTC_USDT-1h.feather: open is -30, not above zero",
        ),
    ],
)
def test_a_download_that_failed_changes_nothing(
    folder: Path, run: Callable[[Sequence[str]], int], kind: type[SluiceError], expected: str
) -> None:
    before = (folder / FILE).read_bytes()
    with pytest.raises(kind) as caught:
        supply.download(folder, WANTED, Span(), NOW, run=run)
    assert caught.value.message.startswith(expected)
    assert caught.value.hint
    assert (folder / FILE).read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["binance"]


def test_an_unknown_timeframe_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no timeframe 7m"):
        supply.download(tmp_path / "new", Wanted(("BTC/USDT",), ("7m",)), Span(), NOW)
    assert not (tmp_path / "new").exists()


def test_what_the_downloader_prints_goes_to_standard_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert supply.run_child(("sh", "-c", "echo progress; exit 3")) == 3
    assert capfd.readouterr() == ("", "progress\n")


@pytest.mark.freqtrade
def test_the_real_downloader_without_a_network_changes_nothing(folder: Path) -> None:
    # no exchange of this name, so that it ends at once, with or without a network
    before = (folder / FILE).read_bytes()
    with pytest.raises(CannotTell, match="downloader brought nothing for nowhere/BTC_USDT"):
        supply.download(folder, WANTED, Span(), NOW, exchange="nowhere")
    assert (folder / FILE).read_bytes() == before
