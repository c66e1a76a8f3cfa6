"""The command line's settings: from the environment, then from `.env` in the current folder."""

from typing import Any, Literal

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """The environment, `.env` or a flag says something wrong; the text says which and what."""


class Settings(BaseSettings):
    """What the commands read; an empty value counts as none."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    #: Where the commands find the API.
    garimpo_url: str = "http://127.0.0.1:8000"
    #: The language of the jobs' messages; by default the locale's.
    garimpo_language: Literal["pt", "en"] | None = None

    # What `garimpo dev` looks at to decide what to start; the services read them by themselves.
    redis_url: str | None = None
    tubehunt_base_url: str | None = None
    tubehunt_username: str | None = None
    tubehunt_password: SecretStr | None = None

    # This machine's Chrome: `garimpo demo` takes nothing else from `.env`.
    chrome_binary: str | None = None
    chromedriver: str | None = None
    chrome_arguments: str | None = None

    # The user's language, in the order in which POSIX has them count.
    lc_all: str | None = None
    lc_messages: str | None = None
    lang: str | None = None

    @property
    def language(self) -> str:
        """The language to ask the API for: `pt` or `en`."""
        if self.garimpo_language:
            return self.garimpo_language
        locale = self.lc_all or self.lc_messages or self.lang or ""
        return "pt" if locale.lower().startswith("pt") else "en"

    @property
    def chrome(self) -> dict[str, str]:
        """This machine's Chrome as environment variables."""
        ours = {
            "CHROME_BINARY": self.chrome_binary,
            "CHROMEDRIVER": self.chromedriver,
            "CHROME_ARGUMENTS": self.chrome_arguments,
        }
        return {name: value for name, value in ours.items() if value is not None}


def read_settings(language: str | None = None) -> Settings:
    """Read them; `language`, if given, is what a flag says.

    Raises:
        SettingsError: one of them is wrong, or `.env` cannot be read.
    """
    given: dict[str, Any] = {"garimpo_language": language} if language else {}
    try:
        return Settings(**given)
    except ValidationError as error:
        faults = [f"{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors()]
        raise SettingsError("; ".join(faults)) from error
    except UnicodeDecodeError as error:
        message = ".env in this folder is not UTF-8: save it as UTF-8."
        raise SettingsError(message) from error
    except OSError as error:
        message = f".env in this folder cannot be read: {error.strerror}"
        raise SettingsError(message) from error
