"""Rules of where a result goes, and of what is left where it was."""

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from garimpo.cli.output import write_result


class TestHandOut:
    def test_replaces_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "rows.json"
        file.write_text("before")
        write_result([b"a", b"b"], file)
        assert file.read_text() == "ab"
        assert list(tmp_path.iterdir()) == [file]

    def test_leaves_a_file_as_it_was_if_it_breaks_off(self, tmp_path: Path) -> None:
        def break_off() -> Iterator[bytes]:
            yield b"half"
            raise ZeroDivisionError

        file = tmp_path / "rows.json"
        file.write_text("before")
        with pytest.raises(ZeroDivisionError):
            write_result(break_off(), file)
        assert file.read_text() == "before"
        assert list(tmp_path.iterdir()) == [file]

    @pytest.mark.parametrize("is_there", [True, False])
    def test_writes_the_file_that_a_link_leads_to(self, tmp_path: Path, *, is_there: bool) -> None:
        target, link = tmp_path / "data" / "rows.json", tmp_path / "latest.json"
        target.parent.mkdir()
        if is_there:
            target.write_text("before")
        link.symlink_to(target)
        write_result([b"new"], link)
        assert link.is_symlink()
        assert target.read_text() == "new"
        assert list(target.parent.iterdir()) == [target]

    @pytest.mark.parametrize("through_a_link", [True, False])
    def test_writes_into_what_is_no_file(self, tmp_path: Path, *, through_a_link: bool) -> None:
        pipe, link = tmp_path / "pipe", tmp_path / "link"
        os.mkfifo(pipe)
        link.symlink_to(pipe)
        read: list[bytes] = []
        reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
        reader.start()
        write_result([b"a", b"b"], link if through_a_link else pipe)
        reader.join(10)
        assert read == [b"ab"]
        assert stat.S_ISFIFO(pipe.stat().st_mode)
        assert link.is_symlink()

    def test_says_that_it_cannot_be_written(self, tmp_path: Path) -> None:
        file = tmp_path / "nowhere" / "rows.json"
        with pytest.raises(typer.BadParameter, match=r"nowhere/rows\.json: No such file"):
            write_result([b""], file)

    def test_says_what_it_is_written_as(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_result([b""], tmp_path / "rows.foo")
        assert capsys.readouterr().err.endswith("rows.foo, as JSON\n")
