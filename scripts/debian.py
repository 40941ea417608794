"""Install the Debian packages that some tests need, where apt and root are there; say so where they are not.

The tests that need a missing package are skipped by name, so this never fails a run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

# package -> (what it brings, what needs it)
PACKAGES = {
    "chromium": (Path("/usr/bin/chromium"), "the browser tests"),
    "git": (Path("/usr/share/locale/zh_CN/LC_MESSAGES/git.mo"), "the translation tests"),
    "dataset-fashion-mnist": (Path("/usr/share/datasets/fashion-mnist"), "the Fashion-MNIST tests"),
}


def main() -> None:
    """Install what is missing, or say which tests will be skipped."""
    missing = [package for package, (path, _) in PACKAGES.items() if not path.exists()]
    if not missing:
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", *missing]):
            subprocess.run(["apt-get", *command], env=environment, stdout=subprocess.DEVNULL, check=False)
    for package in missing:
        path, needs = PACKAGES[package]
        if not path.exists():
            print(f"Without the Debian package {package}, {needs} are skipped. Install it: apt install {package}")


if __name__ == "__main__":
    main()
