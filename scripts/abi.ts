// Writes node/chain/abi.ts from the compiled contracts: run it with node after `npx hardhat build`, when an interface changed.
// A test holds the file equal to the artifacts.
import fs from "node:fs";
import path from "node:path";
import { Interface } from "ethers";

const ROOT = path.join(import.meta.dirname, "..");
export const ABI_FILE = path.join(ROOT, "node/chain/abi.ts");

const CONTRACTS = [
  ["REGISTRY_ABI", "ModelRegistry"],
  ["COORDINATOR_ABI", "InferenceCoordinator"],
  ["RELAY_ABI", "RequestRelay"],
  ["DIRECTORY_ABI", "ProverDirectory"],
] as const;

/** The text of node/chain/abi.ts, as the artifacts want it. */
export function abiText(): string {
  const parts = CONTRACTS.map(([constant, contract]) => {
    const file = path.join(ROOT, "artifacts/contracts", `${contract}.sol`, `${contract}.json`);
    const { abi } = JSON.parse(fs.readFileSync(file, "utf8")) as { readonly abi: [] };
    const lines = new Interface(abi).fragments
      .filter(({ type }) => type !== "constructor")
      .map((fragment) => `  ${JSON.stringify(fragment.format("full"))},\n`);
    return `export const ${constant} = [\n${lines.join("")}] as const;\n`;
  });
  const head =
    "// The contracts' interfaces as human-readable text. Generated from the artifacts by scripts/abi.ts; no behaviour.\n";
  return [head, ...parts].join("\n");
}

if (import.meta.main) fs.writeFileSync(ABI_FILE, abiText());
