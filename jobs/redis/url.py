"""Where Redis is: `REDIS_URL`, read once for redis-py, kombu and Flower, which read it differently.

kombu checks no certificate at a bare `rediss://`, knows a Sentinel's master by an option alone, and
drops the password when it goes on to the next Sentinel; Flower reads no parameter of the address at
all (kombu 5.7 `transport/redis.py` and `connection.py`, Flower 2.2 `utils/broker.py`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_PORTS = {"redis": 6379, "rediss": 6379, "sentinel": 26379}
_TLS = frozenset({"ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_keyfile"})
_SENTINEL = frozenset({"master_name", "sentinel_username", "sentinel_password"})
#: The parameters that an address may have.
_PARAMETERS = {"redis": frozenset[str](), "rediss": _TLS, "sentinel": _TLS | _SENTINEL}


class RedisUrlError(ValueError):
    """REDIS_URL is none. The text says why, and shows nothing of its values: one is a password."""

    def __init__(self, why: str) -> None:
        super().__init__(f"REDIS_URL {why}")


@dataclass(frozen=True)
class RedisUrl:
    """What REDIS_URL says."""

    scheme: str
    #: Redis; or all Sentinels.
    hosts: tuple[tuple[str, int], ...]
    db: int
    username: str | None
    password: str | None = field(repr=False)
    #: redis-py's `ssl_…` parameters; none without TLS.
    tls: Mapping[str, str]
    #: What the Sentinels call their master; empty without Sentinels.
    master_name: str
    #: `username` and `password` for the Sentinels themselves, where they want them.
    sentinel_credentials: Mapping[str, str] = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read an address.

        Args:
            url: `redis://user:password@host:port/db`, `rediss://…` for TLS, or
                `sentinel://:password@host:port;sentinel://host:port/db?master_name=…`, where what
                one of them says holds for all, and commas are as good.

        Raises:
            AddressError: It is none.
        """
        scheme, _, rest = url.strip().partition("://")
        if scheme not in _PORTS:
            why = "must begin with redis://, rediss:// or sentinel://"
            raise RedisUrlError(why)
        is_sentinel = scheme == "sentinel"
        each = re.split("[;,]", rest.replace("sentinel://", "")) if is_sentinel else [rest]
        try:
            parts = [urlsplit(f"//{text}") for text in each]
            hosts = tuple(_parse_host(part, _PORTS[scheme]) for part in parts)
            db = int(_first_set(part.path.strip("/") for part in parts) or 0)
        except ValueError:
            why = "is no address: in its password all but letters and digits must be %-encoded"
            # The cause would show a piece of the password.
            raise RedisUrlError(why) from None
        query = {name: value for part in parts for name, value in parse_qsl(part.query)}
        if unknown := sorted(query.keys() - _PARAMETERS[scheme]):
            why = f"has parameters that {scheme}:// does not know: {', '.join(unknown)}"
            raise RedisUrlError(why)
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
        """What redis-py has to be told for a connection to Redis, beside the host and `ssl`."""
        login = {"username": self.username, "password": self.password}
        return {"db": self.db, **login, **self.tls}

    @property
    def sentinel_options(self) -> dict[str, Any]:
        """What redis-py has to be told for a connection to a Sentinel, beside the host."""
        return {
            # One that is away shall cost little: the next is asked. redis-py's own defaults are
            # 5 s, and ten times.
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
    # Celery's documents spell it CERT_NONE, redis-py's none.
    checks = query.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    if checks not in {"required", "none"}:
        why = "has an ssl_cert_reqs that is neither required nor none"
        raise RedisUrlError(why)
    return {name: query[name] for name in query.keys() & _TLS} | {"ssl_cert_reqs": checks}
