import json
from typing import Any

from jobs.model.item_blocks import encode_items
from jobs.model.stored_result import decode_meta, decode_result, parse_header

META: dict[str, Any] = {
    "status": "SUCCESS",
    "traceback": None,
    "children": [],
    "date_done": "…",
    "task_id": "1",
}
RESULT: dict[str, Any] = {
    "success": True,
    "channels": None,
    "total_channels": 3,
    "warnings": [{"page": 2}],
}
ITEMS: list[dict[str, Any]] = [{"n": 1, "name": "é"}, {"n": 2}, {"n": 3}]


def store(*pages: list[dict[str, Any]]) -> str:
    """Return what `complete.lua` stores for a job with these pages."""
    blocks = [block for page in pages for block in encode_items(page)]
    index = [[block.count, len(block.data), int(block.data.partition(":")[0])] for block in blocks]
    header = {**META, "result": RESULT, "items": {"name": "channels", "blocks": index}}
    return json.dumps(header) + "\n" + "".join(block.data for block in blocks)


class TestDecodeMeta:
    def test_inserts_the_items_at_their_position(self) -> None:
        meta = decode_meta(store(ITEMS[:2], ITEMS[2:]))

        assert meta == {**META, "result": {**RESULT, "channels": ITEMS}}
        assert list(meta["result"]) == list(RESULT)

    def test_has_an_empty_list_without_items(self) -> None:
        assert decode_meta(store())["result"]["channels"] == []

    def test_does_not_change_other_states(self) -> None:
        meta = {**META, "status": "PROGRESS", "result": {"progress": 1, "key": "x", "args": {}}}

        assert decode_meta(json.dumps(meta)) == meta

    def test_reads_what_version_0_1_stored(self) -> None:
        meta = {**META, "result": {**RESULT, "channels": ITEMS}}

        assert decode_meta(json.dumps(meta)) == meta


class TestDecodeResult:
    def test_returns_the_result_of_the_metadata(self) -> None:
        stored = store(ITEMS[:1], ITEMS[1:])

        assert decode_result(stored) == decode_meta(stored)["result"]


class TestParseHeader:
    def test_returns_the_position_of_each_block(self) -> None:
        stored = store(ITEMS[:2], ITEMS[2:])
        header, _, blocks = stored.partition("\n")

        first, second = parse_header(header).blocks

        assert (first.count, second.count) == (2, 1)
        assert first.offset == len(header) + 1
        assert second.offset == first.offset + first.length
        assert second.offset + second.length == len(stored)
        assert blocks[first.length :] == stored[second.offset :]

    def test_returns_the_size_of_the_text(self) -> None:
        header = store(ITEMS).partition("\n")[0]

        texts = [json.dumps(item, ensure_ascii=False).encode() for item in ITEMS]
        assert parse_header(header).text_bytes == len(b"\n".join(texts))
