"""Settings of sites, browser and recipes, from the environment.

Each class also reads `.env` in the working directory; the environment takes precedence. Only
programs read settings; everything else receives plain values.
"""

import shlex
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from scraper.browser.chrome import BrowserSettings
from scraper.credentials import Credentials, variable_prefix
from scraper.errors import SettingMalformed
from scraper.recipes.error_messages import describe_error
from scraper.recipes.strict_types import BaseUrl

# An empty variable, which compose files may set, counts as not set.
_SOURCES = SettingsConfigDict(
    env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore"
)


class SiteSettings(BaseSettings):
    """Base URL and account of a site: `X_BASE_URL`, `X_USERNAME`, `X_PASSWORD` for the site `x`."""

    model_config = _SOURCES

    #: Replaces the recipe's base_url.
    base_url: BaseUrl | None = None
    username: str | None = None
    password: SecretStr | None = None

    @classmethod
    def read(cls, site: str) -> "SiteSettings":
        """Return the settings of one site.

        Raises:
            SettingMalformed: A variable has an invalid value.
        """
        prefix = variable_prefix(site)
        try:
            return cls(_env_prefix=prefix)
        except ValidationError as error:
            fault = error.errors()[0]
            # Not chained: pydantic's error contains the value.
            raise SettingMalformed(
                prefix + str(fault["loc"][0]).upper(), describe_error(fault)
            ) from None

    @property
    def credentials(self) -> Credentials | None:
        """The account; None if neither user name nor password is set."""
        username = _strip_line_end(self.username or "")
        password = _strip_line_end(self.password.get_secret_value() if self.password else "")
        return Credentials(username, password) if username or password else None


def _strip_line_end(secret: str) -> str:
    """Return a secret without the line end of the file or `echo` that it comes from."""
    return secret.removesuffix("\n").removesuffix("\r")


class ChromeSettings(BaseSettings):
    """Options of the browser."""

    model_config = _SOURCES

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

    @property
    def browser(self) -> BrowserSettings:
        """The same as plain values."""
        remote = self.selenium_remote_url
        return BrowserSettings(
            chrome_binary=self.chrome_binary,
            chromedriver=self.chromedriver,
            remote_url=remote.get_secret_value() if remote else None,
            extra_arguments=tuple(shlex.split(self.chrome_arguments)),
            command_timeout_s=self.browser_timeout_s,
            memory_limit_mb=self.browser_memory_mb,
        )


class RecipeSettings(BaseSettings):
    """Location of additional recipes."""

    model_config = _SOURCES

    #: A folder of YAML files, which replace bundled recipes for the same sites.
    recipes_dir: Path | None = None
