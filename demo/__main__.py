"""Entry point of the demo site: `python -m demo`."""

import argparse
import contextlib
import socket
import sys

import uvicorn
from starlette.applications import Starlette

from demo.account import Account
from demo.connection import ConnectionProtocol
from demo.faults import FaultError, Faults, parse_fault_arguments
from demo.site import create_app


def main() -> None:
    """Print the address to stdout and serve until SIGINT or SIGTERM."""
    parser = _make_parser()
    options = parser.parse_args()
    try:
        faults = parse_fault_arguments(options.bad_day)
    except FaultError as error:
        parser.error(str(error))
    account = Account(options.email, options.password)
    app = create_app(account, faults, options.latency_ms)
    try:
        listener = socket.create_server((options.host, options.port), backlog=256)
    except OSError as error:
        parser.exit(1, f"demo: cannot listen on {options.host}:{options.port}: {error.strerror}\n")
    with listener:
        host, port = listener.getsockname()
        sys.stdout.write(f"demo: http://{host}:{port}\n")
        sys.stdout.flush()
        _serve(app, listener)


def _serve(app: Starlette, listener: socket.socket) -> None:
    config = uvicorn.Config(
        app,
        http=ConnectionProtocol,
        ws="none",
        log_level="critical",  # injected resets and hangs would be logged as errors
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,  # a page that hangs must not delay the exit
    )
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def _make_parser() -> argparse.ArgumentParser:
    bad_days = "\n".join(
        f"  {name:<22}{field.description}" for name, field in Faults.model_fields.items()
    )
    parser = argparse.ArgumentParser(
        prog="demo",
        description="Demo site: an imitation of TubeHunt.",
        epilog=f"bad days:\n{bad_days}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port", type=int, default=8090, help="port to listen on; 0 selects a free one"
    )
    parser.add_argument(
        "--latency-ms", type=int, default=50, help="response time of each page in ms"
    )
    parser.add_argument("--email", default=Account().email, help="e-mail address of the account")
    parser.add_argument("--password", default=Account().password, help="password of the account")
    parser.add_argument(
        "--bad-day",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="inject a fault; can be repeated",
    )
    return parser


if __name__ == "__main__":
    main()
