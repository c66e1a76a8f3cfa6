import json
import random
import string
from typing import Any

import pytest

from jobs.model import item_blocks
from jobs.model.item_blocks import decode_block, encode_items, join_items

ITEMS: list[dict[str, Any]] = [
    {"channel_name": "São João", "tags": [], "views": 1.5},
    {"channel_name": "line\nbreak", "quote": '"', "none": None},
    {"channel_name": "\u2028 🎣", "nested": [{"a": 1}]},
]


def decode(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    blocks = encode_items(items)
    return [json.loads(item) for block in blocks for item in decode_block(block.data)]


class TestEncodeItems:
    def test_is_reversed_by_decoding(self) -> None:
        assert decode(ITEMS) == ITEMS

    def test_keeps_the_text_of_each_item(self) -> None:
        [block] = encode_items(ITEMS)

        assert decode_block(block.data) == [json.dumps(item, ensure_ascii=False) for item in ITEMS]

    def test_yields_no_block_without_items(self) -> None:
        assert list(encode_items([])) == []

    def test_is_plain_ascii_on_one_line(self) -> None:
        [block] = encode_items(ITEMS)

        assert block.data.isascii()
        assert "\n" not in block.data

    def test_starts_with_the_size_of_the_text(self) -> None:
        [block] = encode_items(ITEMS)

        size = int(block.data.partition(":")[0])
        assert size == len("\n".join(decode_block(block.data)).encode())

    def test_closes_a_block_before_it_grows_too_large(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(item_blocks, "_MAX_BLOCK_BYTES", 110)
        items = [{"n": number, "text": "x" * 30} for number in range(10)]

        blocks = list(encode_items(items))

        assert [block.count for block in blocks] == [2] * 5
        assert decode(items) == items

    def test_holds_an_item_that_is_larger_than_a_block(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(item_blocks, "_MAX_BLOCK_BYTES", 100)
        items: list[dict[str, Any]] = [{"text": "x" * 1000}, {"n": 2}]

        assert [block.count for block in encode_items(items)] == [1, 1]

    def test_compresses(self) -> None:
        random.seed(1)
        names = ["".join(random.choices(string.ascii_letters, k=12)) for _ in range(50)]  # noqa: S311
        items = [{"channel_name": name, "channel_link": f"/channel/{name}"} for name in names]

        [block] = encode_items(items)

        assert len(block.data) < len(json.dumps(items)) / 2


class TestJoinItems:
    def test_returns_the_same_blocks_for_encoded_items(self) -> None:
        texts = [json.dumps(item, ensure_ascii=False).encode() for item in ITEMS]

        assert list(join_items(texts)) == list(encode_items(ITEMS))


class TestDecodeBlock:
    def test_returns_an_item_that_version_0_1_stored(self) -> None:
        assert decode_block('{"n": 1}') == ['{"n": 1}']
