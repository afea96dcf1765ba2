"""The Bot API on loopback: `python stand_in.py READY RECORD`.

Every token of the right form is a bot of its own. What is posted to `/control` of it arms faults
and puts updates into its queue; every call stands in RECORD (SQLite) with what it was answered.
"""

import asyncio
import json
import os
import re
import sqlite3
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

MOST = 4096
_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]{30,}")
_TABLE = """
CREATE TABLE calls (
    number INTEGER PRIMARY KEY, at REAL, token TEXT, method TEXT, args TEXT, picture BLOB,
    code INTEGER, answer TEXT
)
"""


_GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription")
_CHAT = {
    "type": "private",
    "accent_color_id": 0,
    "max_reaction_count": 1,
    "accepted_gift_types": dict.fromkeys((*_GIFTS, "gifts_from_channels"), False),
}


@dataclass
class Account:
    """What one token has."""

    faults: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)
    poll: int = 0
    sent: int = 0


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code, self.parameters = code, parameters


class Api:
    def __init__(self, record: Path) -> None:
        self.accounts: dict[str, Account] = defaultdict(Account)
        self.record = sqlite3.connect(record, isolation_level=None)
        self.record.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; {_TABLE}")

    async def control(self, request: web.Request) -> web.Response:
        account = self.accounts[request.match_info["token"]]
        told = await request.json()
        account.faults += told.get("faults", [])
        account.updates += told.get("updates", [])
        account.unknown = told.get("unknown", account.unknown)
        if told.get("clear"):
            account.faults.clear()
        return web.json_response({})

    async def call(self, request: web.Request) -> web.StreamResponse:
        token, method = request.match_info["token"], request.match_info["method"]
        args, picture = await _arguments(request)
        at, lost = time.time(), False
        try:
            _refuse(token)
            fault = self._fault(token, method)
            lost = fault.get("kind") == "lost"
            await _suffer(fault)
            answer, code = await self._answer(token, method, args), 200
            body: dict[str, Any] = {"ok": True, "result": answer}
            if fault.get("kind") == "slow":
                await asyncio.sleep(fault["seconds"])
        except Refusal as error:
            code = error.code
            body = {"ok": False, "error_code": code, "description": str(error)}
            body |= {"parameters": error.parameters} if error.parameters else {}
        row = (at, token, method, json.dumps(args), picture, code, json.dumps(body))
        self.record.execute(
            "INSERT INTO calls (at, token, method, args, picture, code, answer) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)", row,
        )  # fmt: skip
        if lost and request.transport is not None:
            request.transport.close()
        return web.json_response(body, status=code)

    def _fault(self, token: str, method: str) -> dict[str, Any]:
        for fault in self.accounts[token].faults:
            if fault["method"] in (method, "*") and fault.get("times", 1) > 0:
                fault["times"] = fault.get("times", 1) - 1
                return fault
        return {}

    async def _answer(self, token: str, method: str, args: dict[str, Any]) -> Any:
        account = self.accounts[token]
        if "chat_id" in args and int(args["chat_id"]) in account.unknown:
            raise Refusal(400, "Bad Request: chat not found")
        match method:
            case "getMe":
                return {"id": int(token.partition(":")[0]), "is_bot": True, "first_name": "Sluice",
                        "username": "sluice_bot"}  # fmt: skip
            case "getUpdates":
                return await _updates(account, args)
            case "getChat":
                return {**_CHAT, "id": int(args["chat_id"])}
            case "sendMessage" | "sendPhoto" | "editMessageText":
                text = str(args.get("text", args.get("caption", "")))
                shown = re.sub(r"<[^>]*>", "", text)
                if len(shown) > (MOST if method != "sendPhoto" else 1024):
                    raise Refusal(400, "Bad Request: message is too long")
                account.sent += 1
                return {"message_id": int(args.get("message_id", account.sent)), "text": shown,
                        "date": int(time.time()),
                        "chat": {"id": int(args["chat_id"]), "type": "private"}}  # fmt: skip
            case "answerCallbackQuery" | "editMessageReplyMarkup" | "setMyCommands":
                return True
        raise Refusal(404, "Not Found")


def _refuse(token: str) -> None:
    if not _TOKEN.fullmatch(token):
        raise Refusal(401, "Unauthorized")


async def _suffer(fault: dict[str, Any]) -> None:
    match fault.get("kind"):
        case "429":
            seconds = fault["retry_after"]
            raise Refusal(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
        case "refuse":
            raise Refusal(fault["code"], fault["description"])


async def _updates(account: Account, args: dict[str, Any]) -> Any:
    account.poll += 1
    mine, until = account.poll, time.monotonic() + float(args.get("timeout", 0))
    offset = int(args.get("offset", 0))
    account.updates = [u for u in account.updates if u["update_id"] >= offset or u.get("stuck")]
    while time.monotonic() < until and not account.updates:
        await asyncio.sleep(0.02)
        if account.poll != mine:
            conflict = "Conflict: terminated by other getUpdates request; make sure that only one"
            raise Refusal(409, f"{conflict} bot instance is running")
    found = [{k: v for k, v in each.items() if k != "stuck"} for each in account.updates]
    # What is told again whatever was confirmed, is told again once.
    account.updates = [u for u in account.updates if not u.get("stuck")]
    return found


async def _arguments(request: web.Request) -> tuple[dict[str, Any], bytes | None]:
    if request.content_type.startswith("multipart/"):
        args, picture = {}, None
        async for part in await request.multipart():
            content = await part.read()  # type: ignore[union-attr]
            if part.filename:  # type: ignore[union-attr]
                picture = bytes(content)
            else:
                args[part.name] = content.decode()  # type: ignore[union-attr]
        return args, picture
    return {name: str(value) for name, value in (await request.post()).items()}, None


async def main(ready: Path, record: Path) -> None:
    api = Api(record)
    app = web.Application(client_max_size=2**26)
    app.add_routes(
        [
            web.post("/control/{token}", api.control),
            web.post("/bot{token}/{method}", api.call),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    (address,) = runner.addresses
    making = ready.with_suffix(".tmp")
    making.write_text(json.dumps({"url": f"http://127.0.0.1:{address[1]}", "pid": os.getpid()}))
    making.replace(ready)
    while os.getppid() != 1:
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
