"""Settings of sites, browser and recipes, from the environment.

Each class also reads `.env` in the working directory; the environment takes precedence. Only
programs read settings; everything else receives plain values.
"""

import re
import shlex
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator

from environment.settings import EnvironmentSettings, SecretFileError
from network.address_policy import AddressPolicy
from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.page_snapshot import SizeLimits
from scraper.credentials import DEFAULT_ACCOUNT, Credentials, find_accounts, variable_prefix
from scraper.errors import SettingMalformed
from scraper.recipes.error_messages import describe_error
from scraper.recipes.strict_types import BaseUrl
from scraper.totp import Totp

_PROXY = re.compile(r"(?:https?|socks[45])://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?")


class AccountSettings(EnvironmentSettings):
    """An account: `X_USERNAME`, … for the site `x`, `X__SHOP2__USERNAME`, … for its `shop2`."""

    username: SecretStr | None = None
    password: SecretStr | None = None
    #: The secret of the second factor: base32, or an otpauth:// URI.
    totp_secret: SecretStr | None = None

    @field_validator("totp_secret")
    @classmethod
    def _check_totp_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            Totp(secret.get_secret_value())
        return secret

    @classmethod
    def _read(cls, prefix: str) -> Self:
        """Return the settings with this prefix.

        Raises:
            SettingMalformed: A variable has an invalid value.
        """
        try:
            return cls(_env_prefix=prefix)
        except SecretFileError as error:
            variable, _, reason = str(error).partition(": ")
            raise SettingMalformed(variable, reason) from None
        except ValidationError as error:
            fault = error.errors()[0]
            # Not chained: pydantic's error contains the value.
            raise SettingMalformed(
                prefix + str(fault["loc"][0]).upper(), describe_error(fault)
            ) from None

    @classmethod
    def read_account(cls, site: str, account: str) -> Self:
        """Return the settings of one account.

        Raises:
            SettingMalformed: A variable has an invalid value.
        """
        return cls._read(variable_prefix(site, account))

    @cached_property
    def credentials(self) -> Credentials | None:
        """The account; None if neither user name nor password is set."""
        username = _reveal(self.username)
        password = _reveal(self.password)
        if not username and not password:
            return None
        totp = Totp(self.totp_secret.get_secret_value()) if self.totp_secret else None
        return Credentials(username, password, totp)


class SiteSettings(AccountSettings):
    """Base URL and accounts of a site; `X_BASE_URL` for the site `x`."""

    #: Replaces the recipe's base_url.
    base_url: BaseUrl | None = None
    #: Replaces the recipe's login.sessions.
    sessions: int | None = Field(default=None, ge=1, le=1000)
    #: The most pages of a job that are loaded at the same time, if its definition has more.
    parallel: int | None = Field(default=None, ge=1, le=8)
    #: Whether several workers may read a job, if its definition says so.
    spread: bool = True

    _others: dict[str, Credentials] = PrivateAttr(default_factory=dict)

    @classmethod
    def read(cls, site: str) -> "SiteSettings":
        """Return the settings of one site.

        Raises:
            SettingMalformed: A variable has an invalid value.
        """
        settings = cls._read(variable_prefix(site))
        for name in find_accounts(site, cls.list_variables()):
            if credentials := AccountSettings.read_account(site, name).credentials:
                settings._others[name] = credentials  # noqa: SLF001 - an instance of this class
        return settings

    @property
    def accounts(self) -> dict[str, Credentials]:
        """The credentials of all accounts, by name."""
        default = {DEFAULT_ACCOUNT: self.credentials} if self.credentials else {}
        return {**default, **self._others}


def _reveal(secret: SecretStr | None) -> str:
    """Return a secret without the line end of the `echo` that it comes from."""
    return secret.get_secret_value().removesuffix("\n").removesuffix("\r") if secret else ""


class ChromeSettings(EnvironmentSettings):
    """Options of the browser."""

    #: Path of Chrome or Chromium; by default the first on PATH.
    chrome_binary: str | None = None
    #: Path of chromedriver; by default the one on PATH.
    chromedriver: str | None = None
    #: URL of a Selenium Grid that replaces the local Chrome; may contain an account.
    selenium_remote_url: SecretStr | None = None
    #: How long a browser may take to answer a command.
    browser_timeout_s: int = Field(default=60, ge=1)
    #: A browser with more memory is replaced before the next page; 0: no limit.
    browser_memory_mb: int = Field(default=1500, ge=0)
    #: Additional command line arguments for Chrome, quoted as in a shell.
    chrome_arguments: str = ""
    #: Private hosts, host:port and networks that pages may reach, separated by commas.
    browser_allow: str = ""
    #: URL of a proxy for all connections of the browser: http:// or socks5://, without an account.
    egress_proxy: str | None = None

    @field_validator("chrome_arguments")
    @classmethod
    def _check_chrome_arguments(cls, text: str) -> str:
        for argument in shlex.split(text):
            if argument.lstrip("-").startswith(("proxy-", "no-proxy-")):  # Chrome accepts one dash
                message = f"{argument.partition('=')[0]}: set EGRESS_PROXY instead"
                raise ValueError(message)
        return text

    @field_validator("browser_allow")
    @classmethod
    def _check_browser_allow(cls, text: str) -> str:
        AddressPolicy.parse(text, "BROWSER_ALLOW")
        return text

    @field_validator("egress_proxy")
    @classmethod
    def _check_egress_proxy(cls, url: str | None) -> str | None:
        if url is not None and not _PROXY.fullmatch(url):
            message = "must be http://host:port or socks5://host:port, without an account"
            raise ValueError(message)
        return url

    @property
    def browser(self) -> BrowserSettings:
        """The same as plain values."""
        remote = self.selenium_remote_url
        return BrowserSettings(
            chrome_binary=self.chrome_binary,
            chromedriver=self.chromedriver,
            remote_url=remote.get_secret_value() if remote else None,
            extra_arguments=tuple(shlex.split(self.chrome_arguments)),
            allowed_addresses=AddressPolicy.parse(self.browser_allow, "BROWSER_ALLOW"),
            egress_proxy=self.egress_proxy,
            command_timeout_s=self.browser_timeout_s,
            memory_limit_mb=self.browser_memory_mb,
        )


class SizeSettings(EnvironmentSettings):
    """Limits of what pages return."""

    #: The maximum number of items of a page.
    max_page_items: int = Field(default=SizeLimits.page_items, ge=1, le=1_000_000)
    #: The maximum size of a page's items, in MiB of JSON.
    max_page_mb: int = Field(default=SizeLimits.page_mb, ge=1, le=1024)
    #: The maximum size of a job's items, in MiB of JSON.
    max_result_mb: int = Field(default=SizeLimits.result_mb, ge=1, le=10_240)

    @property
    def sizes(self) -> SizeLimits:
        """The same as plain values."""
        return SizeLimits(
            page_items=self.max_page_items,
            page_mb=self.max_page_mb,
            result_mb=self.max_result_mb,
        )


class RecipeSettings(EnvironmentSettings):
    """Location of additional recipes."""

    #: A folder of YAML files, which replace bundled recipes for the same sites.
    recipes_dir: Path | None = None
