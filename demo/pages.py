"""HTML pages of the site."""

from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from demo.channels import ORDERS
from demo.listing import PAGE_SIZES, Listing
from demo.records import Channel

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_login(csrf_token: str, *, enable_after_ms: int, email: str = "", error: str = "") -> str:
    """Render the login form, with an error message if there is one."""
    return _TEMPLATES.get_template("login.html").render(
        csrf_token=csrf_token, enable_after_ms=enable_after_ms, email=email, error=error
    )


def render_home() -> str:
    """Render the home page."""
    return _TEMPLATES.get_template("home.html").render()


@lru_cache(maxsize=256)
def render_list(listing: Listing) -> bytes:
    """Render a page of channels; cached, so that only injected faults make the site slow."""
    template = _TEMPLATES.get_template("list.html")
    return template.render(listing=listing, orders=ORDERS, sizes=PAGE_SIZES).encode()


def render_channel(channel: Channel) -> str:
    """Render the page of a channel."""
    return _TEMPLATES.get_template("channel.html").render(channel=channel)


def render_notice(title: str, text: str, *, is_error: bool = True) -> str:
    """Render a page with one sentence."""
    return _TEMPLATES.get_template("notice.html").render(title=title, text=text, is_error=is_error)
