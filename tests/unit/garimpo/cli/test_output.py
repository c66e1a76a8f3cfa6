"""Writing a result to a file, and to a terminal that its words must not control."""

import json
import os
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from garimpo.cli.output import format_json, print_error, print_stdout, write_result


class TestWriteResult:
    def test_replaces_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "rows.json"
        file.write_text("before")
        write_result([b"a", b"b"], file)
        assert file.read_text() == "ab"
        assert list(tmp_path.iterdir()) == [file]

    def test_keeps_the_old_file_after_an_error(self, tmp_path: Path) -> None:
        def fail_halfway() -> Iterator[bytes]:
            yield b"half"
            raise ZeroDivisionError

        file = tmp_path / "rows.json"
        file.write_text("before")
        with pytest.raises(ZeroDivisionError):
            write_result(fail_halfway(), file)
        assert file.read_text() == "before"
        assert list(tmp_path.iterdir()) == [file]

    def test_does_not_mix_two_results_written_at_once(self, tmp_path: Path) -> None:
        file = tmp_path / "rows.json"

        def write_other_result_meanwhile() -> Iterator[bytes]:
            yield b"first"
            write_result([b"second"], file)
            assert file.read_text() == "second"
            yield b" and last"

        write_result(write_other_result_meanwhile(), file)
        assert file.read_text() == "first and last"
        assert list(tmp_path.iterdir()) == [file]

    def test_new_file_has_the_permissions_of_the_umask(self, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.touch()
        write_result([b"a"], tmp_path / "rows.json")
        assert (tmp_path / "rows.json").stat().st_mode == other.stat().st_mode

    @pytest.mark.parametrize("exists", [True, False])
    def test_replaces_the_target_of_a_link(self, tmp_path: Path, *, exists: bool) -> None:
        target, link = tmp_path / "data" / "rows.json", tmp_path / "latest.json"
        target.parent.mkdir()
        if exists:
            target.write_text("before")
        link.symlink_to(target)
        write_result([b"new"], link)
        assert link.is_symlink()
        assert target.read_text() == "new"
        assert list(target.parent.iterdir()) == [target]

    @pytest.mark.parametrize("through_a_link", [True, False])
    def test_writes_into_a_pipe(self, tmp_path: Path, *, through_a_link: bool) -> None:
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

    def test_names_a_file_that_cannot_be_written(self, tmp_path: Path) -> None:
        file = tmp_path / "nowhere" / "rows.json"
        with pytest.raises(typer.BadParameter, match=r"nowhere/rows\.json: No such file"):
            write_result([b""], file)

    def test_prints_the_file_and_its_format(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_result([b""], tmp_path / "rows.foo")
        assert capsys.readouterr().err.endswith("rows.foo as JSON.\n")


HOSTILE = "\x1b[31m \x07 \u009b31m \u202e \u2066 \U000e0001 \x7f é 😀"


def use_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)


class TestTerminal:
    def test_receives_no_control_character_of_json(
        self, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use_terminal(monkeypatch)

        print_stdout(format_json({HOSTILE: [HOSTILE]}))

        text = capsysbinary.readouterr().out.decode()
        assert text.replace("\n", "").isprintable()
        assert json.loads(text) == {HOSTILE: [HOSTILE]}
        assert "é 😀" in text

    def test_receives_none_of_a_download_in_any_pieces(
        self, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use_terminal(monkeypatch)
        data = f"a,{HOSTILE}\r\nb\tc\r\n".encode()

        write_result([data[index : index + 1] for index in range(len(data))], None, "csv")

        text = capsysbinary.readouterr().out.decode()
        assert text.replace("\n", "").replace("\t", "").isprintable()
        assert text.endswith("😀\nb\tc\n")

    def test_receives_none_of_an_error(self, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
        print_error(f"{HOSTILE}\nsecond line")

        text = capsysbinary.readouterr().err.decode()
        assert text.replace("\n", "").isprintable()
        assert text.endswith("😀\nsecond line\n")


def test_a_pipe_receives_what_the_site_has(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    write_result([HOSTILE.encode()], None)

    assert capsysbinary.readouterr().out.decode() == HOSTILE
