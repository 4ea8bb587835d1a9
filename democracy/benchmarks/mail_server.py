"""A mail server on loopback that takes every mail, and writes its recipient into a file before it answers.

`python mail_server.py PORT FILE`: a program of its own, so that it takes no time from whoever measures.
"""

from __future__ import annotations

import asyncio
import os
import sys

_HOST = "127.0.0.1"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, file: int) -> None:
    recipient = b""
    writer.write(b"220 bench\r\n")
    while line := (await reader.readline()).strip():
        verb = line[:4].upper()
        if verb == b"RCPT":
            recipient = line.partition(b"<")[2].rstrip(b">")
        if verb == b"DATA":
            writer.write(b"354 go on\r\n")
            while (await reader.readline()).rstrip(b"\r\n") != b".":
                pass
            os.write(file, recipient + b"\n")
        writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 OK\r\n")
        await writer.drain()
    writer.close()


async def _main(port: int, path: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    server = await asyncio.start_server(lambda reader, writer: _serve(reader, writer, file), _HOST, port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2]))
