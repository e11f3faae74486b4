"""Applications of the tests on real ports, and their deadlines fired when a test says so."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from libs.common.deadlines import DeadlineRunner
from tests.policy.builders import at


@asynccontextmanager
async def served(app: Any, port: int = 0) -> AsyncIterator[str]:
    """A running application on that port, or a free one; its URL."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None)
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            # As Server.shutdown does, without the fifth of a second it gives to open requests.
            for listening in server.servers:
                listening.close()
            for connection in list(server.server_state.connections):
                connection.shutdown()


async def fire_due(client: Any, now: str) -> None:
    """Let the deadlines of the client's service that are due by then do their work."""
    running = client.app.state.running
    runner = DeadlineRunner(running.jobs)
    async with running.db.worker() as connection:
        while await runner.fire_due(connection, at(now)):
            pass
