"""`.ci/setup` on machines that lack programs, simulated by a PATH with only some of them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

_SETUP = ROOT / ".ci" / "setup"
_ALWAYS = ("sh", "cat", "curl", "dirname", "grep", "id", "tail", "tr", "uname")


class Machine:
    """A checkout in a temporary folder, and the programs in its PATH."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.checkout / ".ci").mkdir(parents=True)
        shutil.copy(_SETUP, self.checkout / ".ci" / "setup")
        (self.checkout / "requirements.lock").touch()
        (self.checkout / "pyproject.toml").touch()
        for name in _ALWAYS:
            program = shutil.which(name)
            assert program
            (self.bin / name).symlink_to(program)

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
    def test_names_missing_programs_that_it_cannot_install(self, machine: Machine) -> None:
        done = machine.setup()
        assert done.returncode == 1
        assert "missing: python redis chromium chromedriver" in done.stderr
        assert "with your package manager" in done.stderr

    def test_does_not_name_installed_programs(self, machine: Machine) -> None:
        machine.add_python()
        machine.add("chromium")
        done = machine.setup()
        assert "missing: redis chromedriver" in done.stderr

    def test_accepts_a_chrome_of_the_settings(self, machine: Machine) -> None:
        machine.add_python()
        (machine.checkout / ".env").write_text("CHROME_BINARY=/opt/chrome\n")
        done = machine.setup(CHROMEDRIVER="/opt/chromedriver")
        assert "missing: redis\n" in done.stderr

    def test_rejects_a_python_that_is_too_old(self, machine: Machine) -> None:
        machine.add("python3", "exit 1")
        done = machine.setup()
        assert "missing: python redis" in done.stderr

    def test_prints_the_command_for_debian_without_root(self, machine: Machine) -> None:
        machine.add_python()
        (machine.bin / "id").unlink()
        machine.add("id", "echo 1000")
        machine.add("apt-get", "echo apt-get was run >&2")
        done = machine.setup()
        assert done.returncode == 1
        assert "apt-get install python3 python3-venv redis-server" in done.stderr
        assert "apt-get was run" not in done.stderr

    def test_prints_the_command_for_macos(self, machine: Machine) -> None:
        (machine.bin / "uname").unlink()
        machine.add("uname", "echo Darwin")
        done = machine.setup()
        assert done.returncode == 1
        assert "brew install" in done.stderr
