"""Every test: what needs one core in two processes at once, then what is itself several processes, alone.

A kernel and its worker with one thread each fill a core. A browser, a server, a kernel and a worker want the machine
to themselves, and so does whoever measures memory. Exits with 1 if either part failed; both always run.
"""

from __future__ import annotations

import os
import subprocess
import sys

TOGETHER = ["tests/unit", "tests/notebooks"]  # all other folders of tests are run alone


def main() -> int:
    """Run both parts."""
    pytest = [sys.executable, "-m", "pytest"]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # two threads each on two cores would wait for one another
    together = subprocess.run([*pytest, "-n", "2", "--dist", "loadgroup", *TOGETHER], env=one_thread, check=False)
    alone = subprocess.run([*pytest, *(f"--ignore={folder}" for folder in TOGETHER)], check=False)
    return int(bool(together.returncode or alone.returncode))


if __name__ == "__main__":
    sys.exit(main())
