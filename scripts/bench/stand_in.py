"""A stand-in for a server of a model: it says `look`.

It takes MS milliseconds for each answer, however many it has at once. Run as
`python -m homebody.scripts.bench.stand_in MS`; it prints its port, and ends when it is killed.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys

ANSWER = {"choices": [{"message": {"role": "assistant", "content": "look"}, "finish_reason": "stop"}], "usage": {}}
MODELS = {"data": [{"id": "toy", "owned_by": "a stand-in"}]}


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Answer the requests of one connection."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            await reader.readexactly(int(length[1]) if length else 0)
            path = head.split(b" ", 2)[1]
            status, found = "200 OK", ANSWER if path.endswith(b"/chat/completions") else MODELS
            if found is ANSWER:
                await asyncio.sleep(seconds)
            elif not path.endswith(b"/models"):
                status = "404 Not Found"
            body = json.dumps(found)
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _main(seconds: float) -> None:
    server = await asyncio.start_server(lambda reader, writer: _serve(reader, writer, seconds), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(float(sys.argv[1]) / 1e3))
