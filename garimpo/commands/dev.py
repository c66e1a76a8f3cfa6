"""`garimpo dev`: run the whole stack on this machine until Ctrl-C."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from demo.account import Account
from garimpo.cli.options import load_settings
from garimpo.cli.output import FAILED, print_error
from garimpo.local_stack.errors import StackError
from garimpo.local_stack.services import DEMO_SITE, has_redis
from garimpo.local_stack.stack import Stack
from garimpo.local_stack.system import exit_on_signals, lock_folder, require_free
from garimpo.settings import Settings, SiteVariables
from jobs.redis import keys
from scraper.credentials import variable_prefix
from scraper.recipes.loader import RecipeError, load_recipes
from scraper.recipes.models import Recipe

#: Holds the logs, and Redis' data so that jobs survive a restart.
_FOLDER = Path(".garimpo")
_POLL_S = 0.5


class DevSettingsError(StackError):
    """A setting is invalid; the text names it."""


@dataclass(frozen=True)
class Ports:
    """Ports that the services listen on."""

    api: int = 8000
    flower: int = 5555
    site: int = 8090


@dataclass(frozen=True)
class Site:
    """A recipe's site, and the variables that are set for it."""

    recipe: Recipe
    variables: SiteVariables

    @property
    def name(self) -> str:
        """Name of the site in the recipe."""
        return self.recipe.site


def dev(
    api_port: Annotated[int, typer.Option(help="Port of the API.")] = Ports.api,
    flower_port: Annotated[int, typer.Option(help="Port of Flower.")] = Ports.flower,
    site_port: Annotated[int, typer.Option(help="Port of the demo site.")] = Ports.site,
) -> None:
    """Run the whole stack on this machine until Ctrl-C.

    The demo site runs too, unless a base URL or an account is set for any recipe's site.
    """
    settings = load_settings()
    try:
        _run(settings, Ports(api_port, flower_port, site_port))
    except StackError as error:
        print_error(str(error))
        raise typer.Exit(FAILED) from error


def _run(settings: Settings, ports: Ports) -> None:
    """Run the stack until Ctrl-C.

    Raises:
        StackError: It could not be started, or a service exited; the text names it and says why.
    """
    console = Console(highlight=False, soft_wrap=True)
    sites = read_sites(settings.recipes_dir)
    with_demo_site = needs_demo_site(sites)
    with exit_on_signals(), lock_folder(_FOLDER), Stack(_FOLDER, project=Path.cwd()) as stack:
        _check_requirements(settings, ports, with_demo_site=with_demo_site)
        console.print("Starting ...")
        _start_services(stack, settings, ports, with_demo_site=with_demo_site)
        stack.wait_ready()
        for line in _describe(stack, ports, sites, with_demo_site=with_demo_site):
            console.print(line)
        try:
            _watch(stack)
        except KeyboardInterrupt:
            console.print("\nStopping; this can take up to 10 s ...")


def read_sites(recipes_dir: Path | None) -> list[Site]:
    """Return the sites of all recipes, with their variables; warn of recipes with a fault.

    Args:
        recipes_dir: Folder with recipes in addition to the bundled ones.

    Raises:
        DevSettingsError: The folder cannot be read, or only one half of an account is set.
    """
    try:
        recipes = load_recipes(recipes_dir)
    except RecipeError as error:
        message = f"RECIPES_DIR: {error}"
        raise DevSettingsError(message) from error
    for fault in recipes.faults:
        print_error(f"Recipe left out: {fault}")
    sites = [Site(recipe, SiteVariables.read(name)) for name, recipe in recipes.items()]
    for site in sites:
        username, password = site.variables.username, site.variables.password
        if bool(username) != bool(password):
            missing = variable_prefix(site.name) + ("PASSWORD" if username else "USERNAME")
            message = f"{missing} is not set: set both the user name and the password, or neither."
            raise DevSettingsError(message)
    return sites


def needs_demo_site(sites: Sequence[Site]) -> bool:
    """Return whether to start the demo site: no site has a base URL or an account set."""
    return any(site.name == DEMO_SITE for site in sites) and not any(
        site.variables.is_configured for site in sites
    )


def _check_requirements(settings: Settings, ports: Ports, *, with_demo_site: bool) -> None:
    """Check that the ports are free and that the Redis of the settings answers.

    Raises:
        PortTakenError: A port is in use.
        DevSettingsError: No Redis answers at REDIS_URL.
    """
    require_free(ports.api, "the API", "--api-port")
    require_free(ports.flower, "Flower", "--flower-port")
    if with_demo_site:
        require_free(ports.site, "the demo site", "--site-port")
    redis_url = settings.redis_url and settings.redis_url.get_secret_value()
    if redis_url and not has_redis(redis_url):
        message = (
            "No Redis answers at REDIS_URL: start it, or unset REDIS_URL to run a bundled one."
        )
        raise DevSettingsError(message)


def _start_services(
    stack: Stack, settings: Settings, ports: Ports, *, with_demo_site: bool
) -> None:
    if not settings.redis_url:
        stack.redis()
    if with_demo_site:
        stack.site(port=ports.site, wait=False)
    stack.api(port=ports.api, wait=False)
    stack.worker(queues=keys.JOB_QUEUE, wait=False)
    stack.webhook_sender(wait=False)
    login = settings.flower_basic_auth
    flower = {"FLOWER_BASIC_AUTH": login.get_secret_value()} if login else {}
    stack.flower(flower, port=ports.flower, wait=False)


def _describe(
    stack: Stack, ports: Ports, sites: Sequence[Site], *, with_demo_site: bool
) -> list[str]:
    """Return the URLs of the services and sites, one line each."""
    api = f"http://127.0.0.1:{ports.api}"
    demo_site = f"http://127.0.0.1:{ports.site}" if with_demo_site else None
    return [
        f"API     {api}  (docs: {api}/docs)",
        f"Flower  http://127.0.0.1:{ports.flower}",
        *(f"Site    {_describe_site(site, demo_site)}" for site in sites),
        f"Redis   {stack.settings.get('REDIS_URL', 'as set in REDIS_URL')}",
        f"Logs    {stack.folder}/*.log",
        "Ready. Press Ctrl-C to stop.",
    ]


def _describe_site(site: Site, demo_site: str | None) -> str:
    """Return the URL of a site, and the account that is used there.

    Args:
        site: The site.
        demo_site: URL of the demo site, if it runs.
    """
    if demo_site and site.name == DEMO_SITE:
        account = Account()
        return f"{demo_site}  ({site.name} demo: {account.email} / {account.password})"
    username = variable_prefix(site.name) + "USERNAME"
    if site.variables.username:
        note = f", account from {username}"
    elif site.recipe.login:
        note = f", needs an account: {username} is not set"
    else:
        note = ""
    return f"{site.variables.base_url or site.recipe.base_url}  ({site.name}{note})"


def _watch(stack: Stack) -> None:
    """Block until a service exits, which raises ServiceDiedError."""
    never = threading.Event()
    while True:
        never.wait(_POLL_S)
        stack.check()
