"""Items that come from JSON: its texts become what `js/extract.js` returns of elements."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import urljoin

from scraper.browser.page_snapshot import ListState, PageSnapshot, SizeLimits
from scraper.errors import PageTooLarge
from scraper.field_values import is_number, search_json, to_text
from scraper.recipes.field import Field, Item
from scraper.recipes.json_source import JsonItems
from scraper.recipes.models import JobDefinition


class _FaultError(ValueError):
    """The JSON of a page is not what the recipe describes."""


class _NotNowError(Exception):
    """The browser could not search texts just now."""


#: Returns what each regex finds in its text; None if that is not possible just now (`Tab.search`).
Search = Callable[[Sequence[tuple[str, str]]], list[str | None] | None]


class _Matches:
    """What the regexes of fields find in a snapshot's texts, in one call for all of them."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._found: dict[tuple[str, str], str | None] = {}
        self._wanted: dict[tuple[str, str], None] = {}

    def find(self, regex: str, text: str) -> str | None:
        """Return what a regex finds; None if it is only collected, or finds nothing."""
        if (regex, text) not in self._found:
            self._wanted[regex, text] = None
        return self._found.get((regex, text))

    @contextlib.contextmanager
    def collect(self) -> Iterator[Callable[[], bool]]:
        """Search for all that is asked for in the block, at its end.

        Yields:
            A function that says whether there was any.

        Raises:
            _NotNowError: That is not possible just now.
        """
        self._found, self._wanted = {}, {}
        yield lambda: bool(self._wanted)
        wanted = list(self._wanted)
        found = self._search(wanted) if wanted else []
        if found is None:
            raise _NotNowError
        self._found = dict(zip(wanted, found, strict=True))


class JsonItemReader:
    """Reads the items of one snapshot after another."""

    def __init__(
        self, job: JobDefinition, items: JsonItems, sizes: SizeLimits, search: Search
    ) -> None:
        """Start before the first snapshot.

        Args:
            job: The job definition.
            items: Where its items are.
            sizes: How many items a page may have.
            search: Searches texts for regexes. Here, one that takes too long on a page's text
                could not be ended.
        """
        self._matches = _Matches(search)
        self._job = job
        self._items = items
        self._sizes = sizes
        # What the latest snapshot had: pages mostly stay the same from one to the next.
        self._source: object = None
        self._state = ListState(0, "")

    def read(self, snapshot: PageSnapshot) -> ListState:
        """Return the items of a snapshot; none, with the reason, if its JSON has a fault.

        It may be without one later: a page that is loading has the beginning of its texts.

        Raises:
            PageTooLarge: There are more than are read.
        """
        source = snapshot.time_origin, snapshot.json
        if source != self._source:
            try:
                self._state = self._summarize(snapshot)
            except _FaultError as error:
                self._state = ListState(0, "", fault=str(error))
            except _NotNowError:
                return ListState(0, "", fault="a regex takes too long")
            except RecursionError:
                self._state = ListState(0, "", fault="nested too deeply")
            self._source = source
        return self._state

    def _summarize(self, snapshot: PageSnapshot) -> ListState:
        found = snapshot.json
        if found is None:
            return ListState(0, "")
        if found.fault:
            raise _FaultError(found.fault)
        records = [record for text in found.texts for record in self._find(text)]
        if len(records) > self._sizes.page_items:
            raise self._sizes.exceeded_by(snapshot.target_url, PageTooLarge.Reason.ITEMS)
        fields = self._job.fields
        with self._matches.collect() as is_collected:
            items = self._read_all(records, found.base_url)
        if is_collected():
            items = self._read_all(records, found.base_url)
        texts = [json.dumps(item, ensure_ascii=False) for item in items]
        digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:32]
        parts = {
            "origin": snapshot.time_origin,
            "base": found.base_url,
            "digest": digest,
            "keys": self._keys_of(items),
        }
        head = json.dumps(parts, ensure_ascii=False).removesuffix("}")
        return ListState(
            count=len(items),
            digest=digest,
            blank=sum(_is_blank(item, fields) for item in items),
            incomplete=sum(
                any(_is_missing(item[name]) for name in self._job.required) for item in items
            ),
            is_uniform=len(texts) > 1 and len(set(texts)) == 1,
            text=f'{head}, "items": [{", ".join(texts)}]}}',
        )

    def _read_all(self, records: Sequence[Any], base_url: str) -> list[Item]:
        fields = self._job.fields
        return [_read_fields(record, fields, base_url, self._matches) for record in records]

    def _find(self, text: str) -> Sequence[Any]:
        """Return the records of one of the page's texts."""
        text = text.strip("\ufeff \t\r\n")
        if not text:
            return []
        try:
            data = json.loads(text, parse_constant=_reject_constant)
        except ValueError:
            message = "not JSON"
            raise _FaultError(message) from None
        path = self._items.path
        found = data if path is None else search_json(path, data)
        if found is None:
            return []
        if not isinstance(found, list | dict):
            message = "the path leads to no list"
            raise _FaultError(message)
        records = [found] if isinstance(found, dict) else found
        wanted = self._items.where
        return [
            record
            for record in records
            if record is not None and (wanted is None or _is_wanted(record, wanted))
        ]

    def _keys_of(self, items: Sequence[Item]) -> list[str | None] | None:
        name = self._job.unique_by
        if name is None:
            return None
        values = [item[name] for item in items]
        if not self._job.fields[name].alternatives:
            return values
        return [next((one for one in value if one is not None), None) for value in values]


def _reject_constant(name: str) -> NoReturn:
    """Reject NaN and the infinities, which are not JSON."""
    raise ValueError(name)


def _is_wanted(record: Any, wanted: Mapping[str, object]) -> bool:
    if not isinstance(record, dict):
        return False
    return all(_has(record.get(key), value) for key, value in wanted.items())


def _has(actual: object, wanted: object) -> bool:
    values = actual if isinstance(actual, list) else [actual]
    return any(_is_equal(value, wanted) for value in values)


def _is_equal(actual: object, wanted: object) -> bool:
    # In Python, 1 is equal to True.
    return isinstance(actual, bool) == isinstance(wanted, bool) and actual == wanted


def _read_fields(
    record: Any, fields: Mapping[str, Field], base_url: str, matches: _Matches
) -> Item:
    return {name: _read(record, field, base_url, matches) for name, field in fields.items()}


def _read(record: Any, field: Field, base_url: str, matches: _Matches) -> Any:
    """Return what a field reads of a record, as a page would: a number is one already."""
    if field.alternatives:
        return [_read(record, one, base_url, matches) for one in field.alternatives]
    if field.value is not None:
        return field.value
    found = search_json(field.path or "@", record)
    several = [one for one in (found if isinstance(found, list) else [found]) if one is not None]
    if field.fields is not None:
        inner = several[: field.limit]
        return [_read_fields(one, field.fields, base_url, matches) for one in inner]
    if field.type == "count":
        return len(several)
    values = _list_values(several if field.all else [found], field, base_url, matches)
    return list(values)[: field.limit] if field.is_list else next(values, None)


def _list_values(
    found: Sequence[Any], field: Field, base_url: str, matches: _Matches
) -> Iterator[Any]:
    """Yield the values of a field that are not empty."""
    is_part = field.match is not None or field.split is not None
    for one in found:
        if field.type == "number" and is_number(one) and not is_part:
            yield one
            continue
        text = _to_well_formed(to_text(one) or "")
        if field.match is not None:
            text = matches.find(field.match, text) or ""
        for part in [text] if field.split is None else text.split(field.split):
            value = part.strip()
            if field.type == "url" and value:
                value = _join_url(base_url, value)
            if value:
                yield value


def _to_well_formed(text: str) -> str:
    """Return a text with U+FFFD for half a surrogate pair, which cannot be encoded."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _join_url(base_url: str, url: str) -> str:
    try:
        return urljoin(base_url, url)
    except ValueError:
        return ""


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(map(_is_missing, value)))


def _is_blank(item: Item, fields: Mapping[str, Field]) -> bool:
    """Return whether an item has no value at all."""
    return all(_is_empty(item[name], field) for name, field in fields.items())


def _is_empty(value: Any, field: Field) -> bool:
    if field.fields is not None:
        return all(_is_blank(item, field.fields) for item in value)
    return value == 0 if field.type == "count" else _is_missing(value)
