// `npm run check`: what CI wants besides the tests: types, lint, formatting. Stops at the first that fails.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

process.chdir(path.dirname(path.dirname(fileURLToPath(import.meta.url))));

const CHECKS: readonly (readonly [string, readonly string[]])[] = [
  ["types", ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"]],
  [
    "lint (TypeScript)",
    ["node_modules/eslint/bin/eslint.js", "node", "scripts", "test", "ignition", "hardhat.config.ts"],
  ],
  ["lint (Solidity)", ["node_modules/solhint/solhint.js", "--max-warnings", "0", "contracts/**/*.sol"]],
  ["formatting", ["node_modules/prettier/bin/prettier.cjs", "--check", "--log-level", "warn", "."]],
];

for (const [name, args] of CHECKS) {
  process.stdout.write(`check: ${name}\n`);
  const done = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (done.status !== 0) process.exit(done.status ?? 1);
}
