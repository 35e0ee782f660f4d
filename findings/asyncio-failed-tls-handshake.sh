#!/usr/bin/env bash
# CPython 3.11.7, uvloop 0.23.0: a client that connects to a TLS port and closes without a handshake (a port check) makes
# the loop construct a protocol that never gets connection_made or connection_lost. uvloop drops it at once. asyncio's own
# loop keeps it in a reference cycle until the garbage collector runs (CPython 3.13.0 no longer does): what a server
# counts in the protocol's constructor and finalizer is late by as much. Seen: 5 of 5 alive with asyncio, 0 with uvloop.
set -euo pipefail
python="${PYTHON:-python3}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check uvloop==0.23.0
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$scratch/key" -out "$scratch/cert" 2>/dev/null
cat "$scratch/key" "$scratch/cert" >"$scratch/pem"
"$scratch/venv/bin/python" - "$scratch/pem" <<'CODE'
import asyncio
import gc
import ssl
import sys
import weakref

import uvloop

CLIENTS = 5


class Counted(asyncio.Protocol):
    pass


def alive_after_port_checks(new_event_loop):
    protocols = []

    def factory():
        protocol = Counted()
        protocols.append(weakref.ref(protocol))
        return protocol

    async def main():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1])
        server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0, ssl=context)
        address = server.sockets[0].getsockname()
        for _ in range(CLIENTS):
            _, writer = await asyncio.open_connection(*address)
            writer.close()
            await writer.wait_closed()
        while len(protocols) < CLIENTS:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        before = sum(each() is not None for each in protocols)
        gc.collect()
        after = sum(each() is not None for each in protocols)
        server.close()
        return before, after

    gc.collect()
    gc.disable()
    loop = new_event_loop()
    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()
        gc.enable()


seen = {
    "asyncio": alive_after_port_checks(asyncio.new_event_loop),
    "uvloop": alive_after_port_checks(uvloop.new_event_loop),
}
print(f"Python {sys.version.split()[0]}: protocols alive before and after a collection: {seen}")
expected = {"asyncio": (CLIENTS if sys.version_info < (3, 12) else seen["asyncio"][0], 0), "uvloop": (0, 0)}
sys.exit(seen != expected)
CODE
