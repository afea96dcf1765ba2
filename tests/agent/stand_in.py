"""A process that turns into light bots: `python stand_in.py -m runner.bots.preloaded FD FOLDER`.

It speaks with the agent's real launcher as the preloaded freqtrade does. A bot of it is a real
process that holds its real lock, says what it has loaded and answers on its port; it only doesn't
trade. Of a strategy with MEDDLES in it it says another configuration, with DIES it ends at once.
"""

import hashlib
import json
import os
import selectors
import signal
import socket
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from runner.bots.messages import LARGEST, Ended, Holder, Launch, Launched, Loaded, Told
from runner.monitoring import pulse
from runner.monitoring.pulse import Pulse


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def loaded(launch: Launch, config: dict[str, Any], source: bytes) -> Loaded:
    path = f"{launch.name.partition('.')[2]}/strategy.py"
    key = str(config["exchange"].get("api_key", ""))
    read = {name: value for name, value in config.items() if name != "initial_state"}
    told = json.dumps(read, sort_keys=True, separators=(",", ":"))
    return Loaded(
        pid=os.getpid(),
        freqtrade=os.environ["STAND_IN_FREQTRADE"],
        python=sys.executable,
        strategy=config["strategy"],
        files={path: digest(source)},
        source=digest(source),
        parameters="0" * 64,
        config=digest(told.encode()) if b"MEDDLES" not in source else "f" * 64,
        initial_state=config["initial_state"],
        dry_run=config["dry_run"],
        trading_mode=config["trading_mode"],
        exchange=config["exchange"]["name"],
        key=digest(key.encode()) if key else "",
        database=config["db_url"],
    )


def shown(config: dict[str, Any]) -> dict[str, Any]:
    told = {name: config[name] for name in ("bot_name", "dry_run", "trading_mode", "strategy")}
    named = {"version": os.environ["STAND_IN_FREQTRADE"], "exchange": config["exchange"]["name"]}
    return told | named | {"state": config["initial_state"]}


def status(config: dict[str, Any]) -> list[dict[str, Any]]:
    """The trades that are open in its database."""
    file = Path(config["db_url"].removeprefix("sqlite:///"))
    if not file.exists():
        return []
    with closing(sqlite3.connect(file)) as database:
        ids = database.execute("SELECT id FROM trades WHERE is_open = 1").fetchall()
    about = {
        "pair": "BTC/USDT",
        "is_open": True,
        "is_short": False,
        "amount": 1,
        "strategy": "Beat",
    }
    return [
        {**about, "trade_id": row[0], "open_timestamp": 0, "has_open_orders": False} for row in ids
    ]


TOLD = {b"stopentry": "paused", b"start": "running"}
"""What it is told, and how it runs from there on."""


def answer(config: dict[str, Any], request: bytes) -> Any:
    path = request.split(b" ")[1].partition(b"?")[0].removeprefix(b"/api/v1/")
    config["initial_state"] = TOLD.get(path, config["initial_state"])
    balance = {"total": 1, "total_bot": 1, "stake": "USDT"}
    health = {"last_process": datetime.now(UTC).isoformat()}
    answers = {
        b"show_config": shown(config),
        b"status": status(config),
        b"balance": balance,
        b"health": health,
    }
    return answers.get(path, {"status": "done"})


def serve(listening: socket.socket, config: dict[str, Any]) -> NoReturn:
    while True:
        connection, _ = listening.accept()
        with connection:
            try:
                request = connection.recv(64 * 1024)
                content = json.dumps(answer(config, request)).encode()
                head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(content)}\r\n"
                connection.sendall(head.encode() + b"connection: close\r\n\r\n" + content)
            except (OSError, IndexError):
                continue


def become(launch: Launch, secrets: int, lock: int) -> NoReturn:
    try:
        os.setsid()
        os.chdir(launch.folder)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        holder = Holder(name=launch.name, pid=os.getpid(), identity=launch.identity)
        os.pwrite(lock, holder.model_dump_json().encode() + b"\n", 0)
        with os.fdopen(secrets, "rb") as file:
            config: dict[str, Any] = Told.model_validate_json(file.read()).configuration
        home = Path(launch.folder)
        name = launch.name.partition(".")[2]
        source = (Path(launch.modules[0]) / name / "strategy.py").read_bytes()
        if b"DIES" in source:
            os._exit(3)
        listening = socket.create_server(("127.0.0.1", config["api_server"]["listen_port"]))
        making = home / f"{launch.loaded}.{os.getpid()}"
        making.write_text(loaded(launch, config, source).model_dump_json() + "\n")
        making.replace(home / launch.loaded)
        now = datetime.now(UTC)
        said = Pulse(pid=os.getpid(), at=now, timeframe=3600, turned=now, candle=now, private=now)
        pulse.write((home / launch.loaded).with_name(pulse.FILE), said)
        serve(listening, config)
    finally:
        os._exit(70)


def main() -> None:
    agent = socket.socket(fileno=int(sys.argv[3]))
    selector = selectors.DefaultSelector()
    selector.register(agent, selectors.EVENT_READ)
    agent.send(b"ready")
    while True:
        for key, _ in selector.select():
            if key.data is not None:
                name, pid = key.data
                selector.unregister(key.fd)
                os.close(key.fd)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                try:
                    agent.send(Ended(name=name, pid=pid, code=code).model_dump_json().encode())
                except OSError:
                    return
                continue
            packet, descriptors, _, _ = socket.recv_fds(agent, LARGEST, 2)
            if not packet:
                return
            launch = Launch.model_validate_json(packet)
            pid = os.fork()
            if pid == 0:
                agent.close()
                selector.close()
                become(launch, *descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (launch.name, pid))
            agent.send(Launched(name=launch.name, pid=pid).model_dump_json().encode())


if __name__ == "__main__":
    main()
