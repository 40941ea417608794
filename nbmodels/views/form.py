"""The form: every option of a model as the right widget, Start, and beneath it the live view.

Below the fields stands the very line that Start runs, as one would type it: people learn the line. Imported only
when a form is asked for: it needs ipywidgets (7.7 or 8).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from html import escape
from typing import Any

import ipywidgets as widgets

from nbmodels.errors import BigModelError
from nbmodels.option import Option
from nbmodels.options import Description, read_dataclass
from nbmodels.runs.run import Run
from nbmodels.spec import Training
from nbmodels.views.command import line
from nbmodels.views.comms import hear
from nbmodels.views.fields import STYLE, WIDE, Field

FIRST = ("epochs", "batch_size", "lr", "optimizer")  # of the training; the rest folds away
GRID = widgets.Layout(grid_template_columns="repeat(auto-fill, minmax(230px, 1fr))", width="100%")

Start = Callable[[dict[str, Any]], Run]


def panel(
    model: str,
    description: Description,
    data: Mapping[str, Description | None] | Iterable[str],
    start: Start,
    chosen: Mapping[str, Any] | None = None,
    filled: Collection[str] = (),
) -> Panel:
    """A form for one model.

    Args:
        model: The name as the line has it.
        description: The model's options and attributes (`recipe`, `default_data`).
        data: The data sets it can take: names, or name -> description, whose options are then offered too.
        start: Starts a run from {"data": name, option: value …}; only what is not the default is handed over.
        chosen: Values that stand in the form already, `data` among them.
        filled: Options of the model that the data fills in: left out.
    """
    sets = dict(data) if isinstance(data, Mapping) else dict.fromkeys(data)
    return Panel(model, description, sets, start, dict(chosen or {}), filled)


class Panel(widgets.VBox):
    """The form as a widget; `values` is what Start would hand over, `line` what one would type."""

    def __init__(
        self,
        model: str,
        description: Description,
        data: Mapping[str, Description | None],
        start: Start,
        chosen: dict[str, Any],
        filled: Collection[str],
    ) -> None:
        self.model, self._data, self._start_run, self._chosen = model, data, start, chosen
        self._description = description
        own = [option for option in description.options if option.name not in filled]
        named = {option.name for option in own}
        training = [option for option in read_dataclass(Training).options if option.name not in named]
        # The model's learning rate is a matter of the training to whoever fills in the form.
        main = [option for option in (*training, *own) if option.name in FIRST]
        self._fields = {option.name: self._field(option, description.recipe()) for option in (*training, *own)}
        self._data_fields: dict[str, Field] = {}
        self._choice = widgets.Dropdown(
            options=list(data), description="data", style=STYLE, layout=WIDE, value=self._first(description)
        )
        self._data_grid = widgets.GridBox([], layout=GRID)
        self._line = widgets.HTML()
        self._said = widgets.HTML()
        self._button = widgets.Button(description="Start", button_style="primary", icon="play")
        self._live = widgets.VBox([])
        rest = self._grid(option for option in training if option.name not in FIRST)
        more = widgets.Accordion([rest], selected_index=None)
        more.set_title(0, "more of the training")
        model_options = [option for option in own if option.name not in FIRST]
        super().__init__(
            [
                widgets.HTML(f"<b>{escape(model)}</b>&ensp;{escape(description.title)}"),
                *_group("Data", self._data_grid),
                *(_group("Model", self._grid(model_options)) if model_options else []),
                *_group("Training", self._grid(sorted(main, key=lambda option: FIRST.index(option.name)))),
                more,
                widgets.HBox([self._button, self._line], layout=widgets.Layout(align_items="center", margin="8px 0 0")),
                self._said,
                self._live,
            ]
        )
        self._choice.observe(self._other_data, "value")
        self._button.on_click(self._start)
        self._other_data()

    def __repr__(self) -> str:
        return f"<Panel {self.line}>"

    @property
    def values(self) -> dict[str, Any]:
        """{"data": name, option: value …}, without what is usual; InputError for a field that cannot be read."""
        fields = {**self._fields, **self._data_fields}
        changed = {name: field.value for name, field in fields.items() if field.changed}
        return {"data": self._choice.value, **changed}

    @property
    def line(self) -> str:
        """The line that does the same."""
        values = self.values
        return line(self.model, values.pop("data") or "", values)

    def _first(self, description: Description) -> str | None:
        asked = self._chosen.get("data") or description.attributes.get("default_data")
        return asked if asked in self._data else next(iter(self._data), None)

    def _field(self, option: Option, usual: Mapping[str, Any]) -> Field:
        default = usual.get(option.name, option.default)
        field = Field(option, default, self._chosen.get(option.name, default))
        field.widget.observe(self._show, "value")
        return field

    def _grid(self, options: Iterable[Option]) -> widgets.GridBox:
        return widgets.GridBox([self._fields[option.name].widget for option in options], layout=GRID)

    def _other_data(self, _: Any = None) -> None:
        described = self._data.get(self._choice.value)
        options = described.options if described else ()
        self._data_fields = {option.name: self._field(option, {}) for option in options}
        recipe = self._description.recipe(described.task if described else None)
        for name, field in self._fields.items():
            field.make_usual(recipe.get(name, field.option.default))
        self._data_grid.children = [self._choice, *(field.widget for field in self._data_fields.values())]
        hear(self)
        self._show()

    def _show(self, _: Any = None) -> None:
        """The line as the fields are now, or why it cannot be run."""
        try:
            self._line.value = f'<code style="user-select:all;margin-left:8px">{escape(self.line)}</code>'
            self._say("")
        except BigModelError as error:
            self._line.value = ""
            self._say(str(error))

    def _say(self, what: str) -> None:
        self._said.value = f'<span style="color:var(--jp-error-color1,#cf222e)">{escape(what)}</span>' if what else ""

    def _start(self, _: Any = None) -> None:
        self._button.disabled = True
        try:
            from nbmodels.views.live import LiveView

            self._live.children = [LiveView(self._start_run(self.values))]
            self._say("")
        except BigModelError as error:
            self._say(str(error))
        finally:
            self._button.disabled = False


def _group(title: str, grid: widgets.GridBox) -> list[Any]:
    return [widgets.HTML(f'<span style="opacity:.65;font-size:11px">{title}</span>'), grid]
