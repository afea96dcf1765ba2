"""A process that has freqtrade loaded and turns into bots: `python -m runner.bots.preloaded FD`.

Everything is imported once; each bot is a fork of it, so that bots share the memory of what they
import and are up at once. It listens on the socket FD; arguments behind it are folders that bots
see who are not root. When the agent goes away it ends, and its bots go on: they have trades to
manage.
"""

import contextlib
import gc
import importlib
import io
import json
import os
import random
import selectors
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO, cast

from pydantic import JsonValue

import pipelines
import runner
from pipelines.adapters.redaction import Redactor
from pipelines.domain.secret import Secret
from pipelines.freqtrade import exchanges
from pipelines.freqtrade.lean import lean
from runner.bots.logs import Pump, Rotating
from runner.bots.messages import LARGEST, TALLY, Ended, Holder, Launch, Launched, Told
from runner.bots.view import show
from runner.monitoring import pulse

_API = (
    "api_analysis",
    "api_auth",
    "api_background_tasks",
    "api_backtest",
    "api_download_data",
    "api_pair_history",
    "api_pairlists",
    "api_trading",
    "api_v1",
    "api_webserver",
    "api_ws",
    "web_ui",
)
"""The parts of freqtrade's own API, which it imports when it starts one."""

_PRELOADED = (
    "freqtrade.main",
    "freqtrade.commands.trade_commands",
    "freqtrade.worker",
    "freqtrade.freqtradebot",
    "freqtrade.exchange",
    "freqtrade.resolvers",
    "freqtrade.rpc.rpc_manager",
    "freqtrade.rpc.webhook",
    "freqtrade.rpc.api_server.webserver",
    *(f"freqtrade.rpc.api_server.{name}" for name in _API),
    "freqtrade.plugins.pairlist.StaticPairList",
    "freqtrade.optimize.backtesting",
    "freqtrade.exchange.check_exchange",
    "ccxt.async_support",
    "ccxt.pro",
    "pandas",
    "pyarrow.pandas_compat",
    "sqlalchemy.dialects.sqlite",
    "talib.abstract",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "uvloop",
    # Ours, which import freqtrade: not before this process is told to be lean.
    "runner.bots.beating",
    "runner.bots.following",
    "runner.bots.loaded",
    "runner.bots.tally",
)
"""What a bot imports until it trades."""


@dataclass(frozen=True)
class Bot:
    """One that was forked here."""

    name: str
    pid: int


class Preloaded:
    """Forks bots when it is told to, and tells when they end."""

    def __init__(self, agent: socket.socket) -> None:
        self._agent = agent
        self._selector = selectors.DefaultSelector()
        self._selector.register(agent, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until the agent goes away."""
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self._buried(key.fd, key.data)
                elif not self._told():
                    return

    def _told(self) -> bool:
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._agent, LARGEST, 2)
        except ConnectionResetError:
            return False
        if not packet:
            return False
        launch = Launch.model_validate_json(packet)
        secrets, lock = descriptors
        _share(launch.exchange)
        pid = os.fork()
        if pid == 0:
            self._agent.close()
            self._selector.close()
            _become(launch, secrets, lock)
        for descriptor in descriptors:
            os.close(descriptor)
        self._selector.register(os.pidfd_open(pid), selectors.EVENT_READ, Bot(launch.name, pid))
        self._tell(Launched(name=launch.name, pid=pid))
        return True

    def _buried(self, descriptor: int, bot: Bot) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(bot.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self._tell(Ended(name=bot.name, pid=bot.pid, code=code))

    def _tell(self, message: Launched | Ended) -> None:
        # An agent that is gone is noticed where it is listened to.
        with contextlib.suppress(OSError):
            self._agent.send(message.model_dump_json().encode())


def _share(exchange: str) -> None:
    """Import an exchange's classes here, where every bot that trades there shares them."""
    names = [f"{package}.{exchange}" for package in exchanges.LISTS]
    if names[0] in sys.modules:
        return
    for name in names:
        # Whether freqtrade can trade there is what the bot finds out, and says.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    _freeze()


def _freeze() -> None:
    """What is here stays: bots that looked through it for waste would copy its memory."""
    gc.collect()
    gc.freeze()


def _become(launch: Launch, secrets: int, lock: int) -> NoReturn:
    """Be the bot, in the fork: nothing of the parent goes on after this."""
    from runner.bots import beating, loaded, tally

    code = 70
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        holder = Holder(name=launch.name, pid=os.getpid(), identity=launch.identity)
        os.pwrite(lock, holder.model_dump_json().encode() + b"\n", 0)
        told = Told.model_validate_json(_read(secrets))
        _change_user(launch)
        os.chdir(launch.folder)
        _clean_environment(launch.folder)
        sys.path[:0] = launch.modules
        # A release lies there as it was packed, and nothing else with it.
        sys.dont_write_bytecode = True
        paused = Path(launch.paused).resolve() if launch.paused else None
        sys.stdin = cast(TextIO, Configuration(told.configuration, paused))
        random.seed()
        redactor = Redactor(Secret(text) for text in told.hidden)
        pump = Pump(Rotating(Path(launch.log)), redactor.stream())
        tally.count(Path(launch.loaded).resolve().with_name(TALLY))
        beating.beat(Path(launch.loaded).resolve().with_name(pulse.FILE))
        loaded.report(Path(launch.loaded).resolve())
        code = _trade(launch)
        pump.close()
    except OSError as error:
        # Nobody else would say why it never ran.
        print(f"{launch.name}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def _trade(launch: Launch) -> int:
    """freqtrade's own command, to its end."""
    import freqtrade.main

    from runner.bots import following

    try:
        if launch.follow is not None:
            following.follow(launch.name, launch.follow)
        freqtrade.main.main(["trade", "--config", "-"])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    return 0


class Configuration:
    """Standard input, as freqtrade reads its configuration there: again when it is reloaded.

    freqtrade forgets that it was told to pause, then. While the file `paused` is there it starts
    so, whatever the rest says.
    """

    def __init__(self, tree: Mapping[str, JsonValue], paused: Path | None = None) -> None:
        self._tree, self._paused = dict(tree), paused

    def __enter__(self) -> io.StringIO:
        pauses = self._paused is not None and self._paused.exists()
        return io.StringIO(json.dumps(self._tree | ({"initial_state": "paused"} if pauses else {})))

    def __exit__(self, *_: object) -> None:
        pass


def _read(descriptor: int) -> str:
    with os.fdopen(descriptor, encoding="utf-8") as file:
        return file.read()


def _change_user(launch: Launch) -> None:
    if launch.user is None:
        return
    os.setgroups([])
    os.setresgid(launch.user.gid, launch.user.gid, launch.user.gid)
    os.setresuid(launch.user.uid, launch.user.uid, launch.user.uid)


def _clean_environment(folder: str) -> None:
    """freqtrade reads settings from `FREQTRADE__…`: a stray one would change what was released."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    os.environ.clear()
    os.environ.update(kept, HOME=folder, TZ="UTC")


def _threads() -> list[str]:
    """Other threads. A fork does not copy them, and what they had locked would stay so for ever."""
    tasks = Path("/proc/self/task").iterdir()
    names = [(task / "comm").read_text().strip() for task in tasks if task.name != str(os.getpid())]
    # The allocator of Arrow looks after itself when its process forks (jemalloc, `pthread_atfork`).
    return [name for name in names if name != "jemalloc_bg_thd"]


def _python_places() -> list[Path]:
    """Where modules lie that a bot imports late, as a user who is not root."""
    interpreter = Path(sys.executable).resolve()
    packages = [Path(each.__path__[0]).resolve() for each in (pipelines, runner)]
    # One that a venv's .pth file names lies outside of its prefix.
    packages += [Path(name) for name in sys.path if Path(name).name == "site-packages"]
    return [Path(sys.prefix), Path(sys.base_prefix), interpreter.parent.parent, *packages]


def main() -> None:
    """Import what bots need, then wait for launches."""
    agent = socket.socket(fileno=int(sys.argv[1]))
    if os.geteuid() == 0:
        show([*_python_places(), *map(Path, sys.argv[2:])])
    os.environ["TZ"] = "UTC"
    lean()
    # All that is imported stays: looking for waste meanwhile finds none and takes a third longer.
    gc.disable()
    for name in _PRELOADED:
        importlib.import_module(name)
    gc.enable()
    if others := _threads():
        sys.exit(f"threads run already: {', '.join(others)}: no bot can be forked from here")
    _freeze()
    agent.send(b"ready")
    Preloaded(agent).serve()


if __name__ == "__main__":
    main()
