"""Known holes in what is installed here, by pip-audit: a finding fails, a database that cannot be reached passes.

Without a way to the database there is nothing to compare with; that is said in one line, so that `make check` works on
a train and in a closed network alike.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from typing import Any

DATABASE = "https://pypi.org/pypi/pillow/9.0.0/json"  # has known holes: a mirror that knows of none is no database
PATIENCE, LONGEST = 5.0, 300.0  # seconds for the first answer, and for all
COMMAND = (
    "-m",
    "pip_audit",
    "--local",
    "--skip-editable",
    "--progress-spinner",
    "off",
    "--timeout",
    "10",
    "-f",
    "json",
)


def reachable() -> bool:
    """Whether the database of known holes answers as it should."""
    try:
        with urllib.request.urlopen(DATABASE, timeout=PATIENCE) as answer:
            return bool(json.loads(answer.read())["vulnerabilities"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def findings(report: dict[str, Any]) -> list[str]:
    """One line for each known hole of pip-audit's report."""
    return [
        f"{package['name']} {package['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'none'}"
        for package in report.get("dependencies", [])
        for hole in package.get("vulns", [])
    ]


def audit() -> dict[str, Any] | None:
    """pip-audit's report; None where it came to none."""
    try:
        done = subprocess.run([sys.executable, *COMMAND], capture_output=True, text=True, timeout=LONGEST, check=False)
        report = json.loads(done.stdout)
    except (ValueError, subprocess.TimeoutExpired):
        return None
    return report if isinstance(report, dict) else None


def main() -> int:
    """Print what is known; the exit code says whether a hole is."""
    report = audit() if reachable() else None
    if report is None:
        print("audit: the database of known holes cannot be reached from here; nothing was compared")
        return 0
    found = findings(report)
    print("\n".join(found) or "audit: no known hole in what is installed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
