"""Has this environment's JupyterLab read the extension from the checkout: what `npm run build` makes is there at F5.

An editable install has put a copy where the Lab looks; this puts a link in its place. Where a system makes no links,
the copy stays, and the next `pip install -e .` renews it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

BUILT = Path(__file__).parents[1] / "nbmodels" / "labextension"
PLACE = Path(sys.prefix) / "share" / "jupyter" / "labextensions" / "nbmodels"


def main() -> None:
    """Link the Lab's folder to the built one."""
    if PLACE.is_symlink() and PLACE.resolve() == BUILT.resolve():
        return
    link = PLACE.with_name(f"{PLACE.name}.link")
    try:
        link.unlink(missing_ok=True)
        link.symlink_to(BUILT, target_is_directory=True)
    except OSError as error:
        sys.stderr.write(f"The Lab reads a copy of the extension: no link can be made ({error.strerror}).\n")
        return
    if PLACE.is_symlink():
        PLACE.unlink()
    elif PLACE.is_dir():
        shutil.rmtree(PLACE)
    link.rename(PLACE)


if __name__ == "__main__":
    main()
