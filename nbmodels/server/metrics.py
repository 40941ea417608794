"""A run's readings from a byte of its file on, thinned to what was asked for."""

from __future__ import annotations

from typing import Any

from nbmodels.runs.folder import METRICS, RunFolder
from nbmodels.runs.reading import PIECE, open_file, piece, reading, rows
from nbmodels.views.glance import glance
from nbmodels.views.snapshot import spread

MOST = 20_000  # rows of one answer


def metrics(folder: RunFolder, since: int, points: int) -> dict[str, Any]:
    """The whole lines after byte `since`, at most `points` of them: the ends, the validations, the rest evenly.

    Returns:
        rows; offset, from where to go on; since, 0 where the file has become shorter and everything comes anew.
    """
    try:
        with open_file(folder.path, METRICS) as file:
            size = file.seek(0, 2)
            since = since if since <= size else 0
            if size - since > PIECE:
                lines, offset = glance(file, since, size, points)
            else:
                lines = piece(file, since)
                offset = since + len(lines)
    except OSError:  # before the first reading, or no file that a worker wrote
        return {"since": 0, "offset": 0, "rows": []}
    return {"since": since, "offset": offset, "rows": [reading(row) for row in _thinned(rows(lines), points)]}


def _thinned(found: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    if len(found) <= most:
        return found
    ends = {0, len(found) - 1}
    rare = [place for place, row in enumerate(found) if any(key.startswith("val") for key in row)]
    usual = sorted(set(range(len(found))) - set(rare) - ends)
    rare = spread(sorted(set(rare) - ends), (most - 2) // 2)
    kept = sorted({*ends, *rare, *spread(usual, most - 2 - len(rare))})
    return [found[place] for place in kept][:most]
