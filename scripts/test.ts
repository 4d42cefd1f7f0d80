// `npm test`: every suite, through Hardhat: Solidity fuzz and invariants, then mocha.
//   npm test -- test/circuits            only the test files under a folder (or single files)
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

function testFiles(place: string): string[] {
  if (fs.statSync(place).isFile()) return [place];
  return fs
    .readdirSync(place, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => path.join(place, file))
    .sort();
}

function hardhat(args: readonly string[]): void {
  const done = spawnSync(process.execPath, ["node_modules/hardhat/dist/src/cli.js", ...args], { stdio: "inherit" });
  if (done.status !== 0) process.exit(done.status ?? 1);
}

const places = process.argv.slice(2);
hardhat(["build", "--quiet"]);
if (places.length === 0) hardhat(["test", "solidity", "--no-compile"]);
const files = (places.length === 0 ? ["test"] : places).flatMap(testFiles);
if (files.length === 0) {
  process.stderr.write("no test files there\n");
  process.exit(2);
}
hardhat(["test", "mocha", "--no-compile", ...files]);
