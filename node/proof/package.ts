// A model package: a folder of fixed file names with a manifest of their digests. Written whole or not at all; loaded only
// if every digest holds, nothing is missing and nothing is there besides. Says that the files are the publisher's, not
// that the circuit is the model's: that is for an auditor to derive again (node/audit).
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, lstat, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Digest, VerifyingKey } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import { localCurve } from "../groth16/curve.ts";
import type { Graph } from "../model/ir.ts";
import { parseGraph } from "../model/serialize.ts";
import { readContributions } from "./contributions.ts";
import { sha256, sha256File } from "./files.ts";
import { canonicalJson, type Json } from "./json.ts";
import {
  type Description,
  type FileEntry,
  FILES,
  type KeyStatement,
  type Manifest,
  MANIFEST,
  type Role,
  rolesOf,
  writeManifest,
} from "./manifest.ts";
import { MAX_MANIFEST_BYTES, parseManifest } from "./manifest-read.ts";
import { openR1cs } from "./r1cs.ts";
import { readVerifyingKey, soundVerifyingKey, vkeyFromSnarkjs, vkeyToBytes, vkeyToSnarkjs } from "./vkey.ts";
import { openZkey } from "./zkey.ts";

/** A path to copy from, or the bytes themselves. */
export type Content = string | Uint8Array;

/** The key to put in: its .zkey, and where it comes from. */
export type PackageKey =
  | { readonly kind: "development"; readonly seed: string; readonly zkey: string }
  | { readonly kind: "ceremony"; readonly zkey: string; readonly transcript: string };

export interface PackageParts {
  readonly description: Description;
  readonly source: Content;
  readonly quantized: Content;
  readonly graph: Content;
  readonly circuit: Content;
  readonly key?: PackageKey;
}

export interface ModelPackage {
  readonly folder: string;
  readonly manifest: Manifest;
  /** SHA-256 of manifest.json: names the whole package. */
  readonly digest: Digest;
  /** Present if the package has a key. */
  readonly vkey?: VerifyingKey;
  readonly path: (role: Role) => string;
}

/** Replaces an older package in `folder`; refuses to replace anything else. @throws NodeError "input", "integrity" */
export async function writePackage(folder: string, parts: PackageParts): Promise<ModelPackage> {
  await mayReplace(folder);
  const target = resolve(folder);
  const aside = join(dirname(target), `.${basename(target)}.${process.pid}.${randomBytes(6).toString("hex")}`);
  const fresh = `${aside}.tmp`;
  const old = `${aside}.old`;
  await mkdir(fresh, { recursive: true });
  try {
    const { key } = parts;
    const contents: Partial<Record<Role, Content>> = { ...parts, ...(key === undefined ? {} : await keyFiles(key)) };
    const statement = key && stated(key);
    const files: Partial<Record<Role, FileEntry>> = {};
    for (const role of rolesOf(statement)) {
      files[role] = await place(contents[role] as Content, join(fresh, FILES[role]));
    }
    await writeFile(join(fresh, MANIFEST), writeManifest(parts.description, files, statement));
    const checked = await loadPackage(fresh, { keys: key !== undefined });
    await rename(target, old).catch(ignoreMissing);
    await rename(fresh, target);
    return { ...checked, folder, path: (role) => join(folder, FILES[role]) };
  } finally {
    await rm(fresh, { recursive: true, force: true });
    await rm(old, { recursive: true, force: true });
  }
}

/** Puts a key into a package that has none, or another one. */
export async function addKey(folder: string, key: PackageKey): Promise<ModelPackage> {
  const { manifest, path } = await loadPackage(folder, { keys: false });
  return writePackage(folder, {
    description: manifest,
    source: path("source"),
    quantized: path("quantized"),
    graph: path("graph"),
    circuit: path("circuit"),
    key,
  });
}

function stated(key: PackageKey): KeyStatement {
  return key.kind === "development"
    ? { kind: "development", seed: key.seed }
    : { kind: "ceremony", transcript: sha256(key.transcript) };
}

async function keyFiles(key: PackageKey): Promise<Partial<Record<Role, Content>>> {
  const vkey = vkeyToSnarkjs(readVerifyingKey(key.zkey)) as unknown as Json;
  return {
    zkey: key.zkey,
    vkey: Buffer.from(canonicalJson(vkey)),
    ...(key.kind === "ceremony" ? { ceremony: Buffer.from(key.transcript) } : {}),
  };
}

async function place(content: Content, to: string): Promise<FileEntry> {
  if (typeof content === "string") await copyFile(content, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  else await writeFile(to, content, { flag: "wx" });
  return { sha256: await sha256File(to), bytes: (await lstat(to)).size };
}

function ignoreMissing(thrown: unknown): void {
  if (!(thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT")) throw thrown;
}

async function mayReplace(folder: string): Promise<void> {
  const found = await readdir(folder).catch((thrown: unknown): string[] => {
    ignoreMissing(thrown);
    return [];
  });
  if (found.length > 0 && !found.includes(MANIFEST)) {
    throw new NodeError("input", `${folder}: is a folder of something else than a package`, {
      mend: "Name a new folder, or empty this one.",
      facts: { folder },
    });
  }
}

/** Of files that are read as a whole. */
const MAX_BYTES: Readonly<Partial<Record<Role, number>>> = { graph: 1 << 30, vkey: 1 << 16, ceremony: 1 << 22 };

export interface LoadOptions extends LongCall {
  /** The caller needs a key: refuse a package without one. */
  readonly keys: boolean;
}

/**
 * @throws NodeError "input" if the folder is no package, "integrity" if a file is missing, extra, no plain file, of another
 * digest, or the key does not belong to the circuit
 */
export async function loadPackage(folder: string, options: LoadOptions): Promise<ModelPackage> {
  const { signal, onProgress } = options;
  const path = (role: Role): string => join(folder, FILES[role]);
  const { manifest, digest } = await readManifest(folder);
  const { key } = manifest;
  const roles = rolesOf(key);
  if (options.keys && key === undefined) {
    throw new NodeError("input", `${folder}: the package has no key`, {
      mend: "Compile it without `--no-keys`, or add a ceremony's key.",
      facts: { folder },
    });
  }
  const known = new Set<string>([MANIFEST, ...roles.map((role) => FILES[role])]);
  const extra = (await readdir(folder)).find((name) => !known.has(name));
  if (extra !== undefined) throw tampered(folder, `has "${extra}", which its manifest does not list`);
  const total = roles.reduce((sum, role) => sum + (manifest.files[role]?.bytes ?? 0), 0);
  let done = 0;
  for (const role of roles) {
    const entry = manifest.files[role] as FileEntry;
    const size = await plainSize(folder, FILES[role]);
    if (size > (MAX_BYTES[role] ?? Infinity)) throw tampered(folder, `${FILES[role]} is impossibly large`);
    if (size !== entry.bytes) throw tampered(folder, `${FILES[role]} has ${size} bytes, not ${entry.bytes}`);
    if ((await sha256File(path(role), signal)) !== entry.sha256) {
      throw tampered(folder, `${FILES[role]} does not have the digest that the manifest states`);
    }
    done += entry.bytes;
    onProgress?.({ what: "checking the package's digests", done, total });
  }
  const vkey = key === undefined ? undefined : await checkKey(folder, manifest, key, path);
  return { folder, manifest, digest, path, ...(vkey === undefined ? {} : { vkey }) };
}

/** The integer graph that evaluation and witness need. @throws NodeError "input" */
export async function readGraph(model: ModelPackage): Promise<Graph> {
  return parseGraph(await readFile(model.path("graph")));
}

async function readManifest(folder: string): Promise<{ readonly manifest: Manifest; readonly digest: Digest }> {
  const size = await plainSize(folder, MANIFEST);
  if (size > MAX_MANIFEST_BYTES) throw tampered(folder, `${MANIFEST} has ${size} bytes`);
  const bytes = await readFile(join(folder, MANIFEST));
  return { manifest: parseManifest(bytes), digest: sha256(bytes) };
}

/** Size of a plain file; links and folders are refused, since they can point anywhere. */
async function plainSize(folder: string, name: string): Promise<number> {
  const path = join(folder, name);
  const found = await lstat(path).catch((cause: unknown) => {
    throw new NodeError(name === MANIFEST ? "input" : "integrity", `${folder}: has no ${name}`, {
      cause,
      mend: "Name the folder of a complete package, as `glassbox compile` writes it.",
      facts: { folder },
    });
  });
  if (!found.isFile()) throw tampered(folder, `${name} is not a plain file`);
  return found.size;
}

async function checkKey(
  folder: string,
  manifest: Manifest,
  key: KeyStatement,
  path: (role: Role) => string,
): Promise<VerifyingKey> {
  const vkey = vkeyFromSnarkjs(await readJson(path("vkey")));
  await soundVerifyingKey(vkey);
  const own = readVerifyingKey(path("zkey"));
  if (Buffer.compare(vkeyToBytes(vkey), vkeyToBytes(own)) !== 0) {
    throw tampered(folder, `${FILES.vkey} is not the verifying part of ${FILES.zkey}`);
  }
  const { file, header: proving } = openZkey(path("zkey"));
  file.close();
  const r1cs = openR1cs(path("circuit"));
  r1cs.close();
  const { wires, publics, power } = r1cs.header;
  if (proving.wires !== wires || proving.publics !== publics || proving.domain !== 2 ** power) {
    throw tampered(folder, `${FILES.zkey} is a key of another circuit`);
  }
  if (key.kind === "ceremony") await checkTranscript(folder, manifest, key.transcript, path);
  return vkey;
}

async function checkTranscript(
  folder: string,
  { files }: Manifest,
  digest: Digest,
  path: (role: Role) => string,
): Promise<void> {
  if (files.ceremony?.sha256 !== digest) throw tampered(folder, `${FILES.ceremony} is not the transcript of its key`);
  const record = (await readJson(path("ceremony"))) as null | {
    readonly circuit?: { readonly sha256?: unknown; readonly hash?: unknown };
    readonly contributions?: unknown;
    readonly key?: { readonly zkey?: unknown };
  };
  if (record?.circuit?.sha256 !== files.circuit?.sha256 || record?.key?.zkey !== files.zkey?.sha256) {
    throw tampered(folder, `${FILES.ceremony} is of another circuit or key`);
  }
  // That the steps are true takes the powers of tau (ceremony.ts); that the key records the ones told here does not.
  const { file } = openZkey(path("zkey"));
  try {
    const { circuitHash, contributions } = readContributions(await localCurve(), file);
    if (/^0*$/.test(circuitHash)) throw tampered(folder, `${FILES.zkey} is a development key, not one of a ceremony`);
    const told = isDeepStrictEqual(record?.contributions, contributions) && record?.circuit?.hash === circuitHash;
    if (!told) throw tampered(folder, `${FILES.ceremony} tells of other contributions than ${FILES.zkey} records`);
  } finally {
    file.close();
  }
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, "utf8");
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new NodeError("input", `${path}: is not JSON`, { cause });
  }
}

function tampered(folder: string, what: string): NodeError {
  return new NodeError("integrity", `${folder}: ${what}`, {
    mend: "Get the package again from its publisher, and compare its digest with the one on chain.",
    facts: { folder },
  });
}
