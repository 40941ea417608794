// Wiring: the settings, and the language that everything of ours in the Lab is shown in.

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { ITranslator } from "@jupyterlab/translation";
import { Signal } from "@lumino/signaling";
import { door } from "../door";
import { period } from "../state/wishes";
import { type Lang, pickLang } from "../words";

interface Chosen {
  runsFolder: string;
  language: string;
}

const chosen: Chosen = { runsFolder: "", language: "auto" };
let page = "en";

/** The language of the Lab, or the one that the settings name. */
export const lang = (): Lang => pickLang(chosen.language === "auto" ? "" : chosen.language, page);

/** The folder for new runs that the settings name; empty: the kernel's own. */
export const runsFolder = (): string => chosen.runsFolder;

/** Tells that a setting has changed: the language too. */
export const changed = new Signal<Chosen, void>(chosen);

export const settings: JupyterFrontEndPlugin<void> = {
  id: "nbmodels:settings",
  description: "How often runs are looked at, and in which language they are shown.",
  autoStart: true,
  optional: [ISettingRegistry, ITranslator],
  activate: async (_: JupyterFrontEnd, registry: ISettingRegistry | null, translator: ITranslator | null) => {
    page = translator?.languageCode || "en";
    if (!registry) return;
    try {
      const loaded = await registry.load(settings.id);
      const read = (): void => apply(loaded);
      loaded.changed.connect(read);
      read();
    } catch {
      // A server that does not serve the schema: the defaults hold.
    }
  },
};

function apply(loaded: ISettingRegistry.ISettings): void {
  const text = (name: string, usual: string): string => {
    const value = loaded.get(name).composite;
    return typeof value === "string" ? value : usual;
  };
  chosen.runsFolder = text("runsFolder", "");
  chosen.language = text("language", "auto");
  door().period = period(loaded.get("updateRate").composite);
  changed.emit();
}
