"""The site's pages as HTML."""

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


def login_page(csrf_token: str, *, enable_after_ms: int, email: str = "", error: str = "") -> str:
    """Draw the log-in form, with an error text if there is one."""
    return _TEMPLATES.get_template("login.html").render(
        csrf_token=csrf_token, enable_after_ms=enable_after_ms, email=email, error=error
    )


def home_page() -> str:
    """Draw what stands behind the log-in."""
    return _TEMPLATES.get_template("home.html").render()


@lru_cache(maxsize=64)
def list_page(listing: Listing) -> bytes:
    """Draw a page of channels once; the site's slowness is asked for, never accidental."""
    template = _TEMPLATES.get_template("list.html")
    return template.render(listing=listing, orders=ORDERS, sizes=PAGE_SIZES).encode()


def channel_page(channel: Channel) -> str:
    """Draw a channel's own page."""
    return _TEMPLATES.get_template("channel.html").render(channel=channel)


def notice_page(title: str, text: str, *, is_error: bool = True) -> str:
    """Draw a page that holds one sentence."""
    return _TEMPLATES.get_template("notice.html").render(title=title, text=text, is_error=is_error)
