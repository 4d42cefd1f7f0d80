// The node's configuration: one table of fields, read from a JSON file and from GLASSBOX_* variables (which win), checked,
// and printed as docs/config.md. Nothing secret is read here but addresses that may carry credentials; keys are files.
import fs from "node:fs";
import path from "node:path";
import { z } from "zod";
import { parseAddress } from "../chain/codec.ts";
import type { Address } from "../core/domain.ts";
import type { ClaimPolicy } from "../job/ports.ts";
import { asNodeError, NodeError } from "../core/errors.ts";
import { IPFS_GATEWAY, SCHEMES } from "./fetch.ts";
import { LOG_LEVELS } from "./observe.ts";

const CLAIMS = ["never", "auto", "always"] as const satisfies readonly ClaimPolicy[];

interface Field<T> {
  readonly schema: z.ZodType<T>;
  /** What a value looks like, for the reference. */
  readonly form: string;
  readonly about: string;
  /** As it would be written in the file. Without one, and without `optional`, the field is required. */
  readonly fallback?: string | number | boolean;
  readonly optional?: true;
  /** Kept out of logs. */
  readonly secret?: true;
  /** A path, or several: taken relative to the configuration file, or to the working folder. */
  readonly path?: true;
}

const field = <T>(form: string, about: string, schema: z.ZodType<T>, more: Omit<Field<T>, "form" | "about" | "schema"> = {}): Field<T> => ({ form, about, schema, ...more }); // prettier-ignore
const OPTIONAL = { optional: true } as const;

const text = z.string().min(1);
/** Variables are text, files have numbers: both are read. */
const amount = (lo: number, hi: number, whole: boolean): z.ZodType<number> =>
  z
    .union([
      z.number(),
      z
        .string()
        .regex(/^\d+(\.\d+)?$/, "is not a number")
        .transform(Number),
    ])
    .refine((value) => value >= lo && value <= hi && (!whole || Number.isInteger(value)), {
      message: `must be a ${whole ? "whole number" : "number"} from ${lo} to ${hi}`,
    });
const count = (lo: number, hi = Number.MAX_SAFE_INTEGER): z.ZodType<number> => amount(lo, hi, true);
const wei = z
  .union([
    z.number().int().nonnegative().refine(Number.isSafeInteger, "write large amounts as text"),
    z.string().regex(/^\d+$/, "is not a whole number of wei"),
  ]) // prettier-ignore
  .transform((value) => BigInt(value));
const address = z.string().transform((value, context): Address => {
  try {
    return parseAddress(value);
  } catch (error) {
    context.addIssue({ code: "custom", message: asNodeError(error).message });
    return z.NEVER;
  }
});
const flag = z.union([z.boolean(), z.enum(["true", "false"]).transform((value) => value === "true")]);
/** "0x..=1000": an amount of a token in its smallest unit. */
const tokenFee = z.string().transform((value, context): readonly [Address, bigint] => {
  const [token = "", fee = ""] = value.split("=");
  const [at, least] = [address.safeParse(token), wei.safeParse(fee)];
  if (at.success && least.success) return [at.data, least.data];
  context.addIssue({ code: "custom", message: "is not token=amount" });
  return z.NEVER;
});
const list = <T>(item: z.ZodType<T>): z.ZodType<readonly T[]> =>
  z.preprocess(
    (value) => (typeof value === "string" ? value.split(",").map((part) => part.trim()) : value),
    z.array(item).min(1),
  );
const url = (...protocols: readonly string[]): z.ZodType<string> =>
  text.refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol), {
    message: `must be an address that begins with ${protocols.map((name) => `${name}//`).join(" or ")}`,
  });

export const FIELDS = {
  dataDir: field("path", "Folder of the job database and the lock. One node per folder; local disk.", text, {
    fallback: ".glassbox/node",
    path: true,
  }),
  rpcUrl: field("URL", "JSON-RPC endpoint of the chain. May carry credentials; kept out of logs.", url("http:", "https:"), { secret: true }), // prettier-ignore
  coordinator: field("address", "The InferenceCoordinator to serve. It names its registry.", address),
  registry: field("address", "If given, the node refuses to start unless the coordinator uses this registry.", address, OPTIONAL), // prettier-ignore
  startBlock: field("block", "First block to read requests from when the data folder is new; the coordinator's own is right.", count(0), { fallback: 0 }), // prettier-ignore
  confirmations: field("blocks", "Blocks on top of a block before it counts: for requests that are read and for answers that are done. 0 only on a chain without reorgs.", count(0, 10_000), { fallback: 12 }), // prettier-ignore
  packages: field("paths", "Folders of compiled models (from `glassbox compile`) that are served. Comma-separated in the variable.", list(text), { path: true }), // prettier-ignore
  keyFile: field("path", "The sender's key: 64 hex digits or an encrypted JSON keystore, mode 600. Its address is the prover's.", text, { path: true }), // prettier-ignore
  passwordFile: field("path", "The keystore's password, mode 600.", text, { path: true, ...OPTIONAL }),
  databaseUrl: field("URL", "PostgreSQL 15 or newer. Without it the database is embedded, in dataDir.", url("postgres:", "postgresql:"), { secret: true, ...OPTIONAL }), // prettier-ignore
  minimumFee: field("wei", "Requests that never pay so much are not answered; where the price still rises, the node waits until it does. Write large amounts as text.", wei, { fallback: "0" }), // prettier-ignore
  tokenFees: field("token=amount", "Tokens that are taken besides the native coin, each with its minimum in the smallest unit. Comma-separated in the variable.", list(tokenFee), OPTIONAL), // prettier-ignore
  coverGas: field("true | false", "Whether the price must cover the gas of claim and answer at today's gas price; the node waits until it does. Of requests that pay in the native coin.", flag, { fallback: false }), // prettier-ignore
  claim: field(CLAIMS.join(" | "), "Whether requests are claimed before they are proved, which locks price and collateral. auto: those whose proof takes claimSeconds or more. The collateral comes from the account at the coordinator; what it lacks of the native coin comes from the key's own.", z.enum(CLAIMS), { fallback: "auto" }), // prettier-ignore
  claimSeconds: field("seconds", "See claim.", amount(0, 86_400, false), { fallback: 20 }),
  collateralPercent: field("percent", "A claim that locks more than so much of its price is not made; the request is then answered without one.", count(0, 1_000_000), { fallback: 100 }), // prettier-ignore
  callbackGas: field("gas", "Requests whose consumer's call may use more are not answered: the node pays for that gas, whatever the fee.", count(0, 10_000_000), { fallback: 500_000 }), // prettier-ignore
  batchSize: field("count", "Answers of one model that go out in one transaction at most. More than 1 saves gas where many requests come together.", count(1, 64), { fallback: 1 }), // prettier-ignore
  batchSeconds: field("seconds", "How long the first answer of a batch waits for others.", amount(0, 3600, false), { fallback: 2 }), // prettier-ignore
  inputSchemes: field(`${SCHEMES.join(" | ")}, several`, "Where inputs by reference are fetched from. Comma-separated in the variable.", list(z.enum(SCHEMES)), { fallback: "https,ipfs,data" }), // prettier-ignore
  ipfsGateway: field("URL", "Fetches ipfs:// addresses; their path is added to it.", url("http:", "https:"), { fallback: IPFS_GATEWAY }), // prettier-ignore
  privateAddresses: field("true | false", "Whether inputs may be fetched from addresses that are not on the public internet. A request's author then sees into the node's own network.", flag, { fallback: false }), // prettier-ignore
  encryptionKeyFile: field("path", "The key that private inputs are sealed to: 64 hex digits, mode 600. Default: encryption.key in dataDir. Made where there is none and a model with private input is served; published with `glassbox prover-key`.", text, { path: true, ...OPTIONAL }), // prettier-ignore
  inboxPort: field("port", "Where private inputs are posted to; 0 for any. Without it they are fetched only, from where the request says.", count(0, 65_535), OPTIONAL), // prettier-ignore
  inboxHost: field("address", "Of this machine, on which inboxPort is opened. Put a proxy with TLS in front of it.", text, { fallback: "127.0.0.1" }), // prettier-ignore
  inboxCount: field("count", "Private inputs that are kept, sealed, at most.", count(1, 1_000_000), { fallback: 1000 }),
  inboxHours: field("hours", "How long each is kept after it came or was last used.", amount(0.01, 8760, false), { fallback: 72 }), // prettier-ignore
  inputSeconds: field("seconds", "How long fetching an input may take.", amount(1, 3600, false), { fallback: 20 }),
  proofSeconds: field("seconds", "How long a proof may take on this machine: requests with less time left are not begun.", amount(0, 86_400, false), { fallback: 30 }), // prettier-ignore
  marginSeconds: field("seconds", "Time that must be left to the deadline after the proof, for the transaction.", amount(0, 86_400, false), { fallback: 60 }), // prettier-ignore
  maxAttempts: field("count", "Tries per request, over all steps, before it is given up. The pause doubles from 1 s to 2 min.", count(1, 1000), { fallback: 25 }), // prettier-ignore
  maxFeePerGas: field("wei", "The node never offers more per gas.", wei, { fallback: "500000000000" }),
  bumpSeconds: field("seconds", "Time without inclusion after which a transaction's fees are raised.", amount(1, 86_400, false), { fallback: 90 }), // prettier-ignore
  pollSeconds: field("seconds", "Pause between looks at the chain.", amount(0.05, 3600, false), { fallback: 4 }),
  maxRange: field("blocks", "Blocks per eth_getLogs at most; the node finds out by itself where a provider allows less.", count(1, 1_000_000), { fallback: 2000 }), // prettier-ignore
  rapidsnark: field("path", "rapidsnark's `prover` binary. Without it the built-in prover proves, on threads of the node's own process.", text, { path: true, ...OPTIONAL }), // prettier-ignore
  image: field("text", "Digest of the container image that the node runs in, for its environment statement.", text, OPTIONAL), // prettier-ignore
  logLevel: field(LOG_LEVELS.join(" | "), "Least level that is logged, to stderr, as JSON lines.", z.enum(LOG_LEVELS), { fallback: "info" }), // prettier-ignore
} as const satisfies Readonly<Record<string, Field<unknown>>>;

type Fields = typeof FIELDS;
type Name = keyof Fields;
type ValueOf<F> = F extends Field<infer T> ? T : never;
type OptionalName = { [K in Name]: Fields[K] extends { readonly optional: true } ? K : never }[Name];
export type Config = { readonly [K in Exclude<Name, OptionalName>]: ValueOf<Fields[K]> } & {
  readonly [K in OptionalName]?: ValueOf<Fields[K]>;
};

const NAMES = Object.keys(FIELDS) as Name[];
const fieldOf = (name: Name): Field<unknown> => FIELDS[name];
/** dataDir -> GLASSBOX_DATA_DIR */
export const variableOf = (name: string): string =>
  `GLASSBOX_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
/** Variables of the same prefix that are not the node's. */
const OTHER_VARIABLES = /^GLASSBOX_(CONFIG|CWD|TEST_.*)$/;

export interface ConfigSources {
  /** JSON file; without it GLASSBOX_CONFIG names one, or there is none. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder that relative paths in variables start from. */
  readonly cwd: string;
  /** What a program sets itself; wins over both. */
  readonly over?: Readonly<Record<string, unknown>>;
}

/** @throws NodeError "usage" that lists everything that is wrong, "input" if the file cannot be read */
export function loadConfig(sources: ConfigSources): Config {
  const { env, cwd, over = {} } = sources;
  const named = sources.file ?? env["GLASSBOX_CONFIG"];
  const file = named === undefined ? undefined : path.resolve(cwd, named);
  const written = file === undefined ? {} : readFile(file);
  const wrong: string[] = [];
  const unknown = (what: string, name: string): void => void wrong.push(`${what} is not a setting${nearest(name)}`);
  for (const name of Object.keys(written)) if (!(name in FIELDS)) unknown(`"${name}" in ${file}`, name);
  const variables = new Map(NAMES.map((name) => [variableOf(name), name]));
  for (const name of Object.keys(env)) {
    if (name.startsWith("GLASSBOX_") && !variables.has(name) && !OTHER_VARIABLES.test(name)) unknown(name, name);
  }

  const config: Record<string, unknown> = {};
  for (const name of NAMES) {
    const spec = fieldOf(name);
    const variable = env[variableOf(name)];
    const [given, from, base] =
      name in over
        ? [over[name], `${name} (set by the program)`, cwd]
        : variable !== undefined && variable !== ""
          ? [variable, variableOf(name), cwd]
          : name in written
            ? [written[name], `${name} in ${file}`, path.dirname(file ?? cwd)]
            : [spec.fallback, name, cwd];
    if (given === undefined) {
      if (spec.optional !== true) wrong.push(`${name} is missing: ${spec.about}`);
      continue;
    }
    const parsed = spec.schema.safeParse(given);
    if (!parsed.success) {
      // The value is not quoted: it may be a secret in the wrong place.
      for (const issue of parsed.error.issues) wrong.push(`${from}: ${issue.message}`);
      continue;
    }
    config[name] = spec.path === true ? absolute(parsed.data, base) : parsed.data;
  }
  if (wrong.length > 0) {
    throw new NodeError("usage", `the configuration is not usable:\n${wrong.map((line) => `  - ${line}`).join("\n")}`, {
      mend: "Correct it; docs/config.md describes every setting.",
      facts: { wrong },
    });
  }
  return config as unknown as Config;
}

/** The values that must not be logged. */
export function secretsOf(config: Config): string[] {
  return NAMES.filter((name) => fieldOf(name).secret === true).flatMap((name) => {
    const value = config[name];
    return typeof value === "string" ? [value] : [];
  });
}

/** docs/config.md */
export function describeConfig(): string {
  const rows = NAMES.map((name) => {
    const { form, about, fallback, optional, secret } = fieldOf(name);
    const usual = fallback !== undefined ? `\`${String(fallback)}\`` : optional === true ? "" : "**required**";
    const cells = [`\`${name}\``, `\`${variableOf(name)}\``, form.replaceAll("|", "\\|"), usual, about + (secret === true ? " Secret." : "")]; // prettier-ignore
    return `| ${cells.join(" | ")} |`;
  });
  return [
    "# Configuration of the node",
    "",
    "Settings come from a JSON file (`glassbox node --config <file>` or `GLASSBOX_CONFIG`) and from variables, which win.",
    "Relative paths in the file start from its folder, those in variables from the working folder. A name that is not in",
    "this table is refused. This page is generated from `node/app/config.ts`; a test keeps it so.",
    "",
    "| Setting | Variable | Form | Default | What it is |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

function readFile(file: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(fs.readFileSync(file, "utf8")));
  } catch (cause) {
    throw new NodeError("input", `the configuration file ${file} is not usable (${asNodeError(cause).message})`, {
      mend: "It must hold one JSON object; docs/config.md describes its settings.",
    });
  }
}

function absolute(value: unknown, base: string): unknown {
  return Array.isArray(value)
    ? value.map((one) => path.resolve(base, one as string))
    : path.resolve(base, value as string);
}

/** Names the setting that was probably meant. */
function nearest(name: string): string {
  const bare = (text: string): string =>
    text
      .replace(/^GLASSBOX_/, "")
      .replaceAll("_", "")
      .toLowerCase();
  const wanted = bare(name);
  const close = NAMES.find((known) => distance(bare(known), wanted) <= 2);
  return close === undefined ? "" : `; did you mean ${name.startsWith("GLASSBOX_") ? variableOf(close) : close}?`;
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      next[j] = Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + cost);
    }
    row = next;
  }
  return row[b.length] as number;
}
