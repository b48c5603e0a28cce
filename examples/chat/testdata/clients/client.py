"""A WebSocket client that is told what to do: the Python package websockets.

It takes the commands of ws.mjs, where they are explained, and answers as that
does. It works with the websockets of Debian 12 (10.4) and later ones.
"""

import asyncio
import base64
import http.client
import json
import sys
import urllib.parse

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

PATIENCE = 20


def short(value):
    text = json.dumps(value)
    return text[:200] + "..." if len(text) > 200 else text


class Client:
    def __init__(self):
        self.socket = None
        self.open = False

    async def connect(self, url, deflate=None):
        settings = {"extensions": [ClientPerMessageDeflateFactory(**deflate)], "compression": None} if deflate is not None else {}
        self.socket = await websockets.connect(
            url, open_timeout=PATIENCE, close_timeout=2 * PATIENCE, max_size=2**21, **settings
        )
        self.open = True

    async def send(self, text):
        await self.socket.send(text)

    async def binary(self, data):
        await self.socket.send(bytes.fromhex(data))

    async def echo(self, binary, data, pieces):
        data = base64.b64decode(data)
        if not binary:
            data = data.decode()
        size = len(data) // pieces
        parts = [data[i * size : (i + 1) * size] for i in range(pieces - 1)] + [data[(pieces - 1) * size :]]
        await self.socket.send(parts if pieces > 1 else data)
        got = await self.socket.recv()
        if got != data:
            raise AssertionError(f"got {short(repr(got))}, want {short(repr(data))}")

    async def text(self, expected):
        got = await self.socket.recv()
        if got != expected:
            if isinstance(got, bytes):
                got = {"binary": got.hex()}
            raise AssertionError(f"got {short(got)}, want {short(expected)}")

    async def ping(self, payload):
        await (await self.socket.ping(payload)) # returns after the pong with this payload

    async def closed(self, code):
        try:
            got = await self.socket.recv()
        except websockets.exceptions.ConnectionClosed as closed:
            got = closed.rcvd and closed.rcvd.code
            if got != code:
                raise AssertionError(f"closed with {got}, want {code}") from closed
        else:
            raise AssertionError(f"got {short(repr(got))}, want a close with {code}")
        await self.socket.wait_closed()
        self.open = False

    async def close(self, code):
        await self.socket.close(code)
        self.open = False
        if self.socket.close_code != code:
            raise AssertionError(f"closed with {self.socket.close_code}, want {code}")

    async def refused(self, url, status, hint):
        # The package reports the status; only newer versions report the text.
        try:
            socket = await websockets.connect(url, open_timeout=PATIENCE)
        except websockets.exceptions.InvalidHandshake as refused:
            response = getattr(refused, "response", refused)
            if response.status_code != status:
                raise AssertionError(f"refused with {response.status_code}, want {status}") from refused
        else:
            await socket.close()
            raise AssertionError("it was accepted")
        got, body = await asyncio.get_running_loop().run_in_executor(None, answer, url)
        if got != status or hint not in body:
            raise AssertionError(f"refused with {got} {short(body)}, want {status} and {short(hint)}")


def answer(url):
    """Makes the handshake by hand, for the text of its refusal."""
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=PATIENCE)
    try:
        connection.request(
            "GET",
            where.path,
            headers={
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            },
        )
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def say(line):
    print(json.dumps(line), flush=True)


async def main():
    client = Client()
    loop = asyncio.get_running_loop()
    # The commands are read in another thread, while the connection runs.
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        name, *args = json.loads(line)
        try:
            await asyncio.wait_for(getattr(client, name)(*args), PATIENCE)
        except Exception as error: # any error is the reason of the failure
            say({"failed": name, "why": f"{type(error).__name__}: {error}"})
            return 1
        say({"done": name})
    if client.open:
        say({"failed": "end", "why": "a connection is still open"})
        return 1
    return 0


if __name__ == "__main__":
    # UTF-8 on every system.
    sys.stdin.reconfigure(encoding="utf-8")
    sys.stdout.reconfigure(encoding="utf-8")
    sys.exit(asyncio.run(main()))
