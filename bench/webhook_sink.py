# SPDX-License-Identifier: Apache-2.0
"""The cheapest receiver of webhooks that there is in Python: prints its port, then for each line of standard input how many have come."""
import asyncio
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
count = 0


class Sink(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.data = transport, b""

    def data_received(self, data):
        global count
        self.data += data
        while True:
            head, blank, rest = self.data.partition(b"\r\n\r\n")
            if not blank:
                return
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            if len(rest) < length:
                return
            self.data = rest[length:]
            count += 1
            self.transport.write(ANSWER)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop.add_reader(0, lambda: print(count, flush=True) if sys.stdin.readline() else loop.stop())
    await server.serve_forever()


try:
    asyncio.run(main())
except RuntimeError:  # the loop was stopped
    pass
