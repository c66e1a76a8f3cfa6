"""URLs of a site's pages."""

import re
from collections.abc import Mapping
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from scraper.recipes.link import (
    find_url_fault,
    find_value_faults,
    link_path,
    normalize_url,
)
from scraper.recipes.models import JobDefinition, Recipe
from scraper.recipes.origin import HostPattern, Origin, parse_host
from scraper.recipes.url_template import (
    fill_template,
    find_path_faults,
    is_link_template,
    join_url,
)


class SiteUrls:
    """Builds and recognizes the URLs of a recipe's pages below a base URL."""

    def __init__(self, recipe: Recipe, base_url: str, job: JobDefinition | None = None) -> None:
        """Prepare the URLs.

        Args:
            recipe: The site.
            base_url: The URL that replaces the recipe's.
            job: The job whose pages are read, if any: they may be at other hosts (`hosts` of the
                param that is their URL).
        """
        self._login = recipe.login
        self._base_url = base_url.rstrip("/")
        self._recipe_url = recipe.base_url
        base = Origin.parse(self._base_url)
        allows_http = base is not None and base.scheme == "http"
        others = (parse_host(entry, allows_http=allows_http) for entry in recipe.hosts)
        named = filter(None, (base, *chain.from_iterable(others)))
        self._origins = frozenset(chain.from_iterable(origin.variants() for origin in named))
        url = job.params[job.url_param] if job and job.url_param else None
        self._page_hosts: tuple[HostPattern, ...] = (
            url.host_patterns(self._recipe_url) if url else ()
        )

    def page_url(self, job: JobDefinition, params: Mapping[str, Any], number: int) -> str:
        """Return the URL of a job's page.

        Args:
            job: The job definition.
            params: All its parameters.
            number: The page's number, for the placeholder that the recipe's `next` counts.

        Raises:
            ValueError: A parameter would lead to another page; such requests are rejected before.
        """
        if values := job.list_values(params):
            return self.value_url(job, params, values[number - 1])
        if job.url_param is not None:
            return self._start_url(job, str(params[job.url_param]))
        count = job.next.count if job.next else None
        filled = params if count is None else {**params, count: number}
        for name, fault in find_path_faults(job.open, filled).items():
            message = f"{name} {fault.reason}"
            raise ValueError(message)
        return join_url(self._base_url, fill_template(job.open, filled))

    def value_url(self, job: JobDefinition, params: Mapping[str, Any], value: str) -> str:
        """Return the URL of the page that a job opens for a value (`next.each`).

        Raises:
            ValueError: It would be another page; such requests are rejected before.
        """
        placeholder = job.singular or ""
        values = {**params, placeholder: value}
        for name, fault in find_value_faults(
            job.open, values, placeholder, self._recipe_url
        ).items():
            message = f"{name} {fault.reason}"
            raise ValueError(message)
        if is_link_template(job.open):
            return urljoin(f"{self._base_url}/", link_path(value))
        return join_url(self._base_url, fill_template(job.open, values))

    def _start_url(self, job: JobDefinition, url: str) -> str:
        """Return the URL of a page that a start has named.

        Raises:
            ValueError: It is at another host than the param's; such requests are rejected before.
        """
        name = job.url_param or ""
        if find_url_fault(url, job.params[name].host_patterns(self._recipe_url)):
            message = f"{name} is no URL of its hosts"
            raise ValueError(message)
        url = normalize_url(url)
        origin, own = Origin.parse(url), Origin.parse(self._recipe_url)
        if origin is None or own is None or origin not in own.variants():
            return url
        # Another base URL replaces the recipe's in the links to the site, too.
        return urljoin(f"{self._base_url}/", url.removeprefix(str(origin)))

    def make_url(self, path: str) -> str:
        """Return the URL of a path of the recipe."""
        return join_url(self._base_url, path)

    @property
    def login_url(self) -> str:
        """The login page's URL; empty if the recipe has no login."""
        return join_url(self._base_url, self._login.open) if self._login else ""

    def is_own(self, url: str) -> bool:
        """Return whether a URL has the origin of the base URL, or one that `hosts` names."""
        return Origin.parse(url) in self._origins

    def may_have_page(self, url: str) -> bool:
        """Return whether the job's pages may be at a URL: at the site, or at the param's hosts.

        The account is typed only at the site itself (`is_own`).
        """
        origin = Origin.parse(url)
        return self.is_own(url) or (
            origin is not None and any(pattern.matches(origin) for pattern in self._page_hosts)
        )

    @property
    def named_hosts(self) -> frozenset[tuple[str, int]]:
        """Host and port of each origin that the recipe names; none of those after `*.`."""
        exact = (pattern.origins for pattern in self._page_hosts if not pattern.is_wildcard)
        origins = [*self._origins, *chain.from_iterable(exact)]
        return frozenset((origin.host, origin.port) for origin in origins)

    def is_same_site(self, url: str) -> bool:
        """Return whether a URL's host is one of the site's, or beside that of the base URL.

        `api.shop.example` and `www.shop.example` are beside each other, two IP addresses never.
        """
        hosts = [urlsplit(text).hostname or "" for text in (url, self._base_url)]
        first, second = hosts
        if first == second or self.is_own(url):
            return True
        is_name = all(re.search("[a-z]", host) for host in hosts)
        return is_name and first.split(".")[-2:] == second.split(".")[-2:]

    def relative_path(self, url: str) -> str:
        """Return the path and query of a URL, without the base URL's own path."""
        parts = urlsplit(url)
        path = parts.path.removeprefix(urlsplit(self._base_url).path)
        return f"{path}?{parts.query}" if parts.query else path

    def is_login_page(self, url: str) -> bool:
        """Return whether the URL is the one that a successful login leaves, if there is such."""
        done_when = self._login.done_when if self._login else None
        if done_when is None or done_when.path_is_not is None:
            return False
        return self.is_at(url, done_when.path_is_not)

    def is_at(self, url: str, path: str) -> bool:
        """Return whether a URL of the site has a path of the recipe.

        Args:
            url: The URL.
            path: The path below the base URL; its query and fragment count if it has them.
        """
        expected = urlsplit(join_url(self._base_url, path))
        actual = urlsplit(url)
        return (
            self.is_own(url)
            and actual.path.rstrip("/") == expected.path.rstrip("/")
            and set(parse_qsl(expected.query)) <= set(parse_qsl(actual.query))
            and (not expected.fragment or _route(actual.fragment) == _route(expected.fragment))
        )


def _route(fragment: str) -> str:
    """Return a fragment as the route of a page: `/login` for `/login?next=x`."""
    return fragment.partition("?")[0].rstrip("/")
