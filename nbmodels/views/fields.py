"""One option as the widget that fits it: a list of choices, a number in its bounds, a tick, or typed text.

Imported only with the form: it needs ipywidgets (7.7 or 8).
"""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from nbmodels import values
from nbmodels.errors import InputError
from nbmodels.option import Option

HIGHEST = 2**31 - 1  # of a number field without a bound of its own
WIDE = widgets.Layout(width="auto", min_width="0", margin="1px 4px")
STYLE = {"description_width": "104px"}
OWN = "automatic"  # what an empty choice is called


class Field:
    """An option's widget and what stands in it; `usual` is the value that needs not be typed."""

    def __init__(self, option: Option, usual: Any, value: Any) -> None:
        self.option, self.usual = option, usual
        self.widget = _widget(option, value)
        self._own = "tooltip" if self.widget.has_trait("tooltip") else "description_tooltip"  # ipywidgets 8, 7
        setattr(self.widget, self._own, option.help)
        self.widget.description = option.name.replace("_", " ")

    @property
    def value(self) -> Any:
        """What stands there, as the option's type; InputError where it cannot be that."""
        found = self.widget.value
        if isinstance(found, str) and not found.strip():
            return None if self.option.optional else self.usual
        return self.option.read(found) if isinstance(found, str) else self.option.check(found, "flag")

    def make_usual(self, usual: Any) -> None:
        """Another value needs not be typed; it stands there too, unless the user's own does."""
        if usual == self.usual:
            return
        try:
            own = self.changed
        except InputError:  # something is typed there that cannot be read: it is the user's to mend
            own = True
        self.usual = usual
        if not own:
            self.widget.value = usual if not isinstance(self.widget, widgets.Text) else _written(usual)

    @property
    def changed(self) -> bool:
        """Whether it is not the usual value."""
        return bool(self.value != self.usual)


def _widget(option: Option, value: Any) -> Any:
    if option.choices and str in values.arms(option.type):  # a choice, or anything else that is typed
        words = [str(word) for word in option.choices]
        return widgets.Combobox(options=words, value=_written(value), ensure_option=False, style=STYLE, layout=WIDE)
    if option.choices:
        value = "" if value is None else value
        return widgets.Dropdown(options=_choices(option), value=value, style=STYLE, layout=WIDE)
    kinds = [kind for kind in values.arms(option.type) if kind is not type(None)]
    if value is not None and kinds == [bool]:
        return widgets.Checkbox(value=bool(value), style=STYLE, layout=WIDE)
    if value is not None and kinds == [int]:
        low, high = _end(option.low, -HIGHEST), _end(option.high, HIGHEST)
        return widgets.BoundedIntText(value=value, min=low, max=high, style=STYLE, layout=WIDE)
    if value is not None and kinds == [float] and option.low is not None and option.high is not None:
        return widgets.BoundedFloatText(
            value=value, min=option.low, max=option.high, step=0.05, style=STYLE, layout=WIDE
        )
    hint = OWN if option.optional else option.short
    text = "" if option.required and value is option.default else _written(value)
    return widgets.Text(value=text, placeholder=hint, style=STYLE, layout=WIDE, continuous_update=True)


def _written(value: Any) -> str:
    return "" if value is None else str(values.show(value))


def _choices(option: Option) -> list[tuple[str, Any]]:
    words = [(str(word), word) for word in option.choices]
    return [(OWN, ""), *words] if option.optional else words


def _end(bound: float | None, otherwise: int) -> int:
    return otherwise if bound is None else int(bound)
