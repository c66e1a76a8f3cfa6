"""What keeps a browser logged in: its cookies, and the storage of the site's origins."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

#: How much of it is kept, in characters of JSON. A site has a few kilobytes.
MAX_STATE_LENGTH: Final = 1_000_000


class PartitionKey(BaseModel):
    """The top-level site that a partitioned cookie belongs to."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    top_level_site: Annotated[str, Field(alias="topLevelSite")]
    has_cross_site_ancestor: Annotated[bool, Field(alias="hasCrossSiteAncestor")] = False


class Cookie(BaseModel):
    """A cookie with all its attributes, by their names in the DevTools protocol.

    https://chromedevtools.github.io/devtools-protocol/tot/Network/#type-Cookie
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="ignore")

    name: str
    value: Annotated[str, Field(repr=False)]
    #: Without a dot at its beginning, only this host gets it.
    domain: str
    path: str = "/"
    #: Seconds since the epoch; -1 until the browser ends.
    expires: float = -1
    secure: bool = False
    http_only: Annotated[bool, Field(alias="httpOnly")] = False
    same_site: Annotated[Literal["Strict", "Lax", "None"] | None, Field(alias="sameSite")] = None
    priority: Literal["Low", "Medium", "High"] | None = None
    source_scheme: Annotated[
        Literal["Unset", "NonSecure", "Secure"] | None, Field(alias="sourceScheme")
    ] = None
    source_port: Annotated[int | None, Field(alias="sourcePort")] = None
    partition_key: Annotated[PartitionKey | None, Field(alias="partitionKey")] = None

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Self | None:
        """Return a cookie of `Storage.getCookies`; None for one that this class cannot hold."""
        try:
            return cls.model_validate(fields)
        except ValidationError:
            return None

    @property
    def as_parameter(self) -> dict[str, Any]:
        """The same as `Network.setCookies` takes it."""
        fields = self.model_dump(by_alias=True, exclude_none=True)
        if self.expires < 0:
            del fields["expires"]
        if not self.domain.startswith("."):
            # With a domain, Chrome would send it to subdomains too.
            is_secure = self.secure or self.source_scheme == "Secure"
            scheme = "https" if is_secure else "http"
            fields["url"] = f"{scheme}://{fields.pop('domain')}{self.path}"
        return fields


class OriginStorage(BaseModel):
    """What an origin has stored in the browser."""

    model_config = ConfigDict(frozen=True)

    local: Annotated[dict[str, str], Field(repr=False)] = {}
    session: Annotated[dict[str, str], Field(repr=False)] = {}


class BrowserState(BaseModel):
    """What keeps a browser logged in."""

    model_config = ConfigDict(frozen=True)

    cookies: Annotated[tuple[Cookie, ...], Field(repr=False)] = ()
    #: By origin, such as `https://example.com`.
    origins: Annotated[dict[str, OriginStorage], Field(repr=False)] = {}
    #: By job definition: which of the watched elements its pages show during the session.
    shown: dict[str, tuple[str, ...]] = {}

    @classmethod
    def decode(cls, text: str) -> Self | None:
        """Return what `encode` has returned; None for anything else."""
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            return None

    def encode(self) -> str:
        """Return it as JSON."""
        return self.model_dump_json(by_alias=True, exclude_defaults=True)

    def without_expired(self, now: float) -> Self:
        """Return it without the cookies that have expired.

        Args:
            now: Seconds since the epoch.
        """
        kept = tuple(c for c in self.cookies if c.expires < 0 or c.expires > now)
        return self.model_copy(update={"cookies": kept})

    def restricted_to(self, is_of_site: Callable[[str], bool]) -> Self:
        """Return it with the cookies and origins of one site.

        Args:
            is_of_site: Whether a URL is the site's.
        """
        kept = tuple(c for c in self.cookies if is_of_site(f"https://{c.domain.lstrip('.')}/"))
        origins = {origin: stored for origin, stored in self.origins.items() if is_of_site(origin)}
        return self.model_copy(update={"cookies": kept, "origins": origins})

    def completed_by(self, earlier: "BrowserState | None") -> Self:
        """Return it with the origins and job definitions that only an earlier state has."""
        if earlier is None:
            return self
        update = {
            "origins": {**earlier.origins, **self.origins},
            "shown": {**earlier.shown, **self.shown},
        }
        return self.model_copy(update=update)
