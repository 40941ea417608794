// Bundles the live view for the Python package (`node build.mjs`), or the state for its tests (`--test`).
import { readdirSync } from "node:fs";
import { build } from "esbuild";

const common = { bundle: true, format: "esm", target: "es2018", logLevel: "warning", legalComments: "none" };

if (process.argv.includes("--test")) {
  const entryPoints = readdirSync("test").filter((name) => name.endsWith(".test.ts")).map((name) => `test/${name}`);
  await build({ ...common, entryPoints, outdir: "build/test", platform: "node", target: "node18", outExtension: { ".js": ".mjs" } });
} else {
  await build({
    ...common,
    entryPoints: ["src/widget.ts"],
    outfile: "../nbmodels/views/static/live.js",
    minify: true,
    charset: "utf8",
    banner: { js: "/* nbmodels, Apache-2.0. Holds uPlot, Copyright (c) Leon Sorokin, MIT License: https://github.com/leeoniya/uPlot */" },
  });
}
