from typing import Any

import pytest

from api.formats.table import Table, UnknownValueError
from tests.support.format_writing import PAGE, Item, job

VIDEO = {"title": ".title", "tags": {"css": ".tag", "split": ","}}


def names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


class TestColumns:
    def test_are_in_the_recipes_order(self) -> None:
        table = Table.build(PAGE, job(zebra=".z", is_new={"exists": ".n"}, ant=".a"))

        assert names(table) == ["zebra", "is_new", "ant"]

    def test_are_numbered_for_a_list_with_a_limit(self) -> None:
        videos = {"css": ".v", "limit": 2, "fields": VIDEO}

        assert names(Table.build(PAGE, job(videos=videos, last=".l"))) == [
            "videos_1_title",
            "videos_1_tags",
            "videos_2_title",
            "videos_2_tags",
            "last",
        ]

    def test_are_numbered_at_each_depth(self) -> None:
        inner = {"css": ".c", "limit": 2, "fields": {"who": ".w"}}
        outer = {"css": ".v", "limit": 2, "fields": {"said": inner}}

        assert names(Table.build(PAGE, job(videos=outer))) == [
            "videos_1_said_1_who",
            "videos_1_said_2_who",
            "videos_2_said_1_who",
            "videos_2_said_2_who",
        ]

    @pytest.mark.parametrize("limit", [{}, {"limit": 501}, {"limit": 10**9}])
    def test_are_one_for_a_list_without_a_limit_or_with_a_large_one(
        self, limit: dict[str, int]
    ) -> None:
        videos = {"css": ".v", "fields": VIDEO, **limit}

        assert names(Table.build(PAGE, job(videos=videos))) == ["videos"]


class TestCell:
    def cells(self, item: Item, **fields: Any) -> list[str]:
        columns = Table.build(PAGE, job(**fields)).columns
        return [column.format_cell(column.read(item)) for column in columns]

    def test_holds_a_text_unchanged(self) -> None:
        assert self.cells({"name": " a\n=b "}, name=".n") == [" a\n=b "]

    def test_holds_a_flag_as_in_json(self) -> None:
        flags = {"a": {"exists": ".a"}, "b": {"exists": ".b"}}

        assert self.cells({"a": True, "b": False}, **flags) == ["true", "false"]

    @pytest.mark.parametrize(
        ("split", "cell"), [(",", "a, b c"), ("|", "a| b c"), (" / ", "a / b c"), ("\n", "a\nb c")]
    )
    def test_joins_texts_by_their_separator(self, split: str, cell: str) -> None:
        tags = {"css": ".t", "split": split}

        assert self.cells({"tags": ["a", "b c"]}, tags=tags) == [cell]

    def test_is_empty_for_null_and_for_an_empty_list(self) -> None:
        fields = {
            "name": ".n",
            "tags": {"css": ".t", "split": ","},
            "videos": {"css": ".v", "fields": VIDEO},
        }

        assert self.cells({"name": None, "tags": [], "videos": []}, **fields) == ["", "", ""]

    def test_holds_a_list_without_a_limit_as_json(self) -> None:
        videos = {"css": ".v", "fields": {"title": ".t"}}
        item = {"videos": [{"title": 'Ж "q"'}, {"title": None}]}

        assert self.cells(item, videos=videos) == [r'[{"title": "Ж \"q\""}, {"title": null}]']

    def test_is_empty_where_there_are_fewer_objects_than_columns(self) -> None:
        videos = {"css": ".v", "limit": 3, "fields": {"title": ".t"}}

        assert self.cells({"videos": [{"title": "a"}]}, videos=videos) == ["a", "", ""]

    def test_omits_objects_beyond_the_limit(self) -> None:
        videos = {"css": ".v", "limit": 2, "fields": {"title": ".t"}}
        item = {"videos": [{"title": "a"}, {"title": "b"}, {"title": "c"}]}

        assert self.cells(item, videos=videos) == ["a", "b"]

    def test_accepts_an_item_of_an_earlier_recipe(self) -> None:
        videos = {"css": ".v", "limit": 1, "fields": {"title": ".t"}}

        assert self.cells({"videos": "12", "gone": "x"}, new=".n", videos=videos) == ["", ""]


class TestSeparator:
    @pytest.mark.parametrize(
        ("name", "separator"), [(None, ","), ("comma", ","), ("semicolon", ";"), ("tab", "\t")]
    )
    def test_has_a_name(self, name: str | None, separator: str) -> None:
        assert Table.build(PAGE, job(a=".a"), name).separator == separator

    def test_is_rejected_if_unknown(self) -> None:
        with pytest.raises(UnknownValueError) as caught:
            Table.build(PAGE, job(a=".a"), ";")

        assert caught.value.parameter == "separator"
        assert caught.value.expected == ("comma", "semicolon", "tab")
