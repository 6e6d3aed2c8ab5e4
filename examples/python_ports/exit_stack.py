"""Connections that are opened all or not at all, stay open, and are closed later.

After the recipe "Cleaning up in an __enter__ implementation" of the documentation of contextlib:
https://docs.python.org/3/library/contextlib.html#cleaning-up-in-an-enter-implementation
"""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager


@asynccontextmanager
async def connection(address):
    if address == "nowhere":
        raise ConnectionError(f"{address} does not answer")
    print(f"open {address}")
    sent = [address]
    try:
        yield sent
    finally:
        await asyncio.sleep(0)
        print(f"close {address} after {len(sent) - 1} messages")


async def say_goodbye(members):
    await asyncio.sleep(0)
    print(f"goodbye to {members} members")


class Cluster:
    def __init__(self, stack, connections):
        self._stack = stack
        self._connections = connections

    @classmethod
    async def open(cls, addresses):
        async with AsyncExitStack() as stack:
            connections = []
            for address in addresses:
                connections.append(await stack.enter_async_context(connection(address)))
            stack.push_async_callback(say_goodbye, len(connections))
            # All are open, so they stay open: the block leaves nothing to close.
            return cls(stack.pop_all(), connections)

    def send(self, message):
        for sent in self._connections:
            sent.append(message)
            print(f"send {message} to {sent[0]}")

    async def close(self):
        await self._stack.aclose()


async def main():
    cluster = await Cluster.open(["a", "b", "c"])
    cluster.send("hello")
    cluster.send("world")
    await cluster.close()

    try:
        await Cluster.open(["a", "b", "nowhere", "c"])
    except ConnectionError as error:
        print(f"not opened: {error}")


asyncio.run(main())
