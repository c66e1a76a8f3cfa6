"""Origins (scheme, host, port) of a site's pages, and the notation of a recipe's `hosts`."""

import re
from dataclasses import dataclass
from itertools import chain
from typing import Final
from urllib.parse import urlsplit

from network.address_policy import parse_ip_literal

_PORTS: Final = {"http": 80, "https": 443}
# A scheme, a name or an IP address, a port: no account, path, query or fragment.
_ENTRY: Final = re.compile(r"(?:https?://)?(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_WILDCARD: Final = re.compile(r"^((?:https?://)?)\*\.")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port of a URL, as browsers compare them."""

    scheme: str
    #: A name or an IP address, without brackets and without the dot of the DNS root.
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> "Origin | None":
        """Return the origin of an HTTP URL; None if it is another URL."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
            host = _normalize(host or "")
        except ValueError:
            return None
        if parts.scheme not in _PORTS or not host:
            return None
        return cls(parts.scheme, host, port or _PORTS[parts.scheme])

    def variants(self) -> tuple["Origin", ...]:
        """Return this origin, and the same host after an upgrade from HTTP to HTTPS.

        Only default ports are upgraded, and nothing is downgraded.
        """
        is_upgradable = (self.scheme, self.port) == ("http", _PORTS["http"])
        upgraded = Origin("https", self.host, _PORTS["https"])
        return (self, upgraded) if is_upgradable else (self,)

    def __str__(self) -> str:
        """Return the origin as browsers show it: `https://sso.example.com`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == _PORTS[self.scheme]
        return f"{self.scheme}://{host}" if is_default else f"{self.scheme}://{host}:{self.port}"


def _normalize(host: str) -> str:
    """Return a host as browsers write it: in ASCII, an IP address in its usual notation.

    Raises:
        ValueError: It is no valid name.
    """
    if not host.isascii():
        host = host.encode("idna").decode()
    host = host.removesuffix(".")
    address = parse_ip_literal(host)
    return str(address) if address else host


def describe_origin(url: str) -> str:
    """Return the origin of a URL for people, without its path and query; else its scheme."""
    origin = Origin.parse(url)
    return str(origin) if origin else f"{url.partition(':')[0]}:"


def parse_host(entry: str, *, allows_http: bool) -> tuple[Origin, ...]:
    """Return the origins that an entry of a recipe's `hosts` means.

    Args:
        entry: A host (`sso.example.com`), host and port, or an origin with its scheme.
        allows_http: Whether an entry without a scheme means HTTP too, and not only HTTPS.

    Raises:
        ValueError: It is something else.
    """
    if not _ENTRY.fullmatch(entry):
        message = "must be a host such as sso.example.com, host:port, or https://host:port"
        raise ValueError(message)
    schemes = ("https", "http") if allows_http else ("https",)
    urls = [entry] if "://" in entry else [f"{scheme}://{entry}" for scheme in schemes]
    origins = tuple(origin for url in urls if (origin := Origin.parse(url)))
    if len(origins) < len(urls):
        message = "has an invalid port"
        raise ValueError(message)
    return origins


def check_host(entry: str) -> str:
    """Return an entry of a recipe's `hosts`.

    Raises:
        ValueError: It is neither a host, nor host and port, nor an origin.
    """
    parse_host(entry, allows_http=False)
    return entry


@dataclass(frozen=True)
class HostPattern:
    """The origins that an entry of a param's `hosts` means."""

    origins: tuple[Origin, ...]
    #: Whether the subdomains of these hosts are meant (`*.shop.example`), and not they themselves.
    is_wildcard: bool = False

    @classmethod
    def parse(cls, entry: str, *, allows_http: bool) -> "HostPattern":
        """Return the pattern of an entry.

        Args:
            entry: As an entry of the recipe's `hosts`, perhaps with `*.` before the host.
            allows_http: Whether an entry without a scheme means HTTP too, and not only HTTPS.

        Raises:
            ValueError: It is something else.
        """
        host = _WILDCARD.sub(r"\1", entry)
        origins = parse_host(host, allows_http=allows_http)
        is_wildcard = host != entry
        if is_wildcard and (":" in origins[0].host or parse_ip_literal(origins[0].host)):
            message = "must have a name after *."
            raise ValueError(message)
        return cls.of(*origins, is_wildcard=is_wildcard)

    @classmethod
    def of(cls, *origins: Origin, is_wildcard: bool = False) -> "HostPattern":
        """Return the pattern of some origins, also after an upgrade to HTTPS."""
        variants = chain.from_iterable(origin.variants() for origin in origins)
        return cls(tuple(dict.fromkeys(variants)), is_wildcard)

    def matches(self, origin: Origin) -> bool:
        """Return whether an origin is meant."""
        return any(
            (origin.scheme, origin.port) == (allowed.scheme, allowed.port)
            and self._is_host(origin.host, allowed.host)
            for allowed in self.origins
        )

    def _is_host(self, host: str, allowed: str) -> bool:
        if not self.is_wildcard:
            return host == allowed
        suffix = f".{allowed}"
        return host.endswith(suffix) and bool(_SUBDOMAIN.fullmatch(host.removesuffix(suffix)))


def check_host_pattern(entry: str) -> str:
    """Return an entry of a param's `hosts`.

    Raises:
        ValueError: It is neither an entry of a recipe's `hosts`, nor one after `*.`.
    """
    HostPattern.parse(entry, allows_http=False)
    return entry
