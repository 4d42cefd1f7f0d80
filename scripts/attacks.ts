// Writes test/contracts/adversarial/README.md, the published list of attacks: run it with node when a test there is added or
// renamed. The names come from mocha, which loads the files without running them; a test holds the list equal to them.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

const ROOT = path.join(import.meta.dirname, "..");
const FOLDER = "test/contracts/adversarial";
export const ATTACKS_FILE = path.join(ROOT, FOLDER, "README.md");

interface Titled {
  readonly file: string;
  readonly fullTitle: string;
}

/** The names of all tests, by file. */
function attacks(): ReadonlyMap<string, readonly string[]> {
  const files = fs.readdirSync(path.join(ROOT, FOLDER)).filter((file) => file.endsWith(".test.ts"));
  const args = ["node_modules/mocha/bin/mocha.js", "--dry-run", "--reporter", "json"];
  const done = spawnSync(process.execPath, [...args, ...files.map((file) => path.join(FOLDER, file))], {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  const json = done.stdout.slice(done.stdout.indexOf("{\n"));
  const { tests } = JSON.parse(json) as { readonly tests: readonly Titled[] };
  const byFile = new Map<string, string[]>();
  for (const { file, fullTitle } of tests) {
    const name = path.basename(file);
    byFile.set(name, [...(byFile.get(name) ?? []), fullTitle]);
  }
  return new Map([...byFile].sort(([a], [b]) => a.localeCompare(b)));
}

/** The first comment of a file, as one paragraph. */
function introduction(file: string): string {
  const lines = fs.readFileSync(path.join(ROOT, FOLDER, file), "utf8").split("\n");
  const end = lines.findIndex((line) => !line.startsWith("//"));
  return lines
    .slice(0, end)
    .map((line) => line.replace(/^\/\/ ?/, ""))
    .join(" ");
}

/** The text of README.md, as the tests want it. */
export function attacksText(): string {
  const all = attacks();
  const count = [...all.values()].reduce((sum, names) => sum + names.length, 0);
  const head = `# The adversarial suite

What somebody who wants another's money, or a false result, or just harm, may try against the contracts; each attack is a test
of that name, on the real contracts with valid proofs of a key whose secrets the tests know. ${count} attacks in ${all.size} files.
\`npm test -- ${FOLDER}\` runs them. This list is written by \`node scripts/attacks.ts\` and held equal to the tests.

Beside it: \`test/contracts/*.t.sol\` (fuzzing, and invariants with sums kept apart), and every transaction of the contracts'
tests once more on a second EVM implementation.
`;
  const parts = [...all].map(([file, names]) => {
    const rows = names.map((name) => `- ${name.replace(/([_*<>])/g, "\\$1")}`).join("\n");
    return `\n## [${file}](${file})\n\n${introduction(file)}\n\n${rows}\n`;
  });
  return [head, ...parts].join("");
}

if (import.meta.main) fs.writeFileSync(ATTACKS_FILE, attacksText());
