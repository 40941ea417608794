"""What can be typed: read from source without torch, from live classes, and converted with one clear line."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any, Literal

import pytest

from nbmodels import options, values
from nbmodels.data import DATA
from nbmodels.errors import InputError
from nbmodels.models import MODELS
from nbmodels.option import REQUIRED, bounds, make
from nbmodels.spec import Training


class Grandmother:
    """The first.

    Args:
        other: Another thing, above 0.
    """

    accepts = ("image",)

    def __init__(self, base: int, other: float = 0.5, *, act: str = "relu") -> None: ...


class Mine(Grandmother):
    """My own network.

    Args:
        width: How wide, at least 1.
    """

    def __init__(self, width: int = 3, how: Literal["same", "valid"] | int = "same", plain=7, **rest: Any) -> None:
        super().__init__(**rest)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_described_whole(name: str) -> None:
    described = options.read_source(MODELS[name])
    assert described.title and described.options
    assert {"accepts", "tasks", "default_data", "recipe", "paper", "formula"} <= set(described.attributes)
    for option in described.options:
        assert option.help, f"{name} {option.flag} has no help"
        assert values.arms(option.type) and option.type is not Any
        assert option.check(option.default) == option.default


@pytest.mark.parametrize("name", MODELS)
def test_the_source_says_what_the_live_class_says(name: str) -> None:
    from nbmodels.runs.build import load_class

    written, live = options.read_source(MODELS[name]), options.read_live(load_class(MODELS[name]))
    assert [each.to_dict() for each in written.options] == [each.to_dict() for each in live.options]
    assert written.title == live.title


@pytest.mark.parametrize("name", [name for name in MODELS if name != "llm"])  # its own test counts the published one
def test_the_stated_number_of_parameters_is_true(name: str) -> None:
    from nbmodels import pages
    from nbmodels.runs.build import load_class

    built = sum(each.numel() for each in load_class(MODELS[name])().parameters())
    assert pages.parameters(options.read_source(MODELS[name])) == built


@pytest.mark.parametrize("name", DATA)
def test_every_data_set_is_described_whole(name: str) -> None:
    described = options.read_source(DATA[name])
    assert described.title and {"kind", "task", "size", "licence", "source"} <= set(described.attributes)
    for option in described.options:
        assert option.help and option.type is not Any and option.check(option.default) == option.default


def test_a_dataclass_reads_the_same_from_source_and_live() -> None:
    assert options.read_source("nbmodels.spec:Training").options == options.read_dataclass(Training).options


def test_reading_every_model_is_quick_and_imports_no_torch() -> None:
    code = """if True:
        import sys, time
        from nbmodels import options
        from nbmodels.models import MODELS
        options.read_doc("warm")
        began = time.perf_counter()
        for reference in MODELS.values():
            options.read_source(reference)
        print(time.perf_counter() - began, "torch" in sys.modules)
    """
    took, torch = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert torch == "False"
    assert float(took) < 1.0  # 0.04 s where it was measured; a busy machine is allowed its time
    began = time.perf_counter()
    for reference in MODELS.values():
        options.read_source(reference)
        options.read_source(reference)
    assert time.perf_counter() - began < 1.0


def test_a_live_class_gives_the_parameters_of_its_base_too() -> None:
    described = options.read_live(Mine)
    assert [each.name for each in described.options] == ["width", "how", "plain", "base", "other", "act"]
    assert described["base"].default is REQUIRED and described["base"].required
    assert (described["other"].low, described["other"].low_open) == (0.0, True)
    assert described["plain"].check("2.5") == 2.5
    assert described.attributes == {"accepts": ("image",)}
    assert "other" in described and "nothing" not in described


def test_a_class_without_a_docstring_has_its_name_as_title() -> None:
    class Bare:
        def __init__(self, n: int = 2) -> None: ...

    assert options.read_live(Bare).title == "Bare"


@pytest.mark.parametrize(
    ("help", "expected"),
    [
        ("Passes, at least 1.", (1, None, False, False)),
        ("Rate, above 0.", (0, None, True, False)),
        ("Layers, at most 8.", (None, 8, False, False)),
        ("Share, in [0, 1).", (0, 1, False, True)),
        ("Share, in (0, 1].", (0, 1, True, False)),
        ("At least 1e-3 and below 5. Or so.", (0.001, 5, False, True)),
        ("No bound at all; look above.", (None, None, False, False)),
    ],
)
def test_bounds_are_read_from_the_help(help: str, expected: tuple[Any, ...]) -> None:
    assert bounds(help) == expected


@pytest.mark.parametrize(
    ("kind", "typed", "value"),
    [
        (int, "1e3", 1000),
        (int, 3.0, 3),
        (float, "1e-3", 0.001),
        (bool, "yes", True),
        (bool, "off", False),
        (str, 3, "3"),
        (Literal["32", "bf16"], 32, "32"),
        (Literal["same", "valid"], "Same", "same"),
        (float | None, "none", None),
        (float | None, "2", 2.0),
        (Literal["same"] | int, "4", 4),
        (tuple[int, ...], "32,64,64", (32, 64, 64)),
        (tuple[int, ...], "[32, 64]", (32, 64)),
        (tuple[int, ...], "(32, 64)", (32, 64)),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[int, ...], 5, (5,)),
        (tuple[int, int], "3,4", (3, 4)),
        (list[float], "1,2.5", [1.0, 2.5]),
        (dict[str, int], "{a: 1}", {"a": 1}),
        (Any, "[1, two]", [1, "two"]),
    ],
)
def test_typed_text_becomes_the_type(kind: Any, typed: Any, value: Any) -> None:
    assert values.convert(typed, kind) == value


@pytest.mark.parametrize(
    ("kind", "typed"),
    [
        (int, "three"),
        (int, "1.5"),
        (int, True),
        (int, "nan"),
        (int, "inf"),
        (float, "nan"),
        (float, "inf"),
        (float, float("inf")),
        (float, True),
        (float, ""),
        (bool, "perhaps"),
        (Literal["a"], "b"),
        (tuple[int, ...], "1,x"),
        (tuple[int, int], "1,2,3"),
        (dict[str, int], "[1]"),
        (str, ["a"]),
    ],
)
def test_what_is_not_the_type_is_refused(kind: Any, typed: Any) -> None:
    with pytest.raises(ValueError):
        values.convert(typed, kind)


def test_numpy_values_become_plain() -> None:
    import numpy as np

    assert type(values.convert(np.int64(3), int)) is int
    assert values.convert(np.array([1, 2]), tuple[int, ...]) == (1, 2)


@pytest.mark.parametrize("option", options.read_dataclass(Training).options, ids=lambda option: option.name)
@pytest.mark.parametrize("typed", ["", "nonsense\n", "-1", "1e400", "[", "{", "'", "\x00", "nan", "999999999999", "é"])
def test_any_text_gives_a_value_or_one_line(option: options.Option, typed: str) -> None:
    try:
        option.read(typed)
    except InputError as error:
        said = str(error)
        assert "\n" not in said and option.flag in said and "Type: " in said
        option.read(said.rpartition(" ")[2])  # what it tells one to type is accepted


def test_an_error_is_spelled_as_it_was_typed() -> None:
    epochs = options.read_dataclass(Training)["epochs"]
    with pytest.raises(InputError) as error:
        epochs.read("three")
    assert str(error.value) == "--epochs takes a whole number of at least 1, not 'three'. Type: --epochs 3"
    with pytest.raises(InputError, match="epochs takes .*, not 0. Type: epochs=1"):
        epochs.check(0)
    channels = make("channels", tuple[int, ...], (32, 64), "Each at least 1.")
    with pytest.raises(InputError, match="Type: channels: 32,64"):
        channels.check("0", "yaml")
