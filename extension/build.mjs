// Bundles the front end for the Python package (`node build.mjs`), or its state for the tests (`--test`).
//
// Two outputs of one source: the anywidget (nbmodels/views/static), by esbuild alone; the Lab's extension
// (nbmodels/labextension), whose TypeScript esbuild joins and which JupyterLab's own builder then federates.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { build } from "esbuild";

const common = { bundle: true, format: "esm", target: "es2018", logLevel: "warning", legalComments: "none", charset: "utf8" };
const { resolve } = createRequire(import.meta.url);
const read = (file) => JSON.parse(readFileSync(file, "utf8"));

if (process.argv.includes("--test")) await tests();
else {
  await widget();
  await lab();
}

async function tests() {
  const entryPoints = readdirSync("test").filter((name) => name.endsWith(".test.ts")).map((name) => `test/${name}`);
  await build({ ...common, entryPoints, outdir: "build/test", platform: "node", target: "node18", outExtension: { ".js": ".mjs" } });
}

async function widget() {
  await build({
    ...common,
    entryPoints: ["src/widget.ts"],
    outfile: "../nbmodels/views/static/live.js",
    minify: true,
    banner: { js: "/* nbmodels, Apache-2.0. Holds uPlot, Copyright (c) Leon Sorokin, MIT License: https://github.com/leeoniya/uPlot */" },
  });
}

async function lab() {
  // Packages and style sheets are left to the builder: it knows what the Lab shares and how it loads styles.
  const left = { packages: "external", loader: { ".css": "copy" }, assetNames: "[name]" };
  await build({ ...common, ...left, entryPoints: ["src/lab/index.ts"], outfile: "build/lab/index.js" });
  writeFileSync("build/lab/core.json", JSON.stringify(core()));
  const builder = resolve("@jupyter/builder/lib/build-labextension.js");
  const said = { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" };
  try {
    execFileSync(process.execPath, [builder, "--core-package-file", "build/lab/core.json", "."], said);
  } catch (error) {
    process.stderr.write(`${error.stdout}${error.stderr}`);
    process.exit(1);
  }
  // Tells the Lab's extension manager who brought it; the last file: where it is, the build is whole.
  copyFileSync("install.json", "../nbmodels/labextension/install.json");
}

/** What the Lab shares, with the ranges of our package.json: one bundle runs on the oldest Lab that these admit. */
function core() {
  const newest = read(resolve("@jupyterlab/core-meta/core.package.json"));
  const { dependencies } = read("package.json");
  const ranges = Object.entries({ ...newest.dependencies, ...newest.resolutions });
  const ours = ranges.map(([name, range]) => [name, dependencies[name] ?? range]);
  mkdirSync("build/lab", { recursive: true });
  return { ...newest, dependencies: Object.fromEntries(ours), resolutions: {} };
}
