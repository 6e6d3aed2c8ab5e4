"""What `src/bin/python.rs` compares with: prints nanoseconds a use, one line for each program."""

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager

COUNT = 100_000


@asynccontextmanager
async def context(n):
    resource = [n + 1]
    yield resource
    resource[0] -= 1


async def one(n):
    async with context(n) as resource:
        resource[0] += 1
        return resource[0]


async def stack_of_three(n):
    async with AsyncExitStack() as stack:
        total = 0
        for _ in range(3):
            resource = await stack.enter_async_context(context(n))
            resource[0] += 1
            total += resource[0]
        return total


async def measure(program):
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter_ns()
        for n in range(COUNT):
            await program(n)
        best = min(best, (time.perf_counter_ns() - start) / COUNT)
    return best


async def main():
    for program in one, stack_of_three:
        print(program.__name__, await measure(program))


asyncio.run(main())
