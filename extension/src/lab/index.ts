// Wiring: every plugin of the Lab's extension.

import { panels } from "./panels";
import { renderer } from "./renderer";
import { settings } from "./settings";

export default [settings, renderer, ...panels];
