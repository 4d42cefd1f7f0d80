// Many points at once: multiples of the generators from tables (development keys), and short combinations of given points
// with small coefficients (ceremony start). Adds two functions per group to ffjavascript's WebAssembly, which has
// neither; its own multi-exponentiation is for one long sum and is some ten times slower here.
import type { Command, Curve, WasmModule } from "ffjavascript";
import { G1_BYTES, G2_BYTES } from "./curve.ts";

export type GroupName = "g1m" | "g2m";
export const POINT_BYTES: Readonly<Record<GroupName, number>> = { g1m: G1_BYTES, g2m: G2_BYTES };
export const SCALAR_BYTES = 32;
const GROUPS: readonly GroupName[] = ["g1m", "g2m"];

/** Bits per table look-up: 26 tables of 1,024 points, 1.7 MB for G1. Larger ones fall out of the processor's cache. */
const WINDOW = 10;
const WINDOWS = Math.ceil(254 / WINDOW);
/** Points per task: about 0.1 s of one thread, so that an abort does not wait long. */
const BATCH = 1 << 13;

export function jacobianBytes(group: GroupName): number {
  return (POINT_BYTES[group] / 2) * 3;
}

/** The functions used below, to be given to `withThreads`. */
export function batchPlugin(module: WasmModule): void {
  for (const group of GROUPS) {
    addChain(module, group);
    addFixedBase(module, group);
    addSmall(module, group);
  }
  addDifferences(module);
}

/** out[i] = i * base for i < n, Jacobian; base is affine. */
function addChain(module: WasmModule, group: GroupName): void {
  const f = module.addFunction(`${group}_chain`);
  for (const name of ["base", "n", "out"]) f.addParam(name, "i32");
  f.addLocal("i", "i32");
  const c = f.getCodeBuilder();
  const next = c.i32_add(c.getLocal("out"), c.i32_const(jacobianBytes(group)));
  f.addCode(
    c.call(`${group}_zero`, c.getLocal("out")),
    c.setLocal("i", c.i32_const(1)),
    c.block(
      c.loop(
        c.br_if(1, c.i32_eq(c.getLocal("i"), c.getLocal("n"))),
        c.call(`${group}_addMixed`, c.getLocal("out"), c.getLocal("base"), next),
        c.setLocal("out", next),
        c.setLocal("i", c.i32_add(c.getLocal("i"), c.i32_const(1))),
        c.br(0),
      ),
    ),
  );
  module.exportFunction(`${group}_chain`);
}

/** out[i] = sum over windows w of tables[w][window w of scalars[i]], Jacobian. */
function addFixedBase(module: WasmModule, group: GroupName): void {
  const affine = POINT_BYTES[group];
  const f = module.addFunction(`${group}_fixedBase`);
  for (const name of ["tables", "scalars", "n", "out"]) f.addParam(name, "i32");
  for (const name of ["i", "w", "digit", "table"]) f.addLocal(name, "i32");
  const c = f.getCodeBuilder();
  const get = (name: string) => c.getLocal(name);
  const step = (name: string, by: number) => c.setLocal(name, c.i32_add(get(name), c.i32_const(by)));
  const digit = c.call(
    `${group}_multiexpAffine_getChunk`,
    get("scalars"),
    c.i32_const(SCALAR_BYTES),
    c.i32_mul(get("w"), c.i32_const(WINDOW)),
    c.i32_const(WINDOW),
  );
  const entry = c.i32_add(get("table"), c.i32_mul(get("digit"), c.i32_const(affine)));
  f.addCode(
    c.setLocal("i", c.i32_const(0)),
    c.block(
      c.loop(
        c.br_if(1, c.i32_eq(get("i"), get("n"))),
        c.call(`${group}_zero`, get("out")),
        c.setLocal("w", c.i32_const(0)),
        c.setLocal("table", get("tables")),
        c.block(
          c.loop(
            c.br_if(1, c.i32_eq(get("w"), c.i32_const(WINDOWS))),
            c.setLocal("digit", digit),
            c.if(get("digit"), c.call(`${group}_addMixed`, get("out"), entry, get("out"))),
            step("table", affine << WINDOW),
            step("w", 1),
            c.br(0),
          ),
        ),
        step("out", jacobianBytes(group)),
        step("scalars", SCALAR_BYTES),
        step("i", 1),
        c.br(0),
      ),
    ),
  );
  module.exportFunction(`${group}_fixedBase`);
}

/** out = sum of coefficients[i] * points[i], signed 32-bit coefficients below 2^bits: one doubling per bit for all. */
function addSmall(module: WasmModule, group: GroupName): void {
  const f = module.addFunction(`${group}_small`);
  for (const name of ["points", "coefficients", "n", "bits", "out"]) f.addParam(name, "i32");
  for (const name of ["i", "c", "size", "point"]) f.addLocal(name, "i32");
  const c = f.getCodeBuilder();
  const get = (name: string) => c.getLocal(name);
  const negative = c.i32_lt_s(get("c"), c.i32_const(0));
  const coefficient = c.i32_load(c.i32_add(get("coefficients"), c.i32_shl(get("i"), c.i32_const(2))));
  f.addCode(
    c.call(`${group}_zero`, get("out")),
    c.block(
      c.loop(
        c.br_if(1, c.i32_eqz(get("bits"))),
        c.setLocal("bits", c.i32_sub(get("bits"), c.i32_const(1))),
        c.call(`${group}_double`, get("out"), get("out")),
        c.setLocal("i", c.i32_const(0)),
        c.setLocal("point", get("points")),
        c.block(
          c.loop(
            c.br_if(1, c.i32_eq(get("i"), get("n"))),
            c.setLocal("c", coefficient),
            c.setLocal("size", get("c")),
            c.if(negative, c.setLocal("size", c.i32_sub(c.i32_const(0), get("c")))),
            c.if(
              c.i32_and(c.i32_shr_u(get("size"), get("bits")), c.i32_const(1)),
              c.if(
                negative,
                c.call(`${group}_subMixed`, get("out"), get("point"), get("out")),
                c.call(`${group}_addMixed`, get("out"), get("point"), get("out")),
              ),
            ),
            c.setLocal("point", c.i32_add(get("point"), c.i32_const(POINT_BYTES[group]))),
            c.setLocal("i", c.i32_add(get("i"), c.i32_const(1))),
            c.br(0),
          ),
        ),
        c.br(0),
      ),
    ),
  );
  module.exportFunction(`${group}_small`);
}

/** out[i] = a[i] - b[i] for i < n, Jacobian; a and b are affine points of G1. */
function addDifferences(module: WasmModule): void {
  const f = module.addFunction("g1m_differences");
  for (const name of ["a", "b", "n", "out"]) f.addParam(name, "i32");
  const c = f.getCodeBuilder();
  const get = (name: string) => c.getLocal(name);
  const step = (name: string, by: number) => c.setLocal(name, c.i32_add(get(name), c.i32_const(by)));
  f.addCode(
    c.block(
      c.loop(
        c.br_if(1, c.i32_eqz(get("n"))),
        c.call("g1m_subAffine", get("a"), get("b"), get("out")),
        step("a", G1_BYTES),
        step("b", G1_BYTES),
        step("out", jacobianBytes("g1m")),
        step("n", -1),
        c.br(0),
      ),
    ),
  );
  module.exportFunction("g1m_differences");
}

/** Runs tasks on all threads, a few ahead, and hands their results over in order. */
export async function inOrder<T>(
  curve: Curve,
  tasks: Iterable<Promise<T>>,
  use: (result: T) => void | Promise<void>,
): Promise<void> {
  const ahead = 2 * curve.tm.concurrency;
  const pending: Promise<T>[] = [];
  for (const task of tasks) {
    pending.push(task);
    if (pending.length >= ahead) await use(await (pending.shift() as Promise<T>));
  }
  for (const task of pending) await use(await task);
}

/** Puts scalars in [0, R) as 32 little-endian bytes each. */
export function packScalars(count: number, scalarAt: (i: number) => bigint): Uint8Array {
  const words = new BigUint64Array(4 * count);
  for (let i = 0; i < count; i++) {
    let rest = scalarAt(i);
    for (let k = 0; k < 4; k++) {
      words[4 * i + k] = rest; // stores the low 64 bits
      rest >>= 64n;
    }
  }
  return new Uint8Array(words.buffer);
}

/** Multiples of a generator; `points` yields affine points, in order, in pieces. */
export interface FixedBase {
  points(
    group: GroupName,
    count: number,
    scalarAt: (i: number) => bigint,
    use: (points: Uint8Array, done: number) => void | Promise<void>,
  ): Promise<void>;
}

/** Builds the tables (about 0.2 s). `curve` has batchPlugin's functions. */
export async function fixedBase(curve: Curve): Promise<FixedBase> {
  const tables = { g1m: await tablesOf(curve, "g1m"), g2m: await tablesOf(curve, "g2m") };
  return {
    points: (group, count, scalarAt, use) => {
      let done = 0;
      function* tasks(): Generator<Promise<Uint8Array>> {
        for (let from = 0; from < count; from += BATCH) {
          const n = Math.min(BATCH, count - from);
          const scalars = packScalars(n, (i) => scalarAt(from + i));
          yield run(curve, [
            { cmd: "ALLOCSET", var: 0, buff: tables[group] },
            { cmd: "ALLOCSET", var: 1, buff: scalars },
            { cmd: "ALLOC", var: 2, len: n * jacobianBytes(group) },
            { cmd: "CALL", fnName: `${group}_fixedBase`, params: [{ var: 0 }, { var: 1 }, { val: n }, { var: 2 }] },
            { cmd: "CALL", fnName: `${group}_batchToAffine`, params: [{ var: 2 }, { val: n }, { var: 2 }] },
            { cmd: "GET", out: 0, var: 2, len: n * POINT_BYTES[group] },
          ]);
        }
      }
      return inOrder(curve, tasks(), (points) => {
        done += points.length / POINT_BYTES[group];
        return use(points, done);
      });
    },
  };
}

async function tablesOf(curve: Curve, group: GroupName): Promise<Uint8Array> {
  const g = group === "g1m" ? curve.G1 : curve.G2;
  const size = 1 << WINDOW;
  const tables = new Uint8Array(WINDOWS * size * POINT_BYTES[group]);
  let base = g.g;
  const parts: Promise<Uint8Array>[] = [];
  for (let w = 0; w < WINDOWS; w++) {
    parts.push(
      run(curve, [
        { cmd: "ALLOCSET", var: 0, buff: g.toAffine(base) },
        { cmd: "ALLOC", var: 1, len: size * jacobianBytes(group) },
        { cmd: "CALL", fnName: `${group}_chain`, params: [{ var: 0 }, { val: size }, { var: 1 }] },
        { cmd: "CALL", fnName: `${group}_batchToAffine`, params: [{ var: 1 }, { val: size }, { var: 1 }] },
        { cmd: "GET", out: 0, var: 1, len: size * POINT_BYTES[group] },
      ]),
    );
    for (let k = 0; k < WINDOW; k++) base = g.double(base);
  }
  (await Promise.all(parts)).forEach((part, w) => tables.set(part, w * size * POINT_BYTES[group]));
  return tables;
}

export async function run(curve: Curve, commands: readonly Command[]): Promise<Uint8Array> {
  return (await curve.tm.queueAction(commands))[0] as Uint8Array;
}
