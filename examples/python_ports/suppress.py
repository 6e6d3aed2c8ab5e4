"""Errors that are swallowed: the ready-made `suppress`, and a context that says what it swallowed.

After the documentation of contextlib.suppress:
https://docs.python.org/3/library/contextlib.html#contextlib.suppress
"""

import asyncio
import tempfile
from contextlib import asynccontextmanager, suppress
from pathlib import Path


class Invalid(Exception):
    pass


class Full(Exception):
    pass


@asynccontextmanager
async def skipping(row):
    try:
        yield
    except Invalid as error:
        print(f"skipped {row}: {error}")


@asynccontextmanager
async def savepoint(row):
    print(f"savepoint for {row}")
    try:
        yield
    except BaseException:
        print("undone")
        raise
    else:
        print("kept")


async def load(rows):
    for row in rows:
        # The savepoint is the inner one: it is told of the error, and then the error is swallowed.
        async with skipping(row), savepoint(row):
            if row == "x":
                raise Invalid("not a number")
            if int(row) > 9:
                raise Full(f"no room for {row}")
            print(f"loaded {row}")


async def main():
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "cache"
        path.write_text("old")
        for attempt in (1, 2):
            with suppress(FileNotFoundError):
                path.unlink()
                print(f"attempt {attempt}: removed")
            print(f"attempt {attempt}: the file is gone")

    await load(["1", "x", "2"])
    try:
        await load(["3", "10", "4"])
    except Full as error:
        print(f"not swallowed: {error}")


asyncio.run(main())
