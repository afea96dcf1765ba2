"""Candles on their way: published under a release on GitHub, and fetched for the steps of a job."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from pipelines.adapters import feather, lockfile
from pipelines.domain.candles import Candles
from pipelines.errors import BadInput, CannotTell, ExitCode, Refused
from pipelines.workflow import data, supply
from pipelines.workflow.github import supplying
from pipelines.workflow.place import Place

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class GitHub(BaseHTTPRequestHandler):
    """Releases and assets, as GitHub's API has them."""

    releases: dict[str, dict[str, bytes]]
    fails = 0

    def do_GET(self) -> None:
        tag = self.path.rpartition("/")[2]
        self._answer(200 if tag in self.releases else 404, tag)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        url = urlsplit(self.path)
        if url.path.startswith("/uploads/"):
            tag = url.path.rpartition("/")[2]
            self.releases[tag][parse_qs(url.query)["name"][0]] = content
        else:
            tag = json.loads(content)["tag_name"]
            assert json.loads(content)["prerelease"] is True
            self.releases[tag] = {}
        self._answer(201, tag)

    def _answer(self, status: int, tag: str) -> None:
        if self.fails or self.headers["Authorization"] != "Bearer t":
            status = self.fails or 401
        base = f"http://127.0.0.1:{self.server.server_address[1]}"
        told = {
            "upload_url": f"{base}/uploads/{tag}{{?name,label}}",
            "html_url": f"https://github.com/o/r/releases/tag/{tag}",
            "assets": [{"name": name} for name in self.releases.get(tag, {})],
        }
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[GitHub]]:
    handler = type("OneGitHub", (GitHub,), {"releases": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
        monkeypatch.setenv("GITHUB_TOKEN", "t")
        yield handler
        server.shutdown()
        thread.join()


@pytest.fixture
def here(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A project whose lock pins one recorded set, which lies packed in out/."""
    (project / "environments" / "data.lock").unlink()
    time = 1_577_836_800_000 + 3_600_000 * np.arange(48)
    price = np.arange(48, dtype=np.float64) + 100
    series = Candles("BTC/USDT", "1h", time, price, price + 2, price - 2, price + 1, price)
    feather.write(tmp_path / "candles" / "binance/BTC_USDT-1h.feather", series)
    data.pin(project, tmp_path / "candles", "mine", NOW, source="a test")
    supply.pack(project, tmp_path / "candles", "mine", project / "out", NOW)
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_ENV"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return Place(project, tmp_path / "home")


def test_a_set_is_published_once_with_the_lock_that_pins_it(
    here: Place, github: type[GitHub], tmp_path: Path
) -> None:
    for _ in range(2):
        assert supplying.publish(here, here.root / "out") is ExitCode.DONE
    digest = lockfile.load(here.root).sets["mine"].published_digest
    assert list(github.releases) == [f"data-{digest[:12]}"]
    ((tag, assets),) = github.releases.items()
    assert set(assets) == {f"{digest}.tar", "data.lock"}
    assert assets[f"{digest}.tar"] == (here.root / "out" / f"{digest}.tar").read_bytes()
    told = (tmp_path / "GITHUB_STEP_SUMMARY").read_text()
    assert f"https://github.com/o/r/releases/download/{tag}" in told


@pytest.mark.parametrize(("fails", "error"), [(403, Refused), (502, CannotTell)])
def test_a_no_of_github_is_not_a_dont_know(
    here: Place, github: type[GitHub], fails: int, error: type[Exception]
) -> None:
    github.fails = fails
    with pytest.raises(error, match=str(fails)):
        supplying.publish(here, here.root / "out")


def test_nothing_is_published_from_nowhere_or_by_nobody(
    here: Place, github: type[GitHub], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match="holds no set"):
        supplying.publish(here, here.root / "gone")
    monkeypatch.delenv("GITHUB_TOKEN")
    with pytest.raises(BadInput, match="not all set"):
        supplying.publish(here, here.root / "out")
    assert github.releases == {}


def test_a_job_has_what_the_lock_pins(
    here: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = partial(SimpleHTTPRequestHandler, directory=here.root / "out")
    with ThreadingHTTPServer(("127.0.0.1", 0), serving) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setenv("SLUICE_DATA_URL", base)
        assert supplying.candles(here, tmp_path / "sets", NOW) is ExitCode.DONE
        server.shutdown()
        thread.join()
    digest = lockfile.load(here.root).sets["mine"].published_digest
    first, folder, last = (tmp_path / "GITHUB_ENV").read_text().splitlines()
    assert first == f"SLUICE_CANDLES<<{last}"
    assert Path(folder) == (tmp_path / "sets" / digest).resolve()
    assert (Path(folder) / "binance/BTC_USDT-1h.feather").exists()
