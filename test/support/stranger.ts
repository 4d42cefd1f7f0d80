// What somebody has who uses snarkjs and not this project: a circuit of circomlib's templates, compiled by circom, keys of
// two makers and a witness, in a folder outside the checkout, and in it the package `glassbox` as `npm run build` makes it.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import * as snarkjs from "snarkjs";
import { compile } from "../../node/circuit/compile.ts";
import { makeDevelopmentKey } from "../../node/proof/setup.ts";
import { buildDist } from "../../scripts/dist.ts";
import { workFolder, writePtau } from "./keys.ts";

/** MiMC sponge, Poseidon and a comparison: some two thousand rows, wide values and bits. */
const SOURCE = `pragma circom 2.1.6;
include "circomlib/mimcsponge.circom";
include "circomlib/poseidon.circom";
include "circomlib/comparators.circom";
template Stranger() {
    signal input secret[2];
    signal input limit;
    signal output sponge;
    signal output hash;
    component mimc = MiMCSponge(2, 220, 1);
    mimc.ins[0] <== secret[0];
    mimc.ins[1] <== secret[1];
    mimc.k <== 0;
    sponge <== mimc.outs[0];
    component poseidon = Poseidon(2);
    poseidon.inputs[0] <== secret[0];
    poseidon.inputs[1] <== secret[1];
    hash <== poseidon.out;
    component less = LessThan(64);
    less.in[0] <== secret[0];
    less.in[1] <== limit;
    less.out === 1;
}
component main {public [limit]} = Stranger();
`;
export const INPUT = { secret: ["1234567890123", "9876543210987654321098765432109876543210"], limit: "1234567890124" };

/** Who made the key: our own development keys, and snarkjs from powers of tau, with a contribution. */
export const MAKERS = ["development", "snarkjs"] as const;

export interface Stranger {
  readonly path: string;
  readonly at: (name: string) => string;
  readonly rows: number;
  /** Judges a proof by snarkjs and `maker`'s key. */
  verify(
    maker: (typeof MAKERS)[number],
    proof: snarkjs.SnarkjsProof,
    publicSignals: readonly string[],
  ): Promise<boolean>;
  remove(): void;
}

/** Files: circuit.wasm, circuit.wtns, development.zkey, snarkjs.zkey, and node_modules/. */
export async function stranger(): Promise<Stranger> {
  const folder = workFolder();
  const { at } = folder;
  const { r1cs, wasm } = await compile(SOURCE, { level: "--O1", wasm: true });
  writeFileSync(at("circuit.r1cs"), r1cs);
  writeFileSync(at("circuit.wasm"), wasm as Buffer);
  await snarkjs.wtns.calculate(INPUT, at("circuit.wasm"), at("circuit.wtns"));
  const { constraints, domain } = await makeDevelopmentKey({ r1cs: at("circuit.r1cs"), zkey: at("development.zkey") });
  await writePtau(at("tau.ptau"), Math.log2(domain));
  await snarkjs.zKey.newZKey(at("circuit.r1cs"), at("tau.ptau"), at("first.zkey"));
  await snarkjs.zKey.contribute(at("first.zkey"), at("snarkjs.zkey"), "test", "of no worth");
  await install(folder.path, ["snarkjs", "ffjavascript"]);
  return {
    ...folder,
    rows: constraints,
    verify: async (maker, proof, publicSignals) =>
      snarkjs.groth16.verify(await snarkjs.zKey.exportVerificationKey(at(`${maker}.zkey`)), publicSignals, proof),
  };
}

/** Not every package has a main file, or shows its package.json. */
function packageFolder(name: string): string {
  const places = createRequire(import.meta.url).resolve.paths(name) ?? [];
  const found = places.map((place) => path.join(place, name)).find((folder) => existsSync(folder));
  if (found === undefined) throw new Error(`${name} is not installed`);
  return found;
}

/** As npm would, but that other packages are links. */
export async function install(folder: string, packages: readonly string[]): Promise<void> {
  mkdirSync(path.join(folder, "node_modules"));
  await buildDist(path.join(folder, "node_modules/glassbox"));
  for (const name of packages) {
    mkdirSync(path.dirname(path.join(folder, "node_modules", name)), { recursive: true });
    symlinkSync(packageFolder(name), path.join(folder, "node_modules", name), "junction");
  }
  writeFileSync(path.join(folder, "package.json"), JSON.stringify({ type: "module", private: true }));
}

/** Nodes on the PATH of each major version from 20 on, by their versions; the one that runs this is among them. */
export function nodes(): ReadonlyMap<string, string> {
  const found = new Map([[major(process.version), [process.version, process.execPath] as const]]);
  for (const folder of (process.env["PATH"] ?? "").split(path.delimiter)) {
    const binary = path.join(folder, process.platform === "win32" ? "node.exe" : "node");
    if (!existsSync(binary)) continue;
    const version = spawnSync(binary, ["--version"], { encoding: "utf8" }).stdout.trim();
    if (major(version) >= 20 && !found.has(major(version))) found.set(major(version), [version, binary]);
  }
  return new Map(found.values());
}

function major(version: string): number {
  return Number(/^v(\d+)/.exec(version)?.[1] ?? 0);
}
