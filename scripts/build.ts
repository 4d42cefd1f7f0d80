// `npm run build`: the contracts' artifacts, and dist/, the package that others install. The kernel that
// both the project and dist/ use is built by bootstrap.mjs before.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { buildDist } from "./dist.ts";

process.chdir(path.dirname(path.dirname(fileURLToPath(import.meta.url))));

const built = spawnSync(process.execPath, ["node_modules/hardhat/dist/src/cli.js", "build"], { stdio: "inherit" });
if (built.status !== 0) process.exit(built.status ?? 1);
await buildDist();
process.stdout.write("built artifacts/ and dist/\n");
