"""What the environment says about sites, Chrome and recipes; read by programs only.

Each class reads `.env` of the working directory too; the environment wins.
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

# A variable that is set to nothing, as compose files do it, counts as not set.
_SOURCES = SettingsConfigDict(
    env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore"
)


class SiteSettings(BaseSettings):
    """Where a site is and who logs in; for the site `x` in `X_BASE_URL` and so on."""

    model_config = _SOURCES

    #: Instead of the recipe's own base_url.
    base_url: BaseUrl | None = None
    username: str | None = None
    password: SecretStr | None = None

    @classmethod
    def read(cls, site: str) -> "SiteSettings":
        """Read the settings of one site.

        Raises:
            SettingMalformed: naming the variable that holds what it cannot hold.
        """
        prefix = variable_prefix(site)
        try:
            return cls(_env_prefix=prefix)
        except ValidationError as error:
            fault = error.errors()[0]
            # Not chained: pydantic's error shows the value.
            raise SettingMalformed(
                prefix + str(fault["loc"][0]).upper(), describe_error(fault)
            ) from None

    @property
    def credentials(self) -> Credentials | None:
        """The account, or None if neither half of it is set."""
        username = _less_newline(self.username or "")
        password = _less_newline(self.password.get_secret_value() if self.password else "")
        return Credentials(username, password) if username or password else None


def _less_newline(secret: str) -> str:
    """Return a secret without the line end that a file or `echo` has given it."""
    return secret.removesuffix("\n").removesuffix("\r")


class ChromeSettings(BaseSettings):
    """Which browser scrapes."""

    model_config = _SOURCES

    #: Path of Chrome or Chromium; by default the first that is on PATH.
    chrome_binary: str | None = None
    #: Path of chromedriver; by default the one on PATH.
    chromedriver: str | None = None
    #: Address of a Selenium Grid, used instead of a local Chrome; it may hold an account.
    selenium_remote_url: SecretStr | None = None
    #: A browser that has not answered for so long hangs.
    browser_timeout_s: int = Field(default=60, ge=1)
    #: A browser that takes more memory is replaced before the next page; 0 is no bound.
    browser_memory_mb: int = Field(default=1500, ge=0)
    #: More command line arguments for Chrome, quoted as in a shell.
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
    """Where recipes are, besides the bundled ones."""

    model_config = _SOURCES

    #: A folder of YAML files; they win over bundled recipes of the same site.
    recipes_dir: Path | None = None
