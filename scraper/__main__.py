"""Alias of `garimpo scrape` for one release: `python -m scraper SITE JOB [OPTION]...`."""

import runpy
import sys

# Not an import: this package must not depend on the command line.
sys.argv.insert(1, "scrape")
runpy.run_module("garimpo", run_name="__main__")
