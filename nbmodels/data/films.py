"""Questions about films, answered in a text: made of MovieLens' table of films, out of the package `recbole`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from nbmodels.data.dataset import DataSet, any_order
from nbmodels.data.fetch import cache_folder, cached, members, missing, package_archive
from nbmodels.data.questions import Question, questions
from nbmodels.errors import DataError

PACKAGE = ("recbole", "1.2.1", "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407")
FILE = "ml-100k.item"
TOGETHER = 4  # films of a text
SENTENCES = (
    "{title} came out in {year} and is counted as {kind}.",
    "A film of {year} is {title}: {kind}.",
    "As {kind} one counts {title}, which was first shown in {year}.",
)


class Films:
    """Questions about films and texts that answer them.

    1,656 films of MovieLens (Harper and Konstan 2015), their years and genres; four of them make a text, out of three
    patterns of sentences of ours, and of each film the year and the kind are asked for. So the facts are real and the
    English is not: it shows whether the right film is found in the text, not how people ask. 3,312 questions; a film
    is in one split only. x [N, T] START question SEPARATOR text SEPARATOR, y [N, 2] the first and the last token of
    the answer. To take the first year or kind of the text would be right for every fourth question.

    Args:
        length: Tokens that are read of a question and its text, at least 16.
        tokens: What a token is: bpe, or the pretrained model whose tokenizer to use.
        pieces: Size of the BPE vocabulary, at least 300.
    """

    kind = "text"
    task = "question-answering"
    size = "3,312 questions, 414 texts"
    licence = "MIT as the package states; MovieLens asks to be used for research, with its name"
    source = "the package recbole 1.2.1, as data (2 MB, once)"
    ships = False

    def __init__(self, length: int = 128, tokens: Literal["bpe"] | str = "bpe", pieces: int = 2_000) -> None:
        self.length, self.tokens, self.pieces = length, tokens, pieces

    def load(self) -> DataSet:
        """The three splits, in about a second once fetched.

        Raises:
            DataError: It is not on this machine and cannot be fetched.
        """
        try:
            folder = cached("films-1", _fetch)
        except DataError as error:
            raise missing("films", [cache_folder()], error) from None
        rows = [line.split("\t") for line in (folder / FILE).read_text("utf-8").splitlines()[1:]]
        known = (row[1:] for row in rows if row[2].isdigit() and row[3] != "unknown")
        films = list({title: (title, year, kind) for title, year, kind in known}.values())  # a few stand there twice
        order = [films[number] for number in any_order(len(films))]
        whole = len(order) // TOGETHER * TOGETHER
        asked = [q for first in range(0, whole, TOGETHER) for q in ask(order[first : first + TOGETHER], first)]
        return questions("films", asked, self.tokens, self.length, self.pieces)


def ask(films: list[tuple[str, str, str]], number: int) -> list[Question]:
    """One text about some films (title, year, genres), and two questions about each; `number` chooses the patterns."""
    text, found = "", []
    for place, (title, year, genres) in enumerate(films):
        kind = ", ".join(genres.lower().split())
        pattern = SENTENCES[(number // TOGETHER + place) % len(SENTENCES)]
        before = pattern.partition("{year}")[0], pattern.partition("{kind}")[0]
        starts = [len(text) + len(part.format(title=title, year=year, kind=kind)) for part in before]
        found.append((f"When did {title} come out?", year, starts[0]))
        found.append((f"What kind of film is {title}?", kind, starts[1]))
        text += pattern.format(title=title, year=year, kind=kind) + " "
    return [Question(question, text.strip(), answer, start) for question, answer, start in found]


def _fetch(folder: Path) -> None:
    """The one table of the wheel."""
    wheel = package_archive(*PACKAGE, kind="wheel")
    (content,) = members(wheel, lambda name: name.endswith(f"/{FILE}")).values()
    (folder / FILE).write_bytes(content)
