"""Settings of the command line, from the environment and from `.env` in the current folder."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import SecretStr, ValidationError

from environment.settings import EnvironmentSettings, SecretFileError
from scraper.credentials import variable_prefix


class SettingsError(Exception):
    """A setting is invalid or `.env` cannot be read; the text names it and the reason."""


class Settings(EnvironmentSettings):
    """Settings that the commands read."""

    #: Address of the API.
    garimpo_url: str = "http://127.0.0.1:8000"
    #: The API key to send.
    garimpo_api_key: SecretStr | None = None
    #: Language of the jobs' messages; by default that of the locale.
    garimpo_language: Literal["pt", "en"] | None = None

    # `garimpo dev` reads these to decide which services to start; the services read them too.
    redis_url: SecretStr | None = None
    recipes_dir: Path | None = None
    #: Flower's login as `user:password`; Flower itself reads the environment, and not `.env`.
    flower_basic_auth: SecretStr | None = None

    # This machine's Chrome; `garimpo demo` uses no other setting of `.env`.
    chrome_binary: str | None = None
    chromedriver: str | None = None
    chrome_arguments: str | None = None

    # The user's language, in POSIX's order of precedence.
    lc_all: str | None = None
    lc_messages: str | None = None
    lang: str | None = None

    @property
    def language(self) -> str:
        """Language to request from the API: `pt` or `en`."""
        if self.garimpo_language:
            return self.garimpo_language
        locale = self.lc_all or self.lc_messages or self.lang or ""
        return "pt" if locale.lower().startswith("pt") else "en"

    @property
    def api_key(self) -> str | None:
        """The API key to send; None without one."""
        return self.garimpo_api_key.get_secret_value() if self.garimpo_api_key else None

    @property
    def chrome(self) -> dict[str, str]:
        """Environment variables that select this machine's Chrome."""
        variables = {
            "CHROME_BINARY": self.chrome_binary,
            "CHROMEDRIVER": self.chromedriver,
            "CHROME_ARGUMENTS": self.chrome_arguments,
        }
        return {name: value for name, value in variables.items() if value is not None}


class SiteVariables(EnvironmentSettings):
    """Variables of one site, such as `TUBEHUNT_BASE_URL` for the site `tubehunt`.

    `scraper.settings.SiteSettings` reads the same ones for the worker, but needs Selenium, which
    the `cli` extra does not install.
    """

    #: Used instead of the recipe's `base_url`.
    base_url: str | None = None
    username: SecretStr | None = None
    password: SecretStr | None = None
    totp_secret: SecretStr | None = None
    sessions: str | None = None
    parallel: str | None = None
    spread: str | None = None

    @classmethod
    def read(cls, site: str) -> Self:
        """Read the variables of a site."""
        return cls(_env_prefix=variable_prefix(site))

    @property
    def is_configured(self) -> bool:
        """Whether any of them is set."""
        return bool(self.base_url or self.username or self.password)


def read_settings(language: str | None = None) -> Settings:
    """Read the settings.

    Args:
        language: Value of the `--language` option, which overrides the environment.

    Raises:
        SettingsError: A setting is invalid, or `.env` cannot be read.
    """
    overrides: dict[str, Any] = {"garimpo_language": language} if language else {}
    try:
        return Settings(**overrides)
    except ValidationError as error:
        reasons = [f"{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()]
        raise SettingsError("; ".join(reasons)) from error
    except SecretFileError as error:
        raise SettingsError(str(error)) from error
    except UnicodeDecodeError as error:
        message = ".env in this folder is not valid UTF-8: save it as UTF-8."
        raise SettingsError(message) from error
    except OSError as error:
        message = f".env in this folder cannot be read: {error.strerror}"
        raise SettingsError(message) from error
