// Makes circuits and keys for the race of provers, one size after another, and lets them race. Keys of large domains are
// large: each is gone before the next is made.
import fs from "node:fs";
import path from "node:path";
import { readVerifyingKey } from "../../../node/proof/vkey.ts";
import { fileOf } from "../ports.ts";
import { measured, type Outcomes } from "../results.ts";
import { progress, road, watchOthers } from "../road.ts";
import { NETWORKS } from "../networks.ts";
import { race } from "./race.ts";
import type { ProverName, Race } from "./results.ts";

export interface Entry {
  readonly name: string;
  readonly title: string;
  /** What makes circuit, witness and key. */
  readonly phases: readonly string[];
  readonly provers: readonly ProverName[];
  /** Proofs before those that are timed, in the same process. */
  readonly before: number;
  readonly warm: number;
  /** At most so many fresh processes. */
  readonly oneShots: number;
}

const FOR_ALL: readonly ProverName[] = ["wasm", "snarkjs", "rapidsnark"];

export const ENTRIES: readonly Entry[] = [
  size(12, { before: 3, warm: 9 }),
  size(14, { before: 3, warm: 9 }),
  size(16, { before: 2, warm: 7 }),
  size(18, { before: 1, warm: 5 }),
  size(20, { before: 1, warm: 3, oneShots: 1 }),
  // Only whether it can be proved at all, and in how much memory.
  size(21, { before: 0, warm: 0, oneShots: 1, provers: ["wasm"] }),
  ...NETWORKS.filter(({ name }) => name === "mlp-784-128-10" || name === "lenet-5").map(({ name, title }) => ({
    name,
    title,
    phases: ["model", "circuit", "key", "witness"],
    provers: FOR_ALL,
    before: 2,
    warm: 5,
    oneShots: 3,
  })),
];

function size(power: number, some: Partial<Entry> & Pick<Entry, "before" | "warm">): Entry {
  const rest = { title: `2^${power}, full-size witness`, phases: ["synthetic", "key"], provers: FOR_ALL, oneShots: 3 };
  return { name: `2^${power}`, ...rest, ...some };
}

export async function raceAll(
  entries: readonly Entry[],
  work: string,
  runs: number,
  rapidsnark: string | undefined,
): Promise<Race[]> {
  const races: Race[] = [];
  for (const entry of entries) {
    const folder = path.join(work, entry.name, "race");
    try {
      races.push(await raceOne(entry, folder, runs, rapidsnark));
    } finally {
      fs.rmSync(path.dirname(folder), { recursive: true, force: true });
    }
  }
  return races;
}

async function raceOne(entry: Entry, folder: string, runs: number, rapidsnark: string | undefined): Promise<Race> {
  const { name, title, phases } = entry;
  const made = await road(phases, { network: name, folder, modelFolder: folder }, 1);
  const failed = Object.entries(made).find(([, outcome]) => "reason" in outcome);
  if (failed !== undefined) {
    const reason = `${failed[0]}: ${(failed[1] as { readonly reason: string }).reason}`;
    progress(`${name}: ${reason}`);
    return { name, title, figures: {}, provers: {}, reason };
  }
  const [zkey, wtns] = [fileOf(folder, "zkey"), fileOf(folder, "wtns")];
  const provers = entry.provers.filter((prover) => prover !== "rapidsnark" || rapidsnark !== undefined);
  const othersSince = watchOthers();
  const oneShots = Math.min(runs, entry.oneShots);
  const found = await race({ ...entry, zkey, wtns, key: readVerifyingKey(zkey), oneShots }, provers);
  return { name, title, figures: figuresOf(made), provers: found, ...othersSince() };
}

function figuresOf(made: Outcomes): Record<string, number> {
  const all = Object.assign({}, ...Object.values(made).map((outcome) => measured(outcome)?.figures)) as Record<
    string,
    number
  >;
  const wanted = ["constraints", "wires", "domain", "zkeyBytes"];
  return Object.fromEntries(Object.entries(all).filter(([name]) => wanted.includes(name)));
}
