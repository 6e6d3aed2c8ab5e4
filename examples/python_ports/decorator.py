"""A context as a decorator: entered anew for every call of the function.

After `track_entry_and_exit` in the documentation of contextlib:
https://docs.python.org/3/library/contextlib.html#using-a-context-manager-as-a-function-decorator
"""

import asyncio
from contextlib import asynccontextmanager


@asynccontextmanager
async def track_entry_and_exit(name):
    print(f"entering: {name}")
    try:
        yield
    finally:
        await asyncio.sleep(0)
        print(f"exiting: {name}")


@track_entry_and_exit("widget loader")
async def load_widgets(count):
    print(f"{count} widgets")
    return count


@track_entry_and_exit("outer")
@track_entry_and_exit("inner")
async def check(count):
    if count > 3:
        raise ValueError(f"{count} are too many")
    return count


class Countdown:
    @track_entry_and_exit("countdown")
    async def run(self, number):
        print(number)
        if number > 1:
            await self.run(number - 1)


async def main():
    print(f"loaded {await load_widgets(2)}")
    print(f"checked {await check(3)}")
    try:
        await check(4)
    except ValueError as error:
        print(f"refused: {error}")
    await Countdown().run(3)


asyncio.run(main())
