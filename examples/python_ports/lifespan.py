"""An application with a lifespan, and a session for each request.

The lifespan is as in Starlette, and the session as in FastAPI, which keeps the dependencies of a request in an
AsyncExitStack. This program has the few lines of them that matter:
https://fastapi.tiangolo.com/advanced/events/ and
https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/
"""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager


class HTTPException(Exception):
    def __init__(self, status):
        self.status = status


class Application:
    def __init__(self, lifespan):
        self.lifespan = lifespan

    async def serve(self, requests):
        async with self.lifespan(self) as state:
            print("serving")
            for path in requests:
                print(f"GET {path} -> {await self.respond(path, state)}")

    async def respond(self, path, state):
        try:
            async with AsyncExitStack() as stack:
                db = await stack.enter_async_context(session(state["pool"]))
                return await handle(path, db)
        except HTTPException as error:
            return error.status
        except Exception:
            return 500


@asynccontextmanager
async def connect(url):
    if not url.startswith("db:"):
        raise ConnectionError(f"no database at {url}")
    print(f"connected to {url}")
    try:
        yield {"sessions": 0}
    finally:
        await asyncio.sleep(0)
        print(f"disconnected from {url}")


def lifespan_of(url):
    @asynccontextmanager
    async def lifespan(app):
        async with connect(url) as pool:
            print("start-up is complete")
            yield {"pool": pool}
            print(f"shutdown after {pool['sessions']} sessions")

    return lifespan


@asynccontextmanager
async def session(pool):
    pool["sessions"] += 1
    number = pool["sessions"]
    try:
        yield number
    except Exception:
        print(f"session {number}: roll back")
        raise
    else:
        print(f"session {number}: commit")


async def handle(path, db):
    await asyncio.sleep(0)
    if path == "/missing":
        raise HTTPException(404)
    if path == "/broken":
        raise ValueError("broken")
    return 200


async def main():
    await Application(lifespan_of("db:main")).serve(["/", "/missing", "/broken", "/"])
    try:
        await Application(lifespan_of("nowhere")).serve(["/"])
    except ConnectionError as error:
        print(f"not started: {error}")


asyncio.run(main())
