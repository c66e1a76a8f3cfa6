"""Who sends a request, and what it may do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from api.access.api_key import ALL_SCOPES, ApiKey, Scope
from api.errors import ScopeError


@dataclass(frozen=True)
class Caller:
    """The owner of a request."""

    #: The key's name; empty without keys.
    name: str
    scopes: frozenset[Scope]
    #: The key itself; None without keys.
    key: ApiKey | None = field(default=None, repr=False)

    @classmethod
    def of_key(cls, key: ApiKey) -> "Caller":
        """Return the caller with this key."""
        return cls(key.name, key.scopes, key)

    @property
    def sees_all(self) -> bool:
        """Whether it has access to the jobs of all callers."""
        return Scope.ADMIN in self.scopes

    @property
    def owner(self) -> str | None:
        """The owner of the jobs that it has access to; None for all jobs."""
        return None if self.sees_all else self.name

    def may_see(self, owner: str) -> bool:
        """Return whether it has access to the jobs of an owner."""
        return self.sees_all or owner == self.name


#: The caller of an API without keys, on the same machine.
LOCAL_CALLER = Caller("", ALL_SCOPES)


async def _get_caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


CallerDep = Annotated[Caller, Depends(_get_caller)]


def require(scope: Scope) -> Callable[[Request], Awaitable[None]]:
    """Return a dependency that lets only callers with this scope through.

    It raises ScopeError.
    """

    async def check(request: Request) -> None:
        caller: Caller = request.state.caller
        if scope not in caller.scopes:
            raise ScopeError(scope)

    return check
