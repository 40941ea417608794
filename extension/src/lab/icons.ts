// The icon of our own: a curve that falls and levels out, over its axis.

import { LabIcon } from "@jupyterlab/ui-components";

// The Lab colours `fill` and `stroke` of what has its class and the attribute; what is to stay empty has no such attribute.
const LINE = 'class="jp-icon3" stroke="#616161" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" style="fill: none"';
const DRAWN = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path ${LINE} d="M4 4v16h16"/>
  <path ${LINE} d="M8 5c1 7 4 10 9 10.3"/>
  <circle class="jp-icon3" cx="18.5" cy="15.3" r="2.2" fill="#616161"/>
</svg>`;

export const runsIcon = new LabIcon({ name: "nbmodels:runs", svgstr: DRAWN });
