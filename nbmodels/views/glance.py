"""A look at a long file of lines: some of them, evenly spread, and every validation; a blink for a million lines."""

from __future__ import annotations

from typing import BinaryIO

from nbmodels.runs.reading import piece

RARE = b'"val'  # what stands in a line that must not be missed: a validation is one in thousands
SELDOM = 0.03  # of the lines; marks that are more frequent are seen often enough
NEWEST = 16_000  # bytes at the end that are taken whole: the newest figures are exact
LONGEST = 65_536  # bytes of a line; what is longer is none that a worker wrote


def glance(file: BinaryIO, start: int, size: int, most: int) -> tuple[bytes, int]:
    """Some of the whole lines after a byte where one begins, in their order, and the byte after the last whole line.

    They are the first, the newest, at most `most` evenly spread ones, and at most as many validations.
    """
    newest, _ = _line(file, max(start, size - NEWEST), start)
    file.seek(newest)
    tail = file.read(max(0, size - newest))
    tail = tail[: tail.rfind(b"\n") + 1]
    places = (start + (newest - start) * number // most for number in range(most))
    seen = dict(_line(file, place, start) for place in places)
    if sum(RARE in line for line in seen.values()) < SELDOM * len(seen):
        rare = _rare(file, start, newest)
        seen.update(rare[:: len(rare) // most + 1] + rare[-1:])
    return b"".join([seen[place] for place in sorted(seen) if place < newest] + [tail]), newest + len(tail)


def _line(file: BinaryIO, place: int, start: int) -> tuple[int, bytes]:
    """The first line that begins at a byte or after it: where, and itself."""
    file.seek(max(place - 1, start))
    if place > start:
        file.readline(LONGEST)  # the rest of the one before
    begin, line = file.tell(), file.readline(LONGEST)
    return begin, line if line.endswith(b"\n") else b""


def _rare(file: BinaryIO, start: int, end: int) -> list[tuple[int, bytes]]:
    """Every line with the mark of a validation: where it begins, and itself."""
    found = []
    while start < end and (lines := piece(file, start)):
        mark = lines.find(RARE)
        while mark >= 0:
            begin, stop = lines.rfind(b"\n", 0, mark) + 1, lines.find(b"\n", mark) + 1
            found.append((start + begin, lines[begin:stop]))
            mark = lines.find(RARE, stop)
        start += len(lines)
    return found
