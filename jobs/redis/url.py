"""REDIS_URL, parsed once for redis-py, kombu and Flower, which parse it differently.

kombu verifies no certificate for a plain `rediss://`, takes a Sentinel's master name only from an
option, and drops the password when it moves on to the next Sentinel; Flower ignores all parameters
(kombu 5.7 `transport/redis.py` and `connection.py`, Flower 2.2 `utils/broker.py`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_PORTS = {"redis": 6379, "rediss": 6379, "sentinel": 26379}
_TLS = frozenset({"ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_keyfile"})
_SENTINEL = frozenset({"master_name", "sentinel_username", "sentinel_password"})
#: The query parameters that a URL may have, by its scheme.
_PARAMETERS = {"redis": frozenset[str](), "rediss": _TLS, "sentinel": _TLS | _SENTINEL}


class RedisUrlError(ValueError):
    """REDIS_URL is invalid. The message gives the reason without any value: one is a password."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"REDIS_URL {reason}")


@dataclass(frozen=True)
class RedisUrl:
    """The parts of REDIS_URL."""

    scheme: str
    #: Host and port of Redis, or of each Sentinel.
    hosts: tuple[tuple[str, int], ...]
    db: int
    username: str | None
    password: str | None = field(repr=False)
    #: redis-py's `ssl_…` parameters; empty without TLS.
    tls: Mapping[str, str]
    #: The name of the master in Sentinel; empty without Sentinel.
    master_name: str
    #: `username` and `password` for the Sentinels themselves, if they need them.
    sentinel_credentials: Mapping[str, str] = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse a URL.

        Args:
            url: `redis://user:password@host:port/db`, `rediss://…` for TLS, or
                `sentinel://:password@host:port;sentinel://host:port/db?master_name=…`, separated by
                semicolons or commas; what is given for one Sentinel applies to all.

        Raises:
            RedisUrlError: The URL is invalid.
        """
        scheme, _, rest = url.strip().partition("://")
        if scheme not in _PORTS:
            reason = "must begin with redis://, rediss:// or sentinel://"
            raise RedisUrlError(reason)
        is_sentinel = scheme == "sentinel"
        each = re.split("[;,]", rest.replace("sentinel://", "")) if is_sentinel else [rest]
        try:
            parts = [urlsplit(f"//{text}") for text in each]
            hosts = tuple(_parse_host(part, _PORTS[scheme]) for part in parts)
            db = int(_first_set(part.path.strip("/") for part in parts) or 0)
        except ValueError:
            reason = (
                "is invalid: percent-encode all characters of its password but letters and digits"
            )
            # Not chained: the cause shows a part of the password.
            raise RedisUrlError(reason) from None
        query = {name: value for part in parts for name, value in parse_qsl(part.query)}
        if unknown := sorted(query.keys() - _PARAMETERS[scheme]):
            reason = f"has unknown parameters for {scheme}://: {', '.join(unknown)}"
            raise RedisUrlError(reason)
        return cls(
            scheme=scheme,
            hosts=hosts,
            db=db,
            username=_decode(_first_set(part.username for part in parts)),
            password=_decode(_first_set(part.password for part in parts)),
            tls=_parse_tls(query) if scheme == "rediss" or query.keys() & _TLS else {},
            master_name=query.get("master_name", "mymaster") if is_sentinel else "",
            sentinel_credentials={
                name.removeprefix("sentinel_"): value
                for name, value in query.items()
                if name.startswith("sentinel_")
            },
        )

    @property
    def connection_options(self) -> dict[str, Any]:
        """redis-py's options for a connection to Redis, except the host and `ssl`."""
        login = {"username": self.username, "password": self.password}
        return {"db": self.db, **login, **self.tls}

    @property
    def sentinel_options(self) -> dict[str, Any]:
        """redis-py's options for a connection to a Sentinel, except the host."""
        return {
            # Fail fast, and ask the next one. redis-py's defaults are 5 s and ten attempts.
            "socket_connect_timeout": 1,
            "socket_timeout": 1,
            "retry": None,
            "ssl": bool(self.tls),
            **self.sentinel_credentials,
            **self.tls,
        }


def _first_set(values: Iterable[str | None]) -> str | None:
    return next(filter(None, values), None)


def _decode(text: str | None) -> str | None:
    return unquote(text) if text else None


def _parse_host(part: SplitResult, port: int) -> tuple[str, int]:
    if not part.hostname or part.fragment:
        raise ValueError
    return part.hostname, part.port or port


def _parse_tls(query: Mapping[str, str]) -> dict[str, str]:
    # Celery's documentation spells it CERT_NONE, redis-py's none.
    checks = query.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    if checks not in {"required", "none"}:
        reason = "has an ssl_cert_reqs other than required or none"
        raise RedisUrlError(reason)
    return {name: query[name] for name in query.keys() & _TLS} | {"ssl_cert_reqs": checks}
