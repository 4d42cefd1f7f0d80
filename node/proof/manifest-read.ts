// Reads manifest.json by hand and strictly, since it may come from a stranger: one spelling, no member missing or unknown, every
// number within bounds. That the files have the digests is for package.ts.
import type { Digest } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import { type BorderTensor, sizeOf } from "../core/tensor.ts";
import type { Widths } from "../model/lowering.ts";
import { canonicalJson, type Json } from "./json.ts";
import {
  type Calibration,
  type Choices,
  type CircuitCost,
  FILES,
  FORMAT,
  type KeyStatement,
  MANIFEST,
  type Manifest,
  rolesOf,
  VERSION,
} from "./manifest.ts";

export const MAX_MANIFEST_BYTES = 4 << 20;
/** Of an input or output. */
const MAX_ELEMENTS = 2 ** 26;
const MAX_BORDERS = 64;

/** @throws NodeError "input" naming the member that is wrong */
export function parseManifest(bytes: Uint8Array): Manifest {
  if (bytes.length > MAX_MANIFEST_BYTES) throw bad(`is larger than ${MAX_MANIFEST_BYTES} bytes`);
  const top = members(parseJson(bytes), "the manifest", MEMBERS, ["key"]);
  if (top["format"] !== FORMAT) throw bad("is not of a Glassbox package");
  if (top["version"] !== VERSION) {
    throw bad(`is of version ${String(top["version"])}, and this tool reads version ${VERSION}`);
  }
  const key = top["key"] === undefined ? undefined : keyIn(top["key"]);
  return {
    name: nameIn(top["name"]),
    calibration: calibrationIn(top["calibration"]),
    inputs: bordersIn(top["inputs"], "inputs"),
    outputs: bordersIn(top["outputs"], "outputs"),
    choices: choicesIn(top["choices"]),
    circuit: circuitIn(top["circuit"]),
    report: top["report"] as Json,
    notices: list(top["notices"], "notices").map((notice) => textIn(notice, "notices")),
    tools: Object.fromEntries(
      Object.entries(members(top["tools"], "tools")).map(([tool, version]) => [tool, textIn(version, "tools")]),
    ),
    files: filesIn(top["files"], key),
    ...(key === undefined ? {} : { key }),
  };
}

const MEMBERS = [
  "format",
  "version",
  "name",
  "calibration",
  "inputs",
  "outputs",
  "choices",
  "circuit",
  "report",
  "notices",
  "tools",
  "files",
];

function bad(what: string, cause?: unknown): NodeError {
  return new NodeError("input", `${MANIFEST} ${what}`, {
    mend: "Get the package again from its publisher, or compile the model with this version of the tool.",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** One spelling only: no repeated keys, no other order, nothing that a second parser could read otherwise. */
function parseJson(bytes: Uint8Array): unknown {
  let value: Json;
  let again: string;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text) as Json;
    again = canonicalJson(value);
  } catch (cause) {
    throw bad("is not JSON", cause);
  }
  if (again !== text) throw bad("is not in canonical form");
  return value;
}

/** An object with exactly these members; with any, if none are named. */
function members(
  value: unknown,
  where: string,
  names?: readonly string[],
  optional: readonly string[] = [],
): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw bad(`has no object for ${where}`);
  const found = Object.keys(value);
  const missing = names?.find((name) => !found.includes(name));
  const extra = names && found.find((name) => !names.includes(name) && !optional.includes(name));
  if (missing !== undefined) throw bad(`lacks "${missing}" in ${where}`);
  if (extra !== undefined) throw bad(`has an unknown "${extra}" in ${where}`);
  return value as Readonly<Record<string, unknown>>;
}

function list(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw bad(`has no list for ${where}`);
  return value;
}

function textIn(value: unknown, where: string): string {
  if (typeof value !== "string" || value.length > 10_000) throw bad(`has no text for ${where}`);
  return value;
}

function nameIn(value: unknown): string {
  const name = textIn(value, "name");
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name))
    throw bad("names the model with other than 1 to 64 of A-Z a-z 0-9 . _ -");
  return name;
}

function count(value: unknown, where: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw bad(`has no count for ${where}`);
  return value as number;
}

function digestIn(value: unknown, where: string): Digest {
  if (typeof value !== "string" || !/^[0-9a-f]{64}$/.test(value)) throw bad(`has no SHA-256 for ${where}`);
  return value as Digest;
}

function calibrationIn(value: unknown): Calibration {
  const fields = members(value, "calibration", ["from", "sha256", "ranges"]);
  const ranges = entriesIn(fields["ranges"], "calibration.ranges", (range, where) => {
    const [lo, hi, more] = list(range, where);
    const numbers = typeof lo === "number" && typeof hi === "number" && lo < hi && more === undefined;
    if (!numbers) throw bad(`has no range for ${where}`);
    return [lo, hi] as const;
  });
  return {
    from: textIn(fields["from"], "calibration.from"),
    sha256: digestIn(fields["sha256"], "calibration"),
    ranges,
  };
}

function choicesIn(value: unknown): Choices {
  const { dims, widths, claim } = members(value, "choices", ["dims", "widths"], ["claim"]);
  const kinds = ["weights", "activations", "features", "tables"] as const;
  const fields = members(widths, "choices.widths", kinds, ["tensors"]);
  const bits = (value: unknown, where: string): number => within(count(value, where), 2, 16, where);
  const [weights, activations, features, tables] = kinds.map((kind) => bits(fields[kind], `choices.widths.${kind}`));
  const tensors =
    fields["tensors"] === undefined ? undefined : entriesIn(fields["tensors"], "choices.widths.tensors", bits);
  if (claim !== undefined && claim !== "private-input") throw bad("has an unknown claim in choices");
  return {
    claim: claim ?? "public",
    dims: entriesIn(dims, "choices.dims", (size, where) => within(count(size, where), 1, MAX_ELEMENTS, where)),
    widths: { weights, activations, features, tables, ...(tensors && { tensors }) } as Widths,
  };
}

/** An object of any names, whose members `read` takes; bounded in number by the manifest's size. */
function entriesIn<T>(value: unknown, where: string, read: (value: unknown, where: string) => T): Record<string, T> {
  return Object.fromEntries(
    Object.entries(members(value, where)).map(([name, member]) => [name, read(member, where)] as const),
  );
}

function within(value: number, least: number, most: number, where: string): number {
  if (value < least || value > most) throw bad(`has ${value} for ${where}, which is not from ${least} to ${most}`);
  return value;
}

/** At least one, each under a name of its own. */
function bordersIn(value: unknown, where: string): readonly BorderTensor[] {
  const borders = list(value, where).map((each) => borderIn(each, where));
  if (borders.length === 0 || borders.length > MAX_BORDERS) throw bad(`has ${borders.length} ${where}`);
  if (new Set(borders.map(({ name }) => name)).size !== borders.length) throw bad(`has two ${where} of one name`);
  return borders;
}

function borderIn(value: unknown, where: string): BorderTensor {
  const fields = members(value, where, ["name", "shape", "type", "exponent"]);
  const { bits, signed } = members(fields["type"], `${where}.type`, ["bits", "signed"]);
  if ((bits !== 8 && bits !== 16 && bits !== 32) || typeof signed !== "boolean")
    throw bad(`has no integer type for ${where}`);
  const shape = list(fields["shape"], where).map((dim) => count(dim, `${where}.shape`));
  if (shape.length > 8 || shape.some((dim) => dim < 1) || sizeOf(shape) > MAX_ELEMENTS)
    throw bad(`has an impossible shape for ${where}`);
  const exponent = fields["exponent"];
  if (!Number.isSafeInteger(exponent) || Math.abs(exponent as number) > 1000) throw bad(`has no exponent for ${where}`);
  const name = textIn(fields["name"], where);
  if (name === "") throw bad(`has no name in ${where}`);
  return { name, shape, type: { bits, signed }, exponent: exponent as number };
}

function circuitIn(value: unknown): CircuitCost {
  const names = ["constraints", "wires", "domain", "claimConstraints", "layers"];
  const fields = members(value, "circuit", names);
  const number = (name: string): number => count(fields[name], `circuit.${name}`);
  return {
    constraints: number("constraints"),
    wires: number("wires"),
    domain: number("domain"),
    claimConstraints: number("claimConstraints"),
    layers: list(fields["layers"], "circuit.layers").map((layer) => {
      const { name, op, constraints } = members(layer, "circuit.layers", ["name", "op", "constraints"]);
      return {
        name: textIn(name, "circuit.layers"),
        op: textIn(op, "circuit.layers"),
        constraints: count(constraints, "circuit.layers"),
      };
    }),
  };
}

function keyIn(value: unknown): KeyStatement {
  const { kind } = members(value, "key");
  if (kind === "development") {
    return { kind, seed: textIn(members(value, "key", ["kind", "seed"])["seed"], "key.seed") };
  }
  if (kind !== "ceremony") throw bad("has an unknown kind of key");
  return { kind, transcript: digestIn(members(value, "key", ["kind", "transcript"])["transcript"], "key.transcript") };
}

function filesIn(value: unknown, key: KeyStatement | undefined): Manifest["files"] {
  const roles = rolesOf(key);
  const fields = members(
    value,
    "files",
    roles.map((role) => FILES[role]),
  );
  return Object.fromEntries(
    roles.map((role) => {
      const { sha256, bytes } = members(fields[FILES[role]], FILES[role], ["sha256", "bytes"]);
      return [role, { sha256: digestIn(sha256, FILES[role]), bytes: count(bytes, FILES[role]) }];
    }),
  );
}
