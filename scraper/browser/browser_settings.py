"""Options of a browser, as plain values."""

from dataclasses import dataclass, field

from network.address_policy import PUBLIC_ONLY, AddressPolicy


@dataclass(frozen=True)
class BrowserSettings:
    """Options of a browser, as plain values; the defaults are the installed Chrome."""

    chrome_binary: str | None = None
    chromedriver: str | None = None
    #: URL of a remote end (a Selenium Grid), possibly with an account; replaces the local Chrome.
    remote_url: str | None = field(default=None, repr=False)
    extra_arguments: tuple[str, ...] = ()
    #: How long, in seconds, a command may take before the browser counts as hanging. Selenium's
    #: own default is 120.
    command_timeout_s: int = 60
    #: A local browser with more memory, in MiB, is replaced: before the next page, or during one
    #: that takes so much; 0: no limit.
    memory_limit_mb: int = 0
    #: Whether images, audio and video are loaded; otherwise only their URLs are read.
    images: bool = False
    #: Hosts from which, and from whose subdomains, nothing is loaded.
    blocked_hosts: tuple[str, ...] = ()
    #: The language of pages, a BCP 47 tag such as `pt-BR`; None: the browser's own.
    locale: str | None = None
    #: The time zone of pages, such as `America/Sao_Paulo`; None: the machine's.
    time_zone: str | None = None
    #: What the browser calls itself; None: its own name.
    user_agent: str | None = None
    #: Width and height of what pages see of the window, in CSS pixels; None: the browser's own.
    viewport: tuple[int, int] | None = None
    #: The private addresses that pages may reach, beside the public internet and the site itself.
    allowed_addresses: AddressPolicy = PUBLIC_ONLY
    #: URL of a proxy that makes all connections, and so decides about addresses.
    egress_proxy: str | None = None
