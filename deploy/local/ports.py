"""Free TCP ports on the loopback for servers that may be killed and started again on them."""

import random
import socket

LOOPBACK = "127.0.0.1"

# Below the range from which Linux (32768 up) and macOS (49152 up) take the ports of outgoing
# connections: a client that retries a dead port of that range can connect to itself, and a
# stranger's connection can take the port while the server is down.
_FIRST, _LAST = 15_000, 29_999
_MAX_TRIES = 200


def free_port() -> int:
    """A port nobody listens on now. Random, so that stacks started together rarely meet."""
    for _ in range(_MAX_TRIES):
        port = random.randint(_FIRST, _LAST)
        if is_free(port):
            return port
    raise OSError(f"No free port on {LOOPBACK} between {_FIRST} and {_LAST}.")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port whose old connections are in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
