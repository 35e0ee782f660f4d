"""Clients of WebSockets behind one small face: websockets, aiohttp and node."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import websockets

__all__ = ["Aiohttp", "Client", "Ended", "Node", "Websockets"]

Message = str | bytes
PATIENCE = 20.0


@dataclass(frozen=True)
class Ended:
    """What a client has seen: the messages, the subprotocol, and the close code and reason."""

    messages: list[Message]
    subprotocol: str | None
    code: int
    reason: str


class Client(Protocol):
    def talk(self, url: str, messages: list[Message], subprotocols: list[str], *, closes: bool) -> Ended:
        """Send the messages one by one, each after the answer to the last; then close, or wait for the close."""

    def status(self, url: str) -> int | None:
        """The status of a handshake that is denied; None if the client does not tell."""


class Websockets:
    def __init__(self, compression: str | None) -> None:
        self._compression = compression

    def talk(self, url: str, messages: list[Message], subprotocols: list[str], *, closes: bool) -> Ended:
        return asyncio.run(self._talk(url, messages, subprotocols, closes))

    async def _talk(self, url: str, messages: list[Message], subprotocols: list[str], closes: bool) -> Ended:
        options: dict[str, Any] = {"proxy": None, "compression": self._compression, "max_size": None}
        async with asyncio.timeout(PATIENCE), websockets.connect(url, subprotocols=subprotocols, **options) as socket:
            if self._compression:
                assert socket.protocol.extensions
            seen: list[Message] = []
            for message in messages:
                await socket.send(message)
                seen.append(await socket.recv())
            if closes:
                await socket.close(1000, "bye")
            await socket.wait_closed()
            assert socket.close_code is not None
            return Ended(seen, socket.subprotocol, socket.close_code, socket.close_reason or "")

    def status(self, url: str) -> int | None:
        async def ask() -> int:
            try:
                async with websockets.connect(url, proxy=None):
                    return 101
            except websockets.InvalidStatus as error:
                return int(error.response.status_code)

        return asyncio.run(ask())


class Aiohttp:
    def talk(self, url: str, messages: list[Message], subprotocols: list[str], *, closes: bool) -> Ended:
        return asyncio.run(self._talk(url, messages, subprotocols, closes))

    async def _talk(self, url: str, messages: list[Message], subprotocols: list[str], closes: bool) -> Ended:
        async with (
            asyncio.timeout(PATIENCE),
            aiohttp.ClientSession() as session,
            session.ws_connect(url, protocols=subprotocols, compress=15, max_msg_size=0) as socket,
        ):
            seen: list[Message] = []
            for message in messages:
                await (socket.send_str(message) if isinstance(message, str) else socket.send_bytes(message))
                seen.append((await socket.receive()).data)
            if closes:
                await socket.close(code=1000)
                return Ended(seen, socket.protocol, socket.close_code or 0, "")
            end = await socket.receive()
            assert end.type is aiohttp.WSMsgType.CLOSE, end
            return Ended(seen, socket.protocol, int(end.data), end.extra or "")

    def status(self, url: str) -> int | None:
        async def ask() -> int:
            async with aiohttp.ClientSession() as session:
                try:
                    async with session.ws_connect(url):
                        return 101
                except aiohttp.WSServerHandshakeError as error:
                    return error.status

        return asyncio.run(ask())


SCRIPT = """
const [url, messages, subprotocols, closes] = JSON.parse(process.argv[1]);
const socket = new WebSocket(url, subprotocols);
socket.binaryType = "arraybuffer";
const seen = [];
const send = () => {
  const message = messages[seen.length];
  if (message === undefined) { if (closes) socket.close(1000, "bye"); return; }
  socket.send("text" in message ? message.text : Buffer.from(message.bytes, "base64"));
};
socket.onopen = send;
socket.onmessage = (event) => {
  seen.push(typeof event.data === "string" ? {text: event.data} : {bytes: Buffer.from(event.data).toString("base64")});
  send();
};
let told = false;
const tell = (code, reason) => {
  if (!told) console.log(JSON.stringify({seen, subprotocol: socket.protocol, code, reason}));
  told = true;
};
socket.onclose = (event) => tell(event.code, event.reason);
socket.onerror = () => setTimeout(() => tell(1006, ""), 100); // a handshake that is denied: node 20 tells of no close
"""


class Node:
    """The WebSocket that is built into node; before version 22 it is behind a flag.

    :param node: the path of the program.
    """

    def __init__(self, node: str) -> None:
        self._command = [node, "--no-warnings", "--experimental-websocket", "-e", SCRIPT]

    def talk(self, url: str, messages: list[Message], subprotocols: list[str], *, closes: bool) -> Ended:
        packed = [
            {"text": each} if isinstance(each, str) else {"bytes": base64.b64encode(each).decode()} for each in messages
        ]
        argument = json.dumps([url, packed, subprotocols, closes])
        done = subprocess.run([*self._command, argument], capture_output=True, text=True, timeout=60, check=True)
        told = json.loads(done.stdout)
        seen = [each["text"] if "text" in each else base64.b64decode(each["bytes"]) for each in told["seen"]]
        return Ended(seen, told["subprotocol"] or None, told["code"], told["reason"])

    def status(self, url: str) -> int | None:
        assert self.talk(url, [], [], closes=True).code == 1006
        return None
