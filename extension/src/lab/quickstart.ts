// Wiring: the quickstart notebook, put into the folder at hand unless it is there, and opened.

import type { JupyterFrontEnd } from "@jupyterlab/application";
import { PathExt } from "@jupyterlab/coreutils";
import { ServerConnection } from "@jupyterlab/services";
import { door } from "../door";

export const QUICKSTART = "nbmodels-quickstart.ipynb";

/** Opens the quickstart of a folder; one that is there already is opened as it is. */
export async function quickstart(app: JupyterFrontEnd, folder: string): Promise<unknown> {
  const { contents } = app.serviceManager;
  const path = PathExt.join(folder, QUICKSTART);
  try {
    await contents.get(path, { content: false });
  } catch (error) {
    if (!(error instanceof ServerConnection.ResponseError) || error.response.status !== 404) throw error;
    const content = await door().get<object>("quickstart");
    await contents.save(path, { type: "notebook", format: "json", content });
  }
  return app.commands.execute("docmanager:open", { path });
}
