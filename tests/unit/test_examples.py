"""What an error tells one to type is taken, for every option there is and for any that a user's class may have."""

from __future__ import annotations

import itertools
import math
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbmodels import line, options, request, values
from nbmodels.data import DATA
from nbmodels.errors import InputError
from nbmodels.models import MODELS
from nbmodels.option import REQUIRED, Option, Style
from nbmodels.spec import Training

STYLES: tuple[Style, ...] = ("flag", "python", "yaml")
REFUSED = (
    0, -1, -5, 0.5, 1.5, 1e30, -1e30, 10**30, 10**400, math.nan, math.inf, None, True, [], (0,), [-1, 0], {"a": 1}, "",
    "abc", "0", "-1", "1,2", "0,0", "-1,-1", "true", "nan", "1e400", "[", "{", "'", "\x00", "é",
)  # fmt: skip


def known() -> list[Any]:
    """Every option of every model, data set, word and training."""
    own = ("nbmodels.data.files:Files", "nbmodels.data.arrays:Arrays")
    groups = {name: options.read_source(reference).options for name, reference in {**MODELS, **DATA}.items()}
    groups |= {reference: options.read_source(reference).options for reference in own}
    groups |= {"training": options.read_dataclass(Training).options, "common": request.COMMON}
    groups |= {word.name: word.options for word in line.WORDS.values()}
    return [pytest.param(option, id=f"{name}-{option.name}") for name, each in groups.items() for option in each]


def holds(option: Option, value: Any, style: Style) -> None:
    """The value is taken, or refused in one line whose suggestion is taken."""
    try:
        option.check(value, style)
    except InputError as error:
        assert "\n" not in str(error)
        start = {"flag": f"{option.flag} ", "python": f"{option.name}=", "yaml": f"{option.name}: "}[style]
        suggested = str(error).rpartition(f"Type: {start}")[2]
        assert suggested, "nothing is suggested"
        option.check(eval(suggested) if style == "python" else suggested, style)


@pytest.mark.parametrize("option", known())
def test_every_option_suggests_what_it_takes(option: Option) -> None:
    for value, style in itertools.product(REFUSED, STYLES):
        holds(option, value, style)
    option.check(option.example())


KINDS = [
    int, float, bool, str, int | None, float | None, str | None, tuple[int, ...], tuple[float, ...], list[int],
    tuple[int, int], tuple[float, float, float], int | tuple[int, ...], Literal["a", "b"], Literal[1, 2, 3],
    Literal["x"] | None, dict, dict[str, Any], Any, bool | None, tuple[str, ...],
]  # fmt: skip
ends = st.one_of(st.integers(-1000, 1000), st.floats(-1000, 1000, allow_nan=False))


@st.composite
def made(draw: st.DrawFn) -> Option:
    """An option as a user's class may have it; some number is inside its bounds."""
    low, high = (draw(st.none() | ends) for _ in range(2))
    if low is not None and high is not None:
        low, high = min(low, high), max(low, high) + 2  # so that a whole number lies between
    kind = draw(st.sampled_from(KINDS))
    default = draw(st.sampled_from([REQUIRED, None, 0, 1, 0.5, "a", (1, 2)]))
    return Option("width", kind, default, "", low, high, draw(st.booleans()), draw(st.booleans()))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(made(), st.one_of(st.sampled_from(REFUSED), st.integers(), st.floats(), st.text(max_size=8)))
def test_any_option_suggests_what_it_takes(option: Option, value: Any) -> None:
    for style in STYLES:
        holds(option, value, style)


def sized(name: str) -> dict[str, Any]:
    """What data would fill in, small."""
    described = options.read_source(MODELS[name])
    small = {"image_size": 32, "in_channels": 3, "in_features": 4, "num_classes": 3, "vocab_size": 30}
    small |= {"sequence_length": 16, "target_length": 16}
    return {key: value for key, value in small.items() if key in described}


def models() -> list[Any]:
    found = []
    for name in MODELS:
        for option in options.read_source(MODELS[name]).options:
            if option.name not in (*request.FILLED, "pretrained") and name not in ("llm", "gpt2"):
                found.append(pytest.param(name, option, id=f"{name}-{option.name}"))
    return found


@pytest.mark.parametrize(("name", "option"), models())
def test_what_a_models_option_suggests_builds_the_model(name: str, option: Option) -> None:
    from nbmodels.runs.build import load_class

    tried: set[str] = set()
    for value in (0, -1, 10**30, "abc"):
        try:
            option.check(value)
        except InputError as error:
            tried.add(str(error).rpartition(f"Type: {option.name}=")[2])
    for suggested in tried:
        load_class(MODELS[name])(**{**sized(name), option.name: option.check(eval(suggested))})


def test_a_class_of_the_notebook_is_told_a_width_that_can_be() -> None:
    from torch import nn

    class Net(nn.Module):
        def __init__(self, width: int, rate: float, sides: tuple[int, int]) -> None:
            super().__init__()
            self.net = nn.Linear(4, width)

    for option in options.read_live(Net).options:
        example = option.check(option.example())
        assert all(number > 0 for number in (example if isinstance(example, tuple) else (example,)))
    with pytest.raises(InputError, match=r"Net needs width. Type: --width [1-9]"):
        request.build_spec("Net", "digits", {}, {"Net": Net}, "flag")
    assert values.show(options.read_live(Net)["sides"].example()) == "1,1"
