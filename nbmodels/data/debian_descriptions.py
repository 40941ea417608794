"""What Debian's packages say of themselves, long and short, as the user's own apt has it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nbmodels.data.dataset import DataSet, any_order
from nbmodels.data.fetch import cache_folder, cached, missing
from nbmodels.data.pairs import pairs
from nbmodels.errors import DataError, InputError

FILE = "descriptions.tsv"
SHORTEST = 25  # words of a long description that is worth a summary
VERSION = re.compile(r"[-.]?\d[\d.]*")
PATIENCE = 600  # seconds for apt
# Lists, cache and logs go to a folder of our own; nothing of the system's apt is changed, and no hook of it runs.
SETTINGS = """\
Dir::State::lists "{folder}/lists";
Dir::Cache "{folder}/cache";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "root";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Update::Error-Mode "any";
#clear Acquire::Languages;
Acquire::Languages "en";
Acquire::GzipIndexes "false";
Acquire::IndexTargets::deb-src::Sources::DefaultEnabled "false";
"""


class DebianDescriptions:
    """What Debian's packages say of themselves: the long description, and the short one to be written of it.

    About 50,000 packages describe themselves in a paragraph or more (here at least 25 words; half have 50) and in one
    line of about seven words. x [N, S] and y [N, T] are tokens of one vocabulary of byte pairs. The packages of one
    source, and other versions of it, lie in one split, for they say nearly the same; a tenth of the families is to
    validate, a tenth to test. Another release of Debian has other packages.

    Args:
        packages: The most packages to use, at least 100; whole families are drawn at random, the same every time.
        pieces: Size of the vocabulary, at least 300.
        length: Tokens that are read of a long description, at least 2.
        target_length: Tokens of a short description, at least 3; a pair that has more is left out.
    """

    kind = "text"
    task = "summarisation"
    size = "about 50,000 pairs"
    licence = "as the packages, free by Debian's guidelines"
    source = "the lists of packages, from where the user's apt has them (16 MB, once)"
    ships = False

    def __init__(self, packages: int = 50_000, pieces: int = 4_000, length: int = 48, target_length: int = 24) -> None:
        self.packages, self.pieces, self.length, self.target_length = packages, pieces, length, target_length

    def load(self) -> DataSet:
        """The three splits, in seconds once fetched.

        Raises:
            DataError: They are not on this machine and there is no apt, or it reaches no archive.
        """
        if self.packages < 100:
            raise InputError("At least 100 packages are needed to learn from", "Type: --packages 50000")
        try:
            folder = cached("debian-descriptions-1", _fetch)
        except DataError as error:
            raise missing("debian-descriptions", [cache_folder()], error) from None
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
        groups, targets, sources = zip(*_some([line.split("\t") for line in lines], self.packages), strict=True)
        return pairs(
            "debian-descriptions",
            sources,
            targets,
            "summarisation",
            self.pieces,
            self.length,
            self.target_length,
            groups=groups,
            target="short description",
        )


def _some(rows: list[list[str]], most: int) -> list[list[str]]:
    """At most so many rows: those of whole families, in a fixed random order of the families."""
    families: dict[str, list[list[str]]] = {}
    for row in rows:
        families.setdefault(row[0], []).append(row)
    names, some = list(families), list[list[str]]()
    for number in any_order(len(names)).tolist():
        family = families[names[number]]
        if len(some) + len(family) <= most:
            some += family
    return some


def _fetch(folder: Path) -> None:
    """Let apt fetch its lists, and keep of each description its family, the short and the long one, a line each."""
    apt = shutil.which("apt-get")
    if apt is None:
        raise DataError("there is no apt-get here to fetch it: it takes Debian, Ubuntu or a relative of theirs")
    with tempfile.TemporaryDirectory(prefix="nbmodels-") as place:
        for part in ("lists/partial", "cache/archives/partial"):
            (Path(place) / part).mkdir(parents=True)
        settings = Path(place) / "settings"
        settings.write_text(SETTINGS.format(folder=place), encoding="utf-8")
        command, said = [apt, "--quiet", "--config-file", str(settings), "update"], ""
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, "LC_ALL": "C"}
            )
            said = done.stderr
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DataError(f"apt-get did not finish ({type(error).__name__})") from None
        lists = Path(place) / "lists"
        rows = sorted(set(_rows(lists)))
    if not rows:
        why = next((line for line in said.splitlines() if line.startswith(("E:", "W:"))), "it gave no descriptions")
        raise DataError(f"apt-get could not fetch it ({_without_address(why)})")
    (folder / FILE).write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


def _rows(lists: Path) -> Iterator[tuple[str, str, str]]:
    """The family, the short and the long description of every package in apt's lists that says enough."""
    sources = {}
    for file in lists.glob("*_Packages"):
        for entry in _entries(file):
            sources[entry["Package"]] = entry.get("Source", entry["Package"]).split()[0]
    for file in lists.glob("*_Translation-en"):
        for entry in _entries(file):
            short, _, long = entry.get("Description-en", "").partition("\n")
            words = [word for line in long.splitlines() if line.strip() != "." for word in line.split()]
            if len(words) >= SHORTEST and short.strip():
                name = entry["Package"]
                yield VERSION.sub("", sources.get(name, name)), " ".join(short.split()), " ".join(words)


def _entries(file: Path) -> Iterator[dict[str, str]]:
    """The entries of a list of apt's: names and what they say, lines that go on with their new line."""
    for text in file.read_text(encoding="utf-8", errors="replace").split("\n\n"):
        entry: dict[str, str] = {}
        name = ""
        for line in text.split("\n"):
            if line[:1] in (" ", "\t"):
                entry[name] = f"{entry.get(name, '')}\n{line[1:]}"
            else:
                name, _, value = line.partition(":")
                entry[name] = value.strip()
        if "Package" in entry:
            yield entry


def _without_address(line: str) -> str:
    """A line of apt's without the addresses in it, which may carry a password."""
    return re.sub(r"\w+://\S+", "an archive", line[2:]).strip()
