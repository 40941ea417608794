// When the page changes its colours: what is drawn on a canvas must be drawn again.

/** Calls back when the page or the system turns light or dark. */
export function onTheme(callback: () => void): () => void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const page = new MutationObserver(callback);
  const attributeFilter = ["class", "data-jp-theme-light", "data-jp-theme-name", "data-vscode-theme-kind", "theme"];
  for (const element of [document.documentElement, document.body]) page.observe(element, { attributes: true, attributeFilter });
  system.addEventListener("change", callback);
  return () => {
    page.disconnect();
    system.removeEventListener("change", callback);
  };
}
