import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.formats.csv_format import Csv
from api.formats.table import SEPARATORS, Table
from tests.support.format_writing import PAGE, Item, job, written

TWO = job(first=".f", second=".s")
FORMULA = re.compile(r"[\s\x00-\x1f]*[=+\-@]")
NUMBER = re.compile(r"-(\d+([.,]\d+)*%?)?")


def table(separator: str = "comma") -> Table:
    return Table.build(PAGE, TWO, separator)


def rows_of(content: bytes, delimiter: str = ",") -> list[list[str]]:
    text = io.StringIO(content.decode("utf-8-sig"), newline="")
    return list(csv.reader(text, delimiter=delimiter))


def cells(*texts: str | None, separator: str = "comma") -> list[str]:
    """Return these texts as read back from the second column."""
    items = [{"first": "x", "second": text} for text in texts]
    rows = rows_of(written(Csv(), table(separator), items), SEPARATORS[separator])
    return [row[1] for row in rows[1:]]


TYPES = job(
    price={"css": ".p", "type": "number"},
    on={"css": ".d", "type": "date"},
    tags={"css": ".t", "all": True},
    stars={"css": ".s", "type": "count"},
)


class TestTypes:
    @pytest.mark.parametrize(("name", "price"), [("comma", "1234.5"), ("semicolon", "1234,5")])
    def test_has_the_decimals_that_belong_to_the_separator(self, name: str, price: str) -> None:
        item: Item = {"price": 1234.5, "on": "2026-03-12", "tags": ["a, b", "c"], "stars": 0}
        content = written(Csv(), Table.build(PAGE, TYPES, name), [item])

        assert rows_of(content, SEPARATORS[name])[1] == [price, "2026-03-12", "a, b\nc", "0"]

    def test_does_not_begin_a_row_with_a_minus(self) -> None:
        item: Item = {"price": -5, "on": None, "tags": [], "stars": 1}
        content = written(Csv(), Table.build(PAGE, TYPES), [item])

        assert rows_of(content)[1] == ["'-5", "", "", "1"]


class TestFile:
    def test_begins_with_the_bom_and_the_columns_names(self) -> None:
        assert written(Csv(), table()) == b"\xef\xbb\xbffirst,second\r\n"

    @pytest.mark.parametrize(("name", "separator"), SEPARATORS.items())
    def test_has_the_requested_separator(self, name: str, separator: str) -> None:
        content = written(Csv(), table(name), [{"first": "a", "second": "b"}])

        assert content.decode("utf-8-sig") == (f"first{separator}second\r\na{separator}b\r\n")

    def test_quotes_only_what_needs_it(self) -> None:
        content = written(Csv(), table(), [{"first": 'say "a"', "second": "b c"}])

        assert content.endswith(b'\r\n"say ""a""",b c\r\n')

    @pytest.mark.parametrize("separator", SEPARATORS)
    def test_reads_back_unchanged(self, separator: str) -> None:
        awkward = [
            'He said "no", twice; and left',
            "two\nlines\r\nand a tab\there",
            "😀 Привет, 世界 — é",
            "x" * 40_000,
            "'quoted'",
            " blanks ",
            "a - b = c + d @ e",
            "https://site.example/?a=1&b=-2",
        ]

        assert cells(*awkward, separator=separator) == awkward

    def test_leaves_null_empty(self) -> None:
        assert cells(None) == [""]

    def test_writes_half_a_surrogate_pair_as_a_question_mark(self) -> None:
        assert cells("a\ud83db") == ["a?b"]

    def test_yields_one_piece_per_chunk(self) -> None:
        requested = 0

        async def chunks() -> AsyncIterator[Sequence[Item]]:
            nonlocal requested
            for number in range(3):
                requested += 1
                yield [{"first": str(number), "second": None}]

        async def follow() -> list[tuple[int, bytes]]:
            return [(requested, piece) async for piece in Csv().write(table(), chunks())]

        assert asyncio.run(follow()) == [
            (0, b"\xef\xbb\xbffirst,second\r\n"),
            (1, b"0,\r\n"),
            (2, b"1,\r\n"),
            (3, b"2,\r\n"),
        ]


class TestFormula:
    @pytest.mark.parametrize(
        "text",
        [
            "=1+1",
            "=cmd|'/c calc'!A1",
            "+5511999999999",
            "-2+3",
            "-2k",
            "@SUM(A1)",
            "@handle",
            "\tx",
            "\rx",
            "  =1",
            "\uff1d1",
        ],
    )
    def test_gets_an_apostrophe(self, text: str) -> None:
        assert cells(text) == [f"'{text}"]

    @pytest.mark.parametrize("text", ["-5", "-1.234,56", "-12%", "-", "5-3", "a=b", "—", "1+1"])
    def test_leaves_harmless_texts_unchanged(self, text: str) -> None:
        assert cells(text) == [text]

    def test_may_begin_with_the_first_number_of_a_row(self) -> None:
        content = written(Csv(), table(), [{"first": "-5", "second": "3+cmd|' /C calc'!A0"}])

        # An Excel that is set to the semicolon reads all of it as one cell.
        assert content.endswith(b"\r\n'-5,3+cmd|' /C calc'!A0\r\n")

    @pytest.mark.parametrize(
        ("separator", "text", "cell"),
        [
            ("tab", "-5", "'-5"),
            ("comma", "a;=1", "a;'=1"),
            ("comma", "a,=1", "a,=1"),
            ("semicolon", "a,=1", "a,'=1"),
            ("semicolon", "a;=1", "a;=1"),
            ("tab", 'a;"=1"', 'a;\'"=1"'),
            ("comma", "a\n=1", "a\n'=1"),
        ],
    )
    def test_may_follow_another_separator_or_a_line_break(
        self, separator: str, text: str, cell: str
    ) -> None:
        assert cells(text, separator=separator) == [cell]

    def test_gets_an_apostrophe_inside_json_strings_only(self) -> None:
        videos = job(videos={"css": ".v", "fields": {"title": ".t"}})
        items = [{"videos": [{"title": "=1"}, {"title": "-2,-3"}, {"title": None}]}]

        content = written(Csv(), Table.build(PAGE, videos, "semicolon"), items)

        (cell,) = rows_of(content, ";")[1]
        assert json.loads(cell) == [{"title": "'=1"}, {"title": "'-2,'-3"}, {"title": None}]

    @pytest.mark.parametrize("written_with", SEPARATORS)
    @pytest.mark.parametrize("read_with", SEPARATORS.values())
    @settings(deadline=None)  # the duration depends on the machine
    @given(rows=st.lists(st.tuples(*[st.text("=+-@,;\t\r\n\"' a5|", max_size=8)] * 2)))
    def test_is_in_no_cell_whatever_the_readers_separator(
        self, written_with: str, read_with: str, rows: list[tuple[str, str]]
    ) -> None:
        items = [{"first": first, "second": second} for first, second in rows]
        content = written(Csv(), table(written_with), items)

        read = [cell for row in rows_of(content, read_with) for cell in row]

        assert [cell for cell in read if FORMULA.match(cell) and not NUMBER.fullmatch(cell)] == []
