from jobs.store.leased_jobs import FinishedPage, PageHead

WARNING = {"code": "page_short", "page": 2, "count": 4, "expected": 10}


class TestFinishedPage:
    def test_keeps_its_head(self) -> None:
        page = FinishedPage(2, [{"n": 1}], [WARNING], ["http://x/1"], "a1")

        decoded = PageHead.decode(2, page.encode_head(8))

        assert (decoded.number, decoded.warnings) == (2, [WARNING])
        assert (decoded.keys, decoded.digest) == (["http://x/1"], "a1")
        assert (decoded.item_count, decoded.item_bytes) == (1, 8)

    def test_stores_its_texts_as_its_items(self) -> None:
        items = [{"n": 1}, {"n": 2}]

        encoded = FinishedPage(2, items, texts=[b'{"n": 1}', b'{"n": 2}'])

        assert encoded.encode_items() == FinishedPage(2, items).encode_items()

    def test_reads_the_head_of_earlier_versions(self) -> None:
        oldest = PageHead.decode(2, '[{"code": "page_repeats", "page": 2}]')
        decoded = PageHead.decode(2, '{"warnings": [], "keys": ["x"], "digest": "a1"}')

        assert oldest.warnings == [{"code": "page_repeats", "page": 2}]
        assert (oldest.keys, oldest.digest, oldest.item_count) == ((), "", None)
        assert decoded == PageHead(2, [], ["x"], "a1")
