#!/usr/bin/env node
// The `glassbox` command: sets the project up if need be, then runs node/app/cli/main.ts from the caller's folder.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const done = spawnSync(
  process.execPath,
  [path.join(here, "bootstrap.mjs"), path.join(here, "../node/app/cli/main.ts"), ...process.argv.slice(2)],
  { stdio: "inherit", env: { ...process.env, GLASSBOX_CWD: process.env.INIT_CWD ?? process.cwd() } },
);
process.exit(done.status ?? 1);
