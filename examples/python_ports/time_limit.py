"""`asyncio.timeout` around contexts: what is cut off is cleaned up before the program goes on.

After the documentation of asyncio: https://docs.python.org/3/library/asyncio-task.html#timeouts
"""

import asyncio
from contextlib import asynccontextmanager

LONG = 60
SHORT = 0.02


@asynccontextmanager
async def session(name):
    print(f"begin {name}")
    try:
        yield
    except asyncio.CancelledError:
        # The clean-up awaits, although the task was cancelled.
        await asyncio.sleep(0.001)
        print(f"{name} was cancelled")
        raise
    else:
        await asyncio.sleep(0.001)
        print(f"{name} has ended")


async def work(name, seconds):
    async with session(name), session(f"{name}'s step"):
        print(f"{name} works")
        await asyncio.sleep(seconds)
        print(f"{name} is done")


async def limited(name, seconds, limit):
    try:
        async with asyncio.timeout(limit):
            await work(name, seconds)
    except TimeoutError:
        print(f"{name} took too long")


async def main():
    await limited("quick", 0, LONG)
    await limited("slow", LONG, SHORT)

    # The limit is inside of another session, which goes on, and ends after what was cut off in it.
    async with session("report"):
        await limited("chart", LONG, SHORT)
        print("the report has no chart")


asyncio.run(main())
