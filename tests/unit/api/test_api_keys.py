"""Entries of API_KEYS, and the file of API_KEYS_FILE."""

import os
import shutil
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.access.api_key import (
    ALL_SCOPES,
    DEFAULT_SCOPES,
    ApiKey,
    ApiKeyError,
    Scope,
    find_key,
    hash_secret,
    make_key,
    parse_keys,
)
from api.access.key_ring import KeyFileFault, KeyRing

SECRET = "a-secret-of-the-tests"
HASH = "sha256-" + sha256(SECRET.encode()).hexdigest()


class TestParse:
    @pytest.mark.parametrize(
        ("entry", "name", "scopes"),
        [
            (f"n8n:{SECRET}", "n8n", DEFAULT_SCOPES),
            (f"n8n:{HASH}", "n8n", DEFAULT_SCOPES),
            (f"n8n:{SECRET}:start+read", "n8n", {Scope.START, Scope.READ}),
            (f"ops:{HASH}:admin", "ops", ALL_SCOPES),
            (SECRET, f"key-{HASH[7:15]}", DEFAULT_SCOPES),
        ],
    )
    def test_accepts(self, entry: str, name: str, scopes: frozenset[Scope]) -> None:
        [key] = parse_keys(entry)

        assert (key.name, key.scopes) == (name, scopes)
        assert find_key([key], SECRET) is key
        assert find_key([key], SECRET + "x") is None

    @pytest.mark.parametrize(
        "entry",
        [
            "short",
            "n8n:short",
            f":{SECRET}",
            f"n 8:{SECRET}",
            f"{'n' * 65}:{SECRET}",
            f"n8n:{SECRET}:write",
            f"n8n:{SECRET}:",
            f"n8n:{SECRET}:read:start",
            "n8n:sha256-0123456789",
            f"n8n:{'s' * 257}",
            f"n8n:{SECRET}ç",
            f"n8n:{SECRET}#uvw:start",
        ],
    )
    def test_refuses_without_showing_the_secret(self, entry: str) -> None:
        with pytest.raises(ApiKeyError) as caught:
            parse_keys(entry)

        assert SECRET not in str(caught.value)

    def test_separates_entries_at_commas_and_lines(self) -> None:
        text = f"# keys\n a:{SECRET}a ,b:{SECRET}b # of b\n\nc:{SECRET}c\n"

        assert [key.name for key in parse_keys(text)] == ["a", "b", "c"]

    @given(st.text())
    def test_never_fails_otherwise(self, text: str) -> None:
        with suppress(ApiKeyError):
            parse_keys(text)

    def test_reads_what_it_writes(self) -> None:
        for scopes in ([Scope.READ], DEFAULT_SCOPES, ALL_SCOPES):
            key, secret = make_key("n8n", scopes)

            assert ApiKey.parse(key.format_entry()) == key
            assert secret not in key.format_entry()
            assert hash_secret(secret) == key.digest


class TestKeyRing:
    def test_without_a_source_requires_no_key(self) -> None:
        assert not KeyRing(()).is_required

    def test_finds_none_for_an_empty_secret(self) -> None:
        assert KeyRing(parse_keys(SECRET)).find("") is None


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class KeyFile:
    """A file of keys, and the ring that reads it."""

    def __init__(self, path: Path, content: str, fixed: str = "") -> None:
        self.path = path
        self.clock = Clock()
        path.write_text(content)
        self.ring = KeyRing(parse_keys(fixed), path, clock=self.clock)

    def is_valid(self, secret: str) -> bool:
        """Return whether a secret is valid once the file may have been read again."""
        self.clock.now += 2
        return self.ring.find(secret) is not None


@pytest.fixture
def key_file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys", f"alice:{SECRET}a\nbob:{SECRET}b\n", f"fixed:{SECRET}f")


def errors_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelname == "ERROR"]


class TestKeyFile:
    @pytest.mark.parametrize(
        "line",
        [
            "not an entry",
            f"grp_{SECRET}:alice",  # the parts are swapped
            f"carol:{SECRET}:everything",
            f"carol:{SECRET}c bob:{SECRET}b alice:short",
            "\x00",
        ],
    )
    def test_a_malformed_line_keeps_no_removed_key_alive(
        self, key_file: KeyFile, caplog: pytest.LogCaptureFixture, line: str
    ) -> None:
        assert key_file.is_valid(f"{SECRET}b")
        key_file.path.write_text(f"{line}\nalice:{SECRET}a\n")

        assert not key_file.is_valid(f"{SECRET}b")
        assert key_file.is_valid(f"{SECRET}a")
        assert not key_file.is_valid("alice")
        assert key_file.ring.fault is KeyFileFault.MALFORMED
        [error] = errors_of(caplog)
        assert "line 1 " in error
        assert SECRET not in error

    @pytest.mark.parametrize("content", [None, b"\xff\xfe", b""])
    def test_that_is_gone_has_no_valid_key(self, key_file: KeyFile, content: bytes | None) -> None:
        if content is None:
            key_file.path.unlink()
        else:
            key_file.path.write_bytes(content)

        assert not key_file.is_valid(f"{SECRET}a")
        assert key_file.is_valid(f"{SECRET}f")
        assert key_file.ring.is_required
        assert key_file.ring.fault is (None if content == b"" else KeyFileFault.UNREADABLE)

    def test_whose_folder_is_gone_still_requires_a_key(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        key_file = KeyFile(folder / "keys", f"alice:{SECRET}")
        shutil.rmtree(folder)

        assert not key_file.is_valid(SECRET)
        assert key_file.ring.is_required

    def test_is_in_force_again_when_it_is_mended(self, key_file: KeyFile) -> None:
        content = key_file.path.read_text()
        key_file.path.unlink()
        assert not key_file.is_valid(f"{SECRET}a")
        key_file.path.write_text(content)

        assert key_file.is_valid(f"{SECRET}a")
        assert key_file.ring.fault is None

    def test_a_change_that_keeps_its_time_and_size_counts(self, key_file: KeyFile) -> None:
        before = key_file.path.stat()
        key_file.path.write_text(key_file.path.read_text().replace("bob", "#ob"))
        os.utime(key_file.path, ns=(before.st_atime_ns, before.st_mtime_ns))

        assert not key_file.is_valid(f"{SECRET}b")

    def test_a_fault_is_logged_again_while_it_lasts(
        self, key_file: KeyFile, caplog: pytest.LogCaptureFixture
    ) -> None:
        key_file.path.unlink()
        for _ in range(31):  # 62 seconds
            key_file.is_valid(SECRET)

        assert len(errors_of(caplog)) == 2

    def test_a_key_that_has_lost_a_scope_is_not_the_same(self, key_file: KeyFile) -> None:
        key = key_file.ring.find(f"{SECRET}a")
        assert key is not None
        assert key_file.ring.is_in_force(key)
        key_file.path.write_text(f"alice:{SECRET}a:start\n")
        key_file.clock.now += 2

        assert not key_file.ring.is_in_force(key)
