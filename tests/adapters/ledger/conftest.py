"""A ledger on both databases; PostgreSQL's server is one of our own, on a socket in a folder."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pipelines.adapters.ledger import Ledger

PATIENCE = 60


def program(name: str) -> str:
    """Debian keeps the server's programs off PATH, one folder for each version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name) or name


@pytest.fixture(scope="session")
def server() -> Iterator[Path]:
    """The folder of the socket of a PostgreSQL server that is ours alone."""
    # Not below pytest's own folder, which only this user may enter; the server runs as another.
    folder = Path(tempfile.mkdtemp(prefix="sluice-pg-"))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user, user)
    owner = {"user": user, "group": user, "extra_groups": []} if user else {}
    data = folder / "data"
    setup = [program("initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-N"]
    subprocess.run(setup, check=True, capture_output=True, timeout=PATIENCE, cwd=folder, **owner)
    # No test pulls the machine's plug, so the disk need not be waited for.
    settings = ["-c", "listen_addresses=", "-c", "fsync=off"]
    options = ["-D", str(data), "-k", str(folder), *settings]
    with (folder / "log").open("wb") as log:
        argv = [program("postgres"), *options]
        running = subprocess.Popen(argv, stdout=log, stderr=log, cwd=folder, **owner)
    try:
        wait_for(folder, running)
        yield folder
    finally:
        running.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
        running.wait(PATIENCE)
        shutil.rmtree(folder)


def wait_for(folder: Path, running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            psycopg.connect(f"user=postgres host={folder}").close()
        except psycopg.OperationalError:
            ended = running.poll() is not None or time.monotonic() > deadline
            assert not ended, (folder / "log").read_text()
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def postgresql(server: Path) -> str:
    """The URL of a database with nothing in it."""
    with psycopg.connect(f"user=postgres host={server}", autocommit=True) as connection:
        connection.execute("SET lock_timeout = '10s'")
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return f"postgresql://postgres@/postgres?host={server}"


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))]
)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a ledger may be made, on each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.sqlite"
    return str(request.getfixturevalue("postgresql"))


@pytest.fixture
def anchor(tmp_path: Path) -> Path:
    """The file that remembers the head."""
    return tmp_path / "ledger.head"


@pytest.fixture
def ledger(url: str, anchor: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    opened = Ledger.open(url, anchor)
    yield opened
    opened.close()
