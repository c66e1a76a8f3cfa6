"""`.ci/setup` on machines that lack something: a PATH with only some programs stands for them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

_SETUP = ROOT / ".ci" / "setup"
_ALWAYS = ("sh", "cat", "curl", "dirname", "grep", "id", "tail", "tr", "uname")


class Machine:
    """A checkout in a folder of its own, and the programs that its user has."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.checkout / ".ci").mkdir(parents=True)
        shutil.copy(_SETUP, self.checkout / ".ci" / "setup")
        (self.checkout / "requirements.lock").touch()
        (self.checkout / "pyproject.toml").touch()
        for name in _ALWAYS:
            found = shutil.which(name)
            assert found
            (self.bin / name).symlink_to(found)

    def add(self, name: str, script: str = "exit 0") -> None:
        program = self.bin / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def add_python(self) -> None:
        name = f"python3.{sys.version_info.minor}"
        (self.bin / "python3").symlink_to(Path(sys.base_prefix) / "bin" / name)

    def setup(self, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.checkout / ".ci" / "setup"],
            env={"PATH": str(self.bin), "HOME": str(self.checkout)} | environment,
            cwd=self.checkout.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


class TestSetup:
    def test_says_what_is_missing_where_it_cannot_install(self, machine: Machine) -> None:
        done = machine.setup()
        assert done.returncode == 1
        assert "missing: python redis chromium chromedriver" in done.stderr
        assert "with your package manager" in done.stderr

    def test_asks_for_nothing_that_is_there(self, machine: Machine) -> None:
        machine.add_python()
        machine.add("chromium")
        done = machine.setup()
        assert "missing: redis chromedriver" in done.stderr

    def test_takes_a_chrome_that_is_named(self, machine: Machine) -> None:
        machine.add_python()
        (machine.checkout / ".env").write_text("CHROME_BINARY=/opt/chrome\n")
        done = machine.setup(CHROMEDRIVER="/opt/chromedriver")
        assert "missing: redis\n" in done.stderr

    def test_takes_no_python_that_is_too_old(self, machine: Machine) -> None:
        machine.add("python3", "exit 1")
        done = machine.setup()
        assert "missing: python redis" in done.stderr

    def test_tells_a_debian_user_without_root_what_to_run(self, machine: Machine) -> None:
        machine.add_python()
        (machine.bin / "id").unlink()
        machine.add("id", "echo 1000")
        machine.add("apt-get", "echo apt-get was run >&2")
        done = machine.setup()
        assert done.returncode == 1
        assert "apt-get install python3 python3-venv redis-server" in done.stderr
        assert "apt-get was run" not in done.stderr

    def test_tells_a_mac_user_what_to_run(self, machine: Machine) -> None:
        (machine.bin / "uname").unlink()
        machine.add("uname", "echo Darwin")
        done = machine.setup()
        assert done.returncode == 1
        assert "brew install" in done.stderr
