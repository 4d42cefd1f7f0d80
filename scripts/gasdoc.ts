// Writes docs/gas.md from the snapshots that the contracts' tests keep (test/contracts/snapshots): gas of transactions, of
// batches by size, and the contracts' sizes. A test compares.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
/** EIP-170. */
const MAX_BYTES = 24_576;
const DEPLOY = /^deploy /;

interface Batch {
  readonly items: number;
  readonly total: number;
  readonly each: number;
}

function snapshot<T>(name: string): Readonly<Record<string, T>> {
  return JSON.parse(fs.readFileSync(path.join(root, "test/contracts/snapshots", `${name}.json`), "utf8")) as Readonly<
    Record<string, T>
  >;
}

const figure = (value: number | undefined): string => (value === undefined ? "" : value.toLocaleString("en"));
const row = (...cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  row(...head),
  `|---|${head.slice(1).map(() => "---:|").join("")}`, // prettier-ignore
  ...rows.map((cells) => row(...cells)),
];

/** The document. */
export function gasDocument(): string {
  const gas = Object.entries(snapshot<number>("gas"));
  const deployments = new Map(
    gas.filter(([name]) => DEPLOY.test(name)).map(([name, n]) => [name.replace(DEPLOY, ""), n]),
  );
  const batches = Object.entries(snapshot<readonly Batch[]>("batch"));
  const bySize = batches.filter(([, sizes]) => sizes.length > 1);
  const single = batches.flatMap(([name, sizes]) => (sizes.length === 1 ? [[name, sizes[0] as Batch] as const] : []));
  const items = (bySize[0]?.[1] ?? []).map((batch) => batch.items);
  const sizes = Object.entries(snapshot<number>("size"));
  const lines = [
    "# Gas and sizes",
    "",
    "<!-- Made from test/contracts/snapshots by `npm run gasdoc`; test/docs.test.ts holds it to them. -->",
    "",
    "Measured by the contracts' tests on Hardhat's chain (Osaka), whole transactions with their 21,000 and their calldata. A change of",
    "more than nothing fails the tests until the snapshots are written anew.",
    "",
    "## Transactions",
    "",
    ...table(["", "gas"], gas.filter(([name]) => !DEPLOY.test(name)).map(([name, n]) => [name, figure(n)])), // prettier-ignore
    "",
    "Lengths are of the model's input and output. An output of more than 32 bytes costs 22,300 for each 32 bytes, and once more for its",
    "length, as it goes to storage.",
    "",
    "## Batches",
    "",
    "`fulfilBatch` checks the proofs of one model's requests at once. Gas for each request of 64 bytes, all in (calldata, storage,",
    "payment, event):",
    "",
    ...table(
      ["requests", ...items.map(String)],
      bySize.map(([name, sizes]) => [name, ...sizes.map(({ each }) => figure(each))]),
    ),
    "",
    "What spoils a batch costs whoever sent it, and nobody else:",
    "",
    ...table(["", "requests", "gas", "each"], single.map(([name, { items, total, each }]) => [name, `${items}`, figure(total), figure(each)])), // prettier-ignore
    "",
    "## Contracts",
    "",
    `A contract's code has at most ${figure(MAX_BYTES)} bytes (EIP-170).`,
    "",
    ...table(
      ["contract", "bytes", "of the limit", "gas to deploy"],
      sizes.map(([name, bytes]) => [name, figure(bytes), `${Math.round((100 * bytes) / MAX_BYTES)} %`, figure(deployments.get(name))]), // prettier-ignore
    ),
    "",
  ];
  return lines.join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  fs.writeFileSync(path.join(root, "docs/gas.md"), gasDocument());
  process.stdout.write("written: docs/gas.md\n");
}
