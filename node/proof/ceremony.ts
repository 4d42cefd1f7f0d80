// Phase 2 of Groth16's trusted setup for one circuit: start, contribute, beacon, verify, finish. Contributions, beacon and
// the checks of the chain are snarkjs', whose files these are; around them stand the guards that snarkjs leaves to its
// users. One honest contributor who forgets the secret makes the key safe.
import { randomBytes } from "node:crypto";
import { rm, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Digest, VerifyingKey } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import { type Curve, localCurve } from "../groth16/curve.ts";
import { type Contribution, readContributions, type CeremonyRecord } from "./contributions.ts";
import { atomically, sha256, sha256File } from "./files.ts";
import { canonicalJson, type Json } from "./json.ts";
import { checkPtauDigest, openPtau } from "./ptau.ts";
import { openR1cs } from "./r1cs.ts";
import { type Answer, openSnarkjs, type Request } from "./snarkjs.ts";
import { writeInitialKey } from "./start.ts";
import { readVerifyingKey, soundVerifyingKey, vkeyToBytes } from "./vkey.ts";
import { openZkey } from "./zkey.ts";

export interface CeremonyFiles extends LongCall {
  readonly r1cs: string;
  readonly ptau: string;
  /** BLAKE2b-512 of the .ptau, hex, from whoever published it. */
  readonly ptauDigest?: string;
  readonly zkey: string;
  /** For the start. Default: one per processor, at most 8. */
  readonly threads?: number;
}

export interface Started {
  readonly circuitHash: string;
  readonly ptauDigest: string;
  readonly constraints: number;
  readonly power: number;
}

/** Writes the initial key, equal to `snarkjs zkey new`'s. @throws NodeError "input" or "integrity" for a wrong .ptau */
export async function start(files: CeremonyFiles): Promise<Started> {
  const ptauDigest = await checkPtauDigest(files.ptau, files.ptauDigest, files.signal);
  const { circuitHash, constraints, power } = await atomically(files.zkey, (to) => initialKey(files, to));
  return { circuitHash, ptauDigest, constraints, power };
}

async function initialKey(files: CeremonyFiles, to: string): Promise<Omit<Started, "ptauDigest">> {
  const r1cs = openR1cs(files.r1cs);
  try {
    const ptau = openPtau(files.ptau);
    try {
      const hash = await writeInitialKey(r1cs, ptau, to, files);
      return { circuitHash: hash.toString("hex"), constraints: r1cs.header.constraints, power: r1cs.header.power };
    } finally {
      ptau.file.close();
    }
  } finally {
    r1cs.close();
  }
}

export interface Step extends LongCall {
  readonly from: string;
  readonly to: string;
  /** Who contributes: 1 to 64 printable characters. */
  readonly name: string;
}

/**
 * Adds a secret of this machine's randomness to delta; `entropy` is mixed in. The secret is never stored: whoever copies
 * this process's memory can keep it. @returns the contribution's hash, to be published by the contributor
 */
export async function contribute(options: Step & { readonly entropy?: Uint8Array }): Promise<string> {
  const { from, to, name, entropy } = options;
  await mayFollow({ from, to, name });
  const mixed = Buffer.concat([randomBytes(64), entropy ?? new Uint8Array()]).toString("base64");
  return append(to, (temporary) => ({ act: "contribute", from, to: temporary, name, entropy: mixed }), options);
}

/** More would keep every verifier busy for minutes. */
const MAX_ITERATIONS = 26;
const MIN_ITERATIONS = 10;

/**
 * Ends a ceremony with randomness that nobody could know when it ran (a block hash announced beforehand).
 * @param options.beacon hex; it is hashed 2^iterations times
 */
export async function beacon(
  options: Step & { readonly beacon: string; readonly iterations: number },
): Promise<string> {
  const { from, to, name, iterations } = options;
  const hex = options.beacon.toLowerCase().replace(/^0x/, "");
  if (!/^([0-9a-f]{2}){16,64}$/.test(hex)) {
    throw new NodeError("usage", "a beacon is 16 to 64 bytes in hex", {
      mend: "Take the hash of a block whose number was announced before the ceremony's last contribution.",
    });
  }
  if (!Number.isInteger(iterations) || iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS) {
    throw new NodeError("usage", `iterations is a whole number from ${MIN_ITERATIONS} to ${MAX_ITERATIONS}`);
  }
  await mayFollow({ from, to, name });
  return append(to, (temporary) => ({ act: "beacon", from, to: temporary, name, beacon: hex, iterations }), options);
}

async function append(to: string, request: (to: string) => Request, options: LongCall): Promise<string> {
  const { value, said } = await atomically(to, (temporary) => ask(request(temporary), options));
  if (!(value instanceof Uint8Array)) throw new NodeError("internal", `snarkjs refused: ${said.join("; ")}`);
  return Buffer.from(value).toString("hex");
}

async function mayFollow({ from, to, name }: Step): Promise<void> {
  if (name.length > 64 || !/^[\p{L}\p{N}\p{P}\p{S} ]+$/u.test(name)) {
    throw new NodeError("usage", "a contributor's name has 1 to 64 printable characters");
  }
  if (resolve(from) === resolve(to)) {
    throw new NodeError("usage", "a contribution is written to a new file, so that the chain can be checked");
  }
  readRecord(await localCurve(), from);
}

function readRecord(curve: Curve, zkey: string): CeremonyRecord {
  const { file } = openZkey(zkey);
  try {
    const record = readContributions(curve, file);
    if (/^0*$/.test(record.circuitHash)) {
      throw new NodeError("integrity", `${zkey}: is a development key, not one of a ceremony`, {
        mend: "Begin one with `glassbox ceremony start`.",
        facts: { zkey },
      });
    }
    return record;
  } finally {
    file.close();
  }
}

export interface Verified extends Started {
  readonly contributions: readonly Contribution[];
}

/**
 * Whether the key follows from circuit and .ptau by the contributions that it lists. Starts the circuit anew to compare.
 * @throws NodeError "integrity" naming what does not hold
 */
export async function verify(files: CeremonyFiles): Promise<Verified> {
  const ptauDigest = await checkPtauDigest(files.ptau, files.ptauDigest, files.signal);
  const record = readRecord(await localCurve(), files.zkey);
  for (const [i, { beacon: used }] of record.contributions.entries()) {
    if (used !== undefined && used.iterations > MAX_ITERATIONS) {
      throw refused(files.zkey, `contribution ${i + 1} asks for 2^${used.iterations} hashes`);
    }
  }
  const initial = `${files.zkey}.${process.pid}.${randomBytes(6).toString("hex")}.initial`;
  try {
    const begun = await initialKey(files, initial);
    if (begun.circuitHash !== record.circuitHash) {
      throw refused(files.zkey, "it belongs to another circuit or another .ptau");
    }
    files.onProgress?.({ what: "checking the contributions", total: record.contributions.length });
    const { value, said } = await ask({ act: "verify", initial, ptau: files.ptau, zkey: files.zkey }, files);
    if (value !== true) throw refused(files.zkey, said.join("; ") || "snarkjs does not say why");
    return { ...begun, ptauDigest, contributions: record.contributions };
  } finally {
    await rm(initial, { force: true });
  }
}

function refused(zkey: string, why: string): NodeError {
  return new NodeError("integrity", `${zkey}: not the outcome of this ceremony: ${why}`, {
    mend: "Go back to the last file in the chain that verifies, and let the next contributor begin from it.",
    facts: { zkey },
  });
}

export interface Finished {
  readonly vkey: VerifyingKey;
  /** Canonical JSON, kept with the package. */
  readonly transcript: string;
  /** SHA-256 of the transcript. */
  readonly digest: Digest;
}

/**
 * Judges whether a verified key is fit for use: somebody contributed, a beacon came last, the verifying key is sound.
 * @throws NodeError "integrity"
 */
export async function finish(files: CeremonyFiles): Promise<Finished> {
  const vkey = readVerifyingKey(files.zkey);
  await soundVerifyingKey(vkey);
  const verified = await verify(files);
  const { contributions } = verified;
  if (!contributions.some(({ kind }) => kind === "contribution")) {
    throw refused(files.zkey, "nobody contributed (a beacon alone is public, so anyone knows delta)");
  }
  if (contributions.at(-1)?.kind !== "beacon") throw refused(files.zkey, "it does not end with a beacon");
  const record: Json = {
    format: "glassbox-ceremony",
    version: 1,
    circuit: { sha256: await sha256File(files.r1cs), hash: verified.circuitHash, constraints: verified.constraints },
    ptau: { blake2b512: verified.ptauDigest, bytes: (await stat(files.ptau)).size },
    domain: 2 ** verified.power,
    contributions: contributions.map((one) => ({ ...one })),
    key: { zkey: await sha256File(files.zkey), vkey: sha256(vkeyToBytes(vkey)) },
  };
  const transcript = canonicalJson(record);
  return { vkey, transcript, digest: sha256(transcript) };
}

/** In a process of its own: verification is long, and snarkjs prints what it finds wrong. */
async function ask(request: Request, options: LongCall): Promise<Answer> {
  const snarkjs = openSnarkjs();
  try {
    return await snarkjs.call(request, options);
  } finally {
    await snarkjs.close();
  }
}
