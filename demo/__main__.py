"""Run the stand-in site: `python -m demo`."""

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
    """Serve until SIGINT or SIGTERM; say on standard output where."""
    parser = _make_parser()
    options = parser.parse_args()
    try:
        bad_days = parse_fault_arguments(options.bad_day)
    except FaultError as error:
        parser.error(str(error))
    account = Account(options.email, options.password)
    app = create_app(account, bad_days, options.latency_ms)
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
        log_level="critical",  # a reset and a hang are what was asked for, not errors
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,  # a page that hangs must not hold up the end
    )
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def _make_parser() -> argparse.ArgumentParser:
    days = "\n".join(
        f"  {name:<22}{field.description}" for name, field in Faults.model_fields.items()
    )
    parser = argparse.ArgumentParser(
        prog="demo",
        description="The stand-in TubeHunt site.",
        epilog=f"bad days:\n{days}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="0 takes any that is free")
    parser.add_argument("--latency-ms", type=int, default=50, help="how long each page takes")
    parser.add_argument("--email", default=Account().email, help="the account's e-mail address")
    parser.add_argument("--password", default=Account().password, help="the account's password")
    parser.add_argument(
        "--bad-day",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="switch a bad day on; may be given again",
    )
    return parser


if __name__ == "__main__":
    main()
