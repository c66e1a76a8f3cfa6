"""Streaming responses with a limit on how many are open at once."""

from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.access.caller import Caller
from api.access.rate_limits import OpenResponses
from api.errors import ApiError


class BoundedResponse(StreamingResponse):
    """A streaming response that is counted as open until its end."""

    def __init__(
        self,
        content: AsyncIterator[bytes],
        open_responses: OpenResponses,
        caller: Caller,
        refusal: ApiError,
        **options: Any,
    ) -> None:
        """Create the response; it is counted once it is sent.

        Args:
            content: The body in pieces.
            open_responses: Counts the responses.
            caller: Whose response it is.
            refusal: The error that is sent instead if there is no room.
            options: Further arguments of `StreamingResponse`.
        """
        super().__init__(content, **options)
        self._open_responses = open_responses
        self._caller = caller
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response.

        Raises:
            ApiError: There is no room for it.
        """
        with self._open_responses.hold(self._caller) as has_room:
            if not has_room:
                raise self._refusal
            await super().__call__(scope, receive, send)


class BuiltResponse(BoundedResponse):
    """A bounded response whose content is ready with its first piece.

    An error before that is answered with its own status: the response has not begun.
    """

    async def stream_response(self, send: Send) -> None:
        """Send the response once there is its first piece."""
        pieces = aiter(self.body_iterator)
        self.body_iterator = _continue(await anext(pieces), pieces)
        await super().stream_response(send)


async def _continue(first: Any, rest: AsyncIterator[Any]) -> AsyncIterator[Any]:
    yield first
    async for piece in rest:
        yield piece
