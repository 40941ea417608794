"""Debian's descriptions, by an apt-get that answers as the real one does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nbmodels.data import debian_descriptions as debian
from nbmodels.data.debian_descriptions import DebianDescriptions
from nbmodels.data.text import decoded, tokenizer
from nbmodels.errors import DataError, InputError

FILLING = " and it tells of many other things besides that nobody needs to know of a package " * 2
PACKAGES = (
    "Package: {0}{1}-dev\nVersion: 1\nSource: {0}-{1} (1.2)\n\nPackage: lib{0}{1}\nVersion: 1\nSource: {0}-{1}\n\n"
)
TRANSLATION = """Package: {name}
Description-md5: 0
Description-en: {short}
 {name} is a thing that does what it should,
 .
  * {long}

"""


def answer(folder: Path) -> None:
    """The lists of 60 sources with two packages each, and of one that says little."""
    packages, descriptions = "", ""
    for number in range(60):
        family = "".join(chr(ord("a") + int(figure)) for figure in f"{number:02}")
        packages += PACKAGES.format(family, number)
        for name in (f"{family}{number}-dev", f"lib{family}{number}"):
            descriptions += TRANSLATION.format(name=name, short=f"short of {name}", long=FILLING)
    descriptions += TRANSLATION.format(name="tiny", short="too short", long="little")
    (folder / "lists" / "archive_main_binary-amd64_Packages").write_text(packages)
    (folder / "lists" / "archive_main_i18n_Translation-en").write_text(descriptions)
    (folder / "lists" / "security_main_i18n_Translation-en").write_text(descriptions)  # in two archives, once in ours


@pytest.fixture
def apt(tmp_path, monkeypatch):
    """apt-get's calls: each is its settings, and afterwards the lists are there."""
    calls = []

    def run(command, **options):
        settings = Path(command[command.index("--config-file") + 1])
        calls.append((command, settings.read_text()))
        answer(settings.parent)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setenv("NBMODELS_DATA", str(tmp_path))
    monkeypatch.setattr(debian.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(debian.subprocess, "run", run)
    return calls


def test_each_package_has_a_long_and_a_short_description(apt):
    data = DebianDescriptions(packages=1_000, pieces=400, length=200, target_length=40).load()
    words = tokenizer(data.facts.tokens)
    seen = {decoded(words, y.tolist()): decoded(words, x.tolist()) for x, y in zip(*data.train, strict=True)}
    short, long = next(iter(seen.items()))
    assert (
        long == f"{short.removeprefix('short of ')} is a thing that does what it should, * {' '.join(FILLING.split())}"
    )
    assert [len(part[0]) for part in (data.train, data.val, data.test)] == [96, 12, 12]
    assert data.facts.task == "summarisation" and data.facts.fills["target_length"] == 40


def test_the_packages_of_one_source_lie_in_one_split(apt):
    data = DebianDescriptions(packages=1_000, pieces=400, length=200, target_length=40).load()
    words = tokenizer(data.facts.tokens)
    families = [
        {decoded(words, y.tolist()).removeprefix("short of ").removeprefix("lib")[:2] for y in part[1]}
        for part in (data.train, data.val, data.test)
    ]
    assert [len(part) for part in families] == [48, 6, 6] and len(set.union(*families)) == 60


def test_apt_is_asked_once_and_keeps_its_own_lists(apt):
    DebianDescriptions(packages=1_000, pieces=400).load()
    some = DebianDescriptions(packages=100, pieces=400, length=200, target_length=40).load()
    assert sum(len(part[0]) for part in (some.train, some.val, some.test)) == 100
    ((command, settings),) = apt
    assert command[-1] == "update"
    for line in ("Dir::State::lists", "Dir::Cache ", "#clear APT::Update::Post-Invoke;", 'Acquire::Languages "en"'):
        assert line in settings
    with pytest.raises(InputError, match="At least 100"):
        DebianDescriptions(packages=5).load()


def test_versions_are_one_family():
    names = ("gcc-12", "gcc-13", "gcc-12-cross", "boost1.74", "llvm-toolchain-14", "python3.11")
    assert [debian.VERSION.sub("", name) for name in names] == [
        "gcc",
        "gcc",
        "gcc-cross",
        "boost",
        "llvm-toolchain",
        "python",
    ]


def test_no_apt_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("NBMODELS_DATA", str(tmp_path))
    monkeypatch.setattr(debian.shutil, "which", lambda name: None)
    with pytest.raises(DataError, match="debian-descriptions is not on this machine.*no apt-get") as caught:
        DebianDescriptions().load()
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_no_network_is_one_line_without_the_address(apt, tmp_path, monkeypatch):
    said = (
        "E: Failed to fetch http://me:secret@127.0.0.1/dists/InRelease  Could not connect\nE: Some index files failed"
    )
    monkeypatch.setattr(
        debian.subprocess, "run", lambda command, **options: subprocess.CompletedProcess(command, 100, "", said)
    )
    with pytest.raises(DataError, match="apt-get could not fetch it .Failed to fetch an archive") as caught:
        DebianDescriptions().load()
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value) and not list(tmp_path.iterdir())
