"""Webhook URL policy: public addresses and those in WEBHOOK_ALLOW (SSRF protection)."""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from network.address_policy import (
    LOCALHOST_NAME,
    LOOPBACK,
    PUBLIC_ONLY,
    AddressPolicy,
    IpAddress,
    parse_ip_literal,
)

#: The maximum length of a URL.
MAX_URL_LENGTH = 2048
#: The characters of a URL: visible ASCII without those that parsers treat differently.
_URL = re.compile(r"(?i:https?)://[!#-;=?-\[\]_a-z~]+")
_PORTS = {"http": 80, "https": 443}


class UrlRejection(StrEnum):
    """The reason why a URL is rejected."""

    #: It is not an http or https URL.
    FORM = "form"
    #: It contains a user name or a password.
    USERINFO = "userinfo"
    #: Its address is neither public nor allowed.
    ADDRESS = "address"


class UrlNotAllowedError(Exception):
    """A webhook must not call this URL."""

    def __init__(self, rejection: UrlRejection) -> None:
        self.rejection = rejection
        super().__init__(rejection)


@dataclass(frozen=True)
class ParsedUrl:
    """The parts of a URL, as they are sent."""

    scheme: str
    #: A name or an IP address, without brackets.
    host: str
    port: int
    #: Path and query, unchanged.
    path: str

    @property
    def origin(self) -> str:
        """Scheme, host and port: the part that may be shown."""
        return f"{self.scheme}://{self.host_header}"

    @property
    def host_header(self) -> str:
        """The value of the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse_url(url: str) -> ParsedUrl:
    """Parse a URL.

    Raises:
        UrlNotAllowedError: It has the wrong form, or contains a user name or password.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        port = parts.port
    except ValueError as error:
        raise UrlNotAllowedError(UrlRejection.FORM) from error
    if len(url) > MAX_URL_LENGTH or not _URL.fullmatch(url) or not host or port == 0:
        raise UrlNotAllowedError(UrlRejection.FORM)
    if "@" in parts.netloc:
        raise UrlNotAllowedError(UrlRejection.USERINFO)
    path = url.partition("#")[0].partition("://")[2][len(parts.netloc) :]
    return ParsedUrl(
        scheme=parts.scheme,
        host=host,
        port=port or _PORTS[parts.scheme],
        path=path if path.startswith("/") else f"/{path}",
    )


@dataclass(frozen=True)
class WebhookUrlPolicy:
    """The URLs that webhooks may call."""

    addresses: AddressPolicy = PUBLIC_ONLY

    @classmethod
    def parse(cls, text: str) -> "WebhookUrlPolicy":
        """Parse WEBHOOK_ALLOW: hosts, `host:port` and networks, separated by commas.

        Raises:
            ValueError: An entry is invalid.
        """
        return cls(AddressPolicy.parse(text, "WEBHOOK_ALLOW"))

    def check_address(self, url: ParsedUrl, address: IpAddress) -> None:
        """Check an address before connecting to it.

        Raises:
            UrlNotAllowedError: It is neither public nor allowed.
        """
        if not self.addresses.is_allowed(url.host, url.port, address):
            raise UrlNotAllowedError(UrlRejection.ADDRESS)

    def check_url(self, url: str) -> None:
        """Check a URL without resolving its host.

        Raises:
            UrlNotAllowedError: It cannot be called, whatever its host resolves to.
        """
        target = parse_url(url)
        if address := parse_ip_literal(target.host):
            self.check_address(target, address)
        elif LOCALHOST_NAME.fullmatch(target.host) and not any(
            self.addresses.is_allowed(target.host, target.port, loopback) for loopback in LOOPBACK
        ):
            raise UrlNotAllowedError(UrlRejection.ADDRESS)
