import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.recipes.yaml_source import parse_yaml


class TestParseYaml:
    def test_returns_the_data_and_the_line_of_each_key(self) -> None:
        source = parse_yaml(b"a: 1\nb:\n  c: [x,\n    y]\n  d: {e: true}\n")
        assert source.data == {"a": 1, "b": {"c": ["x", "y"], "d": {"e": True}}}
        assert source.lines == {
            (): 1,
            ("a",): 1,
            ("b",): 2,
            ("b", "c"): 3,
            ("b", "c", 0): 3,
            ("b", "c", 1): 4,
            ("b", "d"): 5,
            ("b", "d", "e"): 5,
        }
        assert source.faults == []

    @pytest.mark.parametrize(
        ("text", "line", "reason"),
        [
            (b"a: 1\nb: [1,\n", 3, "is not valid YAML: "),
            (b"a: 1\nb: 'x\n", 3, "is not valid YAML: found unexpected end of stream"),
            (b"a: 1\n\tb: 2\n", 2, "is not valid YAML: "),
            (b"a: 1\n---\nb: 2\n", 2, "is not valid YAML: but found another document"),
            (b"a: *b\n", 1, "is not valid YAML: found undefined alias"),
            (b"a: 1\nb: \xff\n", 2, "is not UTF-8"),
            (b"a: 1\nb: \x07\n", 2, "contains #x0007, which YAML does not allow"),
            (b"[" * 5000, 1, "is nested too deeply"),
        ],
    )
    def test_names_the_line_of_invalid_yaml(self, text: bytes, line: int, reason: str) -> None:
        source = parse_yaml(text)
        [(fault_line, key, fault_reason)] = source.faults
        assert (fault_line, key, source.is_valid, source.data) == (line, (), False, None)
        assert fault_reason.startswith(reason)

    @pytest.mark.parametrize(
        ("text", "line", "key", "reason"),
        [
            (b"a: 1\nb: 2\na: 3\n", 3, ("a",), "duplicate key"),
            (b"a: {b: 1, c: 2,\n b: 3}\n", 2, ("a", "b"), "duplicate key"),
            (b"a:\n  on: 1\n", 2, ("a",), "key on is not a string in YAML"),
            (b"a:\n  1: 1\n", 2, ("a",), "key 1 is not a name: a name begins with a lower-case "),
            (b"a:\n  Yes: 1\n", 2, ("a",), "key Yes is not a name: "),
            (b"a:\n  ?\n  : 1\n", 2, ("a",), "key (empty) is not a name: "),
            (b"a:\n  null: 1\n", 2, ("a",), "key null is not a string in YAML: put it in quotes"),
            (b"a:\n  ? [b]\n  : 1\n", 2, ("a",), "has a key that is not a string"),
            (b"a: &x {c: 1}\nb:\n  <<: *x\n", 3, ("b",), "merge keys (<<) are not supported"),
            (b"b: 1\na: &x\n  - *x\n", 2, ("a", 0), "contains itself"),
            (b"a: 1\nb: 2026-13-01\n", 2, ("b",), "is not a valid timestamp"),
            (b"a: !!int ''\n", 1, ("a",), "is not a valid int"),
            (b"a: !!bool x\n", 1, ("a",), "is not a valid bool"),
            (b"a: !!timestamp x\n", 1, ("a",), "is not a valid timestamp"),
            (b"a: !!python/name:os.system ''\n", 1, ("a",), "is not supported in a recipe: "),
        ],
    )
    def test_rejects_yaml_that_recipes_do_not_support(
        self, text: bytes, line: int, key: tuple[str | int, ...], reason: str
    ) -> None:
        source = parse_yaml(text)
        [(fault_line, fault_key, fault_reason)] = source.faults
        assert (fault_line, fault_key, source.is_valid) == (line, key, True)
        assert fault_reason.startswith(reason)

    def test_keeps_the_keys_without_faults(self) -> None:
        assert parse_yaml(b"a: 1\na: 2\non: 3\nb: 4\n").data == {"a": 1, "b": 4}

    def test_resolves_an_alias(self) -> None:
        assert parse_yaml(b"a: &x {c: 1}\nb: *x\n").data == {"a": {"c": 1}, "b": {"c": 1}}

    def test_accepts_a_byte_order_mark(self) -> None:
        assert parse_yaml(b"\xef\xbb\xbfa: 1\n").data == {"a": 1}

    @pytest.mark.parametrize("text", [b"", b"# nothing\n", b"~\n"])
    def test_returns_none_for_an_empty_document(self, text: bytes) -> None:
        source = parse_yaml(text)
        assert (source.data, source.faults, source.is_valid) == (None, [], True)

    @given(
        st.one_of(
            st.binary(),
            st.text("ab:{}[],-&*!<>?|'\"# \n0.~%@\\", max_size=60).map(str.encode),
        )
    )
    def test_accepts_any_bytes(self, content: bytes) -> None:
        source = parse_yaml(content)
        assert all(1 <= line <= len(content) + 1 for line, _, _ in source.faults)
        assert source.is_valid or source.faults
