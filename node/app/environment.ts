// The node's environment statement: what ran, in words that an operator publishes and a digest that goes on chain. It is
// self-declared and worth as much as the operator's word. Read off the machine and the installed packages.
import fs from "node:fs";
import path from "node:path";
import { createHash } from "node:crypto";
import type { Hex } from "../core/domain.ts";

export interface Environment {
  /** The statement's file, to the byte: canonical JSON, keys sorted, with a final newline. */
  readonly text: string;
  /** SHA-256 of the text: what `sha256sum environment.json` prints, and what is declared on chain. */
  readonly digest: Hex;
}

/** Whose versions decide what is computed. */
const PACKAGES = ["onnxruntime-node", "circom2", "snarkjs", "ethers"] as const;
const ROOT = path.join(import.meta.dirname, "../..");
const KERNEL = path.join(ROOT, "node/groth16/kernel.wasm");

function versionOf(folder: string): string {
  const file = path.join(folder, "package.json");
  return (JSON.parse(fs.readFileSync(file, "utf8")) as { readonly version: string }).version;
}

export function statement(facts: { readonly prover: string; readonly image?: string | undefined }): Environment {
  const versions = PACKAGES.map((name) => [name, versionOf(path.join(ROOT, "node_modules", name))] as const);
  const lines: Record<string, string> = {
    format: "glassbox.environment.v1",
    glassbox: versionOf(ROOT),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    prover: facts.prover,
    attestation: "none",
    // The built-in prover's code is not one of the packages.
    ...(facts.prover === "wasm" ? { kernel: sha256(fs.readFileSync(KERNEL)) } : {}),
    ...Object.fromEntries(versions),
    ...(facts.image === undefined ? {} : { image: facts.image }),
  };
  const sorted = Object.fromEntries(Object.entries(lines).sort(([a], [b]) => (a < b ? -1 : 1)));
  const text = `${JSON.stringify(sorted, null, 2)}\n`;
  return { text, digest: `0x${sha256(text)}` };
}

function sha256(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
