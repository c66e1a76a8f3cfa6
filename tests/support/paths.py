"""Paths of files in the repository that tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Expected items of the demo site's first page of 50 channels.
GOLDEN = ROOT / "tests" / "golden" / "tubehunt-50.json"
#: A folder for PYTHONPATH: the clock of a program is wrong by CLOCK_OFFSET_S.
SHIFTED_CLOCK = ROOT / "tests" / "support" / "shifted_clock"
