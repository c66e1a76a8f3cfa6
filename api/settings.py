"""Settings of the API."""

import re
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from api.access.api_key import ApiKeyError, parse_keys
from api.access.gate import AccessPolicy
from api.access.hosts import AllowedHosts, HostRule, parse_origin
from api.access.key_ring import KeyRing
from api.access.rate_limits import parse_limit
from jobs.session_cipher import SessionCipher, SessionKeyError
from jobs.settings import JobSettings, WebhookPolicySettings
from jobs.store.job_store import JobLimits

#: A path of unreserved characters (RFC 3986), or nothing.
_ROOT_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)*")


def _split(text: str) -> list[str]:
    """Return the parts of a list that the environment holds as one text."""
    return text.replace(",", " ").split()


class ApiSettings(JobSettings, WebhookPolicySettings):
    """Read from the environment, then from `.env`; the environment wins."""

    #: Folder with recipes in addition to the bundled ones; workers need the same folder.
    recipes_dir: Path | None = None
    #: Largest body of a start request, in bytes: parameters are few and short.
    body_limit_bytes: int = Field(default=65_536, ge=1)

    #: `NAME:SECRET:SCOPE+SCOPE`, separated by commas (`api.access.api_key`). Without any key the
    #: API answers the same machine only.
    api_keys: SecretStr = SecretStr("")
    #: A file with further keys, one a line, which is read again when it changes.
    api_keys_file: Path | None = None
    #: The host names that are answered. By default those of the same machine, and with keys all.
    allowed_hosts: str = ""
    #: The API's address as its callers see it, for links; behind a proxy it differs from `Host`.
    public_url: str = ""
    #: The path below which a proxy offers the API; by default that of PUBLIC_URL.
    root_path: str = ""
    #: Origins of other sites whose pages may call the API.
    cors_origins: str = ""
    #: Who may read the metrics and the documentation where keys are required.
    metrics: Literal["key", "open"] = "key"
    docs: Literal["key", "open", "off"] = "key"

    #: Fernet keys that encrypt sessions of accounts in Redis: those of the workers.
    session_keys: SecretStr = SecretStr("")

    #: How many jobs a key may start, and how many other requests it may send to one API process.
    rate_limit_starts: str = "120/minute"
    rate_limit_reads: str = "3000/minute"
    #: How many jobs may wait, and be kept with those that have ended; in all, and of one key.
    max_waiting_jobs: int = Field(default=25_000, ge=1)
    max_waiting_jobs_per_key: int = Field(default=2_000, ge=1)
    max_stored_jobs: int = Field(default=50_000, ge=1)
    max_stored_jobs_per_key: int = Field(default=20_000, ge=1)
    #: How many waits and event streams may be open in one API process, in all and of one key.
    max_open_responses: int = Field(default=5_000, ge=1)
    max_open_responses_per_key: int = Field(default=500, ge=1)

    @field_validator("api_keys")
    @classmethod
    def _check_api_keys(cls, text: SecretStr) -> SecretStr:
        parse_keys(text.get_secret_value())
        return text

    @field_validator("session_keys")
    @classmethod
    def _check_session_keys(cls, text: SecretStr) -> SecretStr:
        try:
            SessionCipher.parse(text.get_secret_value())
        except SessionKeyError as error:
            raise ValueError(str(error)) from None
        return text

    @field_validator("allowed_hosts")
    @classmethod
    def _check_allowed_hosts(cls, text: str) -> str:
        for name in _split(text):
            HostRule.parse(name)
        return text

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, url: str) -> str:
        url = url.rstrip("/")
        if url:
            parse_origin(url)
            parts = urlsplit(url)
            if not _ROOT_PATH.fullmatch(parts.path) or parts.query or parts.fragment:
                message = (
                    "must be an address such as https://example.com or https://example.com/garimpo"
                )
                raise ValueError(message)
        return url

    @field_validator("root_path")
    @classmethod
    def _check_root_path(cls, path: str) -> str:
        path = path.rstrip("/")
        if not _ROOT_PATH.fullmatch(path):
            message = "must be a path such as /garimpo"
            raise ValueError(message)
        return path

    @field_validator("cors_origins")
    @classmethod
    def _check_cors_origins(cls, text: str) -> str:
        for origin in _split(text):
            parse_origin(origin)
        return text

    @field_validator("rate_limit_starts", "rate_limit_reads")
    @classmethod
    def _check_rate_limit(cls, text: str) -> str:
        parse_limit(text)
        return text

    @property
    def allowed_origins(self) -> list[str]:
        """CORS_ORIGINS as a list."""
        return [parse_origin(origin) for origin in _split(self.cors_origins)]

    @property
    def session_cipher(self) -> SessionCipher | None:
        """What encrypts imported sessions; None without SESSION_KEYS."""
        return SessionCipher.parse(self.session_keys.get_secret_value())

    @property
    def url_prefix(self) -> str:
        """The path below which callers see the API; empty if it is the root."""
        return self.root_path or urlsplit(self.public_url).path

    @property
    def job_limits(self) -> JobLimits:
        """How many jobs may wait and be kept."""
        return JobLimits(
            waiting=self.max_waiting_jobs,
            kept=self.max_stored_jobs,
            waiting_per_owner=self.max_waiting_jobs_per_key,
            kept_per_owner=self.max_stored_jobs_per_key,
        )

    def make_access_policy(self) -> AccessPolicy:
        """Return who is answered.

        Raises:
            ApiKeyError: There is no key although API_KEYS or API_KEYS_FILE is set, or the file
                cannot be read.
        """
        fixed = parse_keys(self.api_keys.get_secret_value())
        if not fixed and self.api_keys.get_secret_value():
            message = "API_KEYS has no key; unset it to answer this machine only"
            raise ApiKeyError(message)
        key_ring = KeyRing(fixed, self.api_keys_file)
        own_origin = [parse_origin(self.public_url)] if self.public_url else []
        names = _split(self.allowed_hosts)
        if not names and key_ring.is_required:
            names = ["*"]  # a page of a rebound name has no key
        hosts = [*names, *(origin.partition("://")[2] for origin in own_origin)]
        return AccessPolicy(
            keys=key_ring,
            hosts=AllowedHosts(map(HostRule.parse, hosts), loopback=not self.allowed_hosts),
            origins=frozenset([*self.allowed_origins, *own_origin]),
            open_docs=self.docs == "open",
            open_metrics=self.metrics == "open",
        )
