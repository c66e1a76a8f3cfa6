"""`python -m api`: serve the API with uvicorn, with a deadline for the arrival of requests.

`uvicorn api.app:app` serves the same API without the deadline, for example behind a proxy that has
one.
"""

import argparse
from typing import Final

import uvicorn

from api.slow_requests import DeadlineProtocol

#: Time for open downloads after a stop; Docker sends SIGKILL after 10 s.
_SHUTDOWN_S: Final = 8


def main() -> None:
    """Parse the address and serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on")
    arguments = parser.parse_args()
    uvicorn.run(
        "api.app:app",
        host=arguments.host,
        port=arguments.port,
        http=DeadlineProtocol,
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )


if __name__ == "__main__":
    main()
