"""What git says, in English and in another language: the message catalogues that come with git."""

from __future__ import annotations

import gettext
import re
import subprocess
import sys
from pathlib import Path

from nbmodels.data.dataset import DataSet
from nbmodels.data.pairs import pairs
from nbmodels.errors import DataError, InputError, nearest

PREFIXES = ("/usr", "/usr/local", sys.prefix, "/opt/homebrew", "/home/linuxbrew/.linuxbrew", "/opt/local")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(_[A-Za-z]{2,8})?(@[A-Za-z]+)?")


class GitMessages:
    """What git says, in English and translated by hand: to learn to translate.

    The messages, warnings and options of git as its translators have them, about 5,400 pairs a language; most are
    short (half have at most 35 characters), full of git's own words, and `%s` stands where a name will be. x [N, S]
    and y [N, T] are tokens of one vocabulary of byte pairs; every tenth pair is to validate, every tenth to test.

    Args:
        language: The language to translate into, as gettext calls it: zh_CN, fr, de, ...
        pieces: Size of the vocabulary, at least 300.
        length: Tokens of an English message, at least 2; a pair that is longer is left out.
        target_length: Tokens of its translation, at least 3; a pair that is longer is left out.
    """

    kind = "text"
    task = "translation"
    size = "about 5,400 pairs a language"
    licence = "GPL-2.0, as git"
    source = "git's own catalogues: share/locale/LANGUAGE/LC_MESSAGES/git.mo"
    ships = False

    def __init__(self, language: str = "zh_CN", pieces: int = 3_000, length: int = 48, target_length: int = 48) -> None:
        self.language, self.pieces, self.length, self.target_length = language, pieces, length, target_length

    def load(self) -> DataSet:
        """The three splits, in a second.

        Raises:
            DataError: git's catalogue of that language is not on this machine.
        """
        messages = read_catalogue(find_catalogue(self.language))
        return pairs(
            "git-messages",
            list(messages),
            list(messages.values()),
            "translation",
            self.pieces,
            self.length,
            self.target_length,
            target=self.language,
        )


def find_catalogue(language: str) -> Path:
    """git's catalogue of a language, where gettext and git keep such; DataError names the places looked in."""
    language = language.replace("-", "_")
    if not LANGUAGE.fullmatch(language):
        raise InputError(f"{language!r} is no language as gettext writes it", "Type: --language zh_CN")
    folders = locale_folders()
    found = {file.parts[-3]: file for folder in reversed(folders) for file in folder.glob("*/LC_MESSAGES/git.mo")}
    if language in found:
        return found[language]
    if found:
        close = nearest(language, found)
        guess = f"Did you mean {close}?" if close else f"There are {', '.join(sorted(found))}."
        raise DataError(f"git has no messages in {language!r} here", guess)
    places = ", ".join(str(folder) for folder in folders)
    raise DataError(
        f"git's translated messages are not on this machine (looked in {places})",
        "Type: apt install git, or brew install git; a slim container leaves the translations out.",
    )


def locale_folders() -> list[Path]:
    """The `share/locale` of the usual prefixes and of git's own, in the order they are looked in."""
    prefixes = [Path(prefix) for prefix in PREFIXES]
    try:
        said = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True, timeout=10).stdout
        prefixes.insert(0, Path(said.strip()).parent.parent)  # of PREFIX/libexec/git-core
    except (OSError, subprocess.SubprocessError):
        pass  # no git to ask: a catalogue may be there all the same
    return list(dict.fromkeys(prefix / "share" / "locale" for prefix in prefixes))


def read_catalogue(file: Path) -> dict[str, str]:
    """The English messages and their translations; of a message with a plural, its singular.

    Raises:
        DataError: It is no catalogue.
    """
    try:
        with file.open("rb") as content:
            # The standard library reads the format and has no public way to list what it read.
            entries = gettext.GNUTranslations(content)._catalog  # type: ignore[attr-defined]
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read as a catalogue: {error}", "Install git again.") from None
    messages = {}
    for key, translation in entries.items():
        message, form = key if isinstance(key, tuple) else (key, 0)
        message = message.rpartition("\x04")[2]  # a context may stand before it
        if message.strip() and translation.strip() and form == 0:  # the entry of an empty message is the file's header
            messages[message] = translation
    return messages
