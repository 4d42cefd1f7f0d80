// The prover under attack: keys and witnesses of strangers, aborts at every step, files that change, memory that is read
// afterwards. Each ends as a right proof or as a NodeError, and the process goes on. Random cases print their seed.
import { expect } from "chai";
import { buildBn128, type Curve } from "ffjavascript";
import { execFileSync } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import type { NodeError } from "../../../node/core/errors.ts";
import { R, reduce } from "../../../node/core/field.ts";
import { openEngine } from "../../../node/groth16/engine.ts";
import { openProver, type Prover } from "../../../node/groth16/index.ts";
import type { Sum } from "../../../node/groth16/messages.ts";
import { compile, instantiate, type Kernel } from "../../../node/groth16/module.ts";
import { plan } from "../../../node/groth16/msm.ts";
import { openRawProver, type Proved, type ProverOptions, type RawProver } from "../../../node/groth16/prover.ts";
import { selfTest } from "../../../node/groth16/selftest.ts";
import { bytesSource, type SourceSpec } from "../../../node/groth16/source.ts";
import { verify } from "../../../node/groth16/verify.ts";
import { makeDevelopmentKey } from "../../../node/proof/setup.ts";
import { littleEndian } from "../../../node/proof/zkey.ts";
import {
  binFile,
  type Circuit,
  type Combination,
  r1csBytes,
  type Row,
  sectionsOf,
  wtnsBytes,
} from "../../support/circuits-small.ts";
import { refusalOf, type SmallKey, smallKey, workFolder } from "../../support/keys.ts";

const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000);

interface Random {
  /** Below n. */
  readonly int: (n: number) => number;
  readonly element: () => bigint;
  readonly bytes: (n: number) => Buffer;
}

/** Marsaglia's xorshift. */
function randomOf(seed: number): Random {
  let state = Math.imul(seed + 1, 2654435761) >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
  const bytes = (n: number): Buffer => Buffer.from(Array.from({ length: n }, () => next() >>> 24));
  return { int: (n) => next() % n, element: () => BigInt(`0x${bytes(40).toString("hex")}`) % R, bytes };
}

const pick = <T>(random: Random, ...from: readonly T[]): T => from[random.int(from.length)] as T;
const big = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
const given = (bytes: Uint8Array): SourceSpec => ({ kind: "bytes", bytes: new Uint8Array(bytes), name: "given" });

/** Rows of any length, also empty ones, coefficients of any width, and wires in no row. */
function randomCircuit(random: Random): { readonly circuit: Circuit; readonly values: bigint[] } {
  const publicInputs = random.int(6);
  const values = [1n];
  const value = (): bigint =>
    pick(random, 0n, 1n, R - 1n, random.element(), random.element(), 1n << BigInt(random.int(253)));
  for (let i = random.int(9) + publicInputs; i >= 0; i--) values.push(reduce(value()));
  const combination = (): Combination => {
    const length = pick(random, 0, 1, 2, 9, 17, 30);
    const coefficient = (): bigint => pick(random, 0n, 1n, -1n, 5n, random.element());
    return [
      ...new Map(
        Array.from({ length }, () => [random.int(Math.min(values.length, 40)), coefficient()] as [number, bigint]),
      ),
    ];
  };
  const at = (terms: Combination): bigint =>
    terms.reduce((sum, [wire, factor]) => reduce(sum + BigInt(factor) * (values[wire] as bigint)), 0n);
  const rows: Row[] = [];
  for (let i = random.int(2 ** (1 + random.int(6))); i >= 0; i--) {
    const [a, b] = [combination(), combination()];
    values.push(reduce(at(a) * at(b)));
    rows.push(random.int(6) === 0 ? [[], [], []] : [a, b, [[values.length - 1, 1]]]);
  }
  const wires = values.length;
  return { circuit: { wires, outputs: 0, publicInputs, privateInputs: wires - 1 - publicInputs, rows }, values };
}

/** The same circuit told otherwise: terms in any order, some in two parts or with nothing added, coefficients above r. */
function disguised(zkey: Buffer, random: Random): Buffer {
  return withSection(zkey, 4, (list) => {
    const terms: Buffer[] = [];
    for (let at = 4; at < list.length; at += 44) {
      const coefficient = big(list.subarray(at + 12, at + 44));
      const part = pick(random, coefficient, 0n, random.element());
      for (const value of part === coefficient ? [coefficient] : [part, reduce(coefficient - part)]) {
        const bytes = littleEndian(value + R * BigInt(random.int(5)));
        terms.splice(random.int(terms.length + 1), 0, Buffer.concat([list.subarray(at, at + 12), bytes]));
      }
    }
    const count = Buffer.alloc(4);
    count.writeUInt32LE(terms.length);
    return Buffer.concat([count, ...terms]);
  });
}

type Change = (bytes: Buffer) => Buffer | void;

function withSection(zkey: Buffer, id: number, change: Change): Buffer {
  const sections = sectionsOf(zkey).map((section) =>
    section.id === id ? { id, bytes: change(section.bytes) ?? section.bytes } : section,
  );
  return binFile("zkey", 1, sections);
}

const sectionOf = (zkey: Buffer, id: number): Buffer =>
  sectionsOf(zkey).find((each) => each.id === id)?.bytes as Buffer;

describe(`the prover under attack, seed ${SEED}`, function () {
  this.timeout(60_000);
  const folder = workFolder();
  const unhandled: unknown[] = [];
  const open: { close(): Promise<void> }[] = [];
  const opened = <T extends { close(): Promise<void> }>(prover: T): T => {
    open.push(prover);
    return prover;
  };
  const note = (reason: unknown): void => void unhandled.push(reason);
  let curve: Curve;
  let small: SmallKey;
  let good: Buffer;

  before(async () => {
    process.on("unhandledRejection", note);
    curve = await buildBn128(true);
    small = await smallKey(folder.path, { padding: 60 });
    good = readFileSync(small.zkey);
  });
  afterEach(async () => {
    // A test that fails must not leave threads behind.
    for (const prover of open.splice(0)) await prover.close();
    await new Promise((resolve) => setImmediate(resolve));
    expect(unhandled.splice(0)).to.deep.equal([]);
  });
  after(() => {
    process.off("unhandledRejection", note);
    folder.remove();
  });

  const keyFor = async (circuit: Circuit): Promise<Buffer> => {
    const [r1cs, zkey] = [folder.at("any.r1cs"), folder.at("any.zkey")];
    writeFileSync(r1cs, r1csBytes(circuit));
    await makeDevelopmentKey({ r1cs, zkey });
    return readFileSync(zkey);
  };
  const holds = ({ key, ic, signals, points }: Proved): Promise<boolean> => verify(key, ic, signals, points);
  const using = async <T>(options: ProverOptions, use: (prover: RawProver) => Promise<T>): Promise<T> => {
    const prover = openRawProver({ selfTest: false, ...options });
    try {
      return await use(prover);
    } finally {
      await prover.close();
    }
  };
  const witness = (): SourceSpec => given(small.witness(5n, 7n));

  describe("computes what it should", () => {
    const OTHERS = [
      { threads: 1, cacheBytes: 0 },
      { threads: 2, cacheBytes: 168 },
      { threads: 3, cacheBytes: 20_000 },
      { threads: 5, cacheBytes: 2 ** 30 },
    ];

    /** A, B and C from their definition, with ffjavascript; h from an engine of our own, which the pairing checks. */
    async function expected(zkey: Buffer, values: readonly bigint[], h: Uint8Array, r: bigint, s: bigint) {
      const { G1, G2 } = curve;
      const scalars = Buffer.concat(values.map(littleEndian));
      const { publics } = openHeader(zkey);
      const sum = (group: typeof G1, id: number, by: Uint8Array): Promise<Uint8Array> =>
        group.multiExpAffine(sectionOf(zkey, id), by);
      const points = sectionOf(zkey, 2).subarray(84);
      const [alpha, beta, beta2] = [points.subarray(0, 64), points.subarray(64, 128), points.subarray(128, 256)];
      const [delta, delta2] = [points.subarray(384, 448), points.subarray(448, 576)];
      const a = G1.add(G1.add(alpha, await sum(G1, 5, scalars)), G1.timesScalar(delta, r));
      const b1 = G1.add(G1.add(beta, await sum(G1, 6, scalars)), G1.timesScalar(delta, s));
      const b = G2.add(G2.add(beta2, await sum(G2, 7, scalars)), G2.timesScalar(delta2, s));
      const own = G1.add(await sum(G1, 8, scalars.subarray(32 * (publics + 1))), await sum(G1, 9, h));
      const mixed = G1.add(G1.timesScalar(a, s), G1.timesScalar(b1, r));
      const c = G1.add(G1.add(own, mixed), G1.timesScalar(delta, reduce(-r * s)));
      return [G1.toAffine(a), G2.toAffine(b), G1.toAffine(c)].map((point) => Buffer.from(point).toString("hex"));
    }
    const openHeader = (zkey: Buffer): { readonly publics: number; readonly domain: number } => {
      const header = sectionOf(zkey, 2);
      return { publics: header.readUInt32LE(76), domain: header.readUInt32LE(80) };
    };
    async function quotientOf(zkey: Buffer, values: readonly bigint[]): Promise<Uint8Array> {
      const engine = openEngine(instantiate(await compile()), 0);
      engine.key(bytesSource(new Uint8Array(zkey), "key"));
      engine.witness(bytesSource(new Uint8Array(wtnsBytes(values)), "witness"));
      return engine.join(engine.coset("a"), engine.coset("b"), engine.coset("c")).scalars;
    }
    const spelled = ({ points }: Proved): string[] =>
      [points.a, points.b, points.c].map((point) => Buffer.from(point).toString("hex"));

    it("for random circuits, however told: proofs hold, and are the same on 1 to 5 threads and with any cache", async () => {
      const provers = OTHERS.map((options) => opened(openRawProver({ selfTest: false, ...options })));
      const domains = new Set<number>();
      for (let i = 0; i < 10; i++) {
        const random = randomOf(SEED + i);
        const { circuit, values } = randomCircuit(random);
        const zkey = disguised(await keyFor(circuit), random);
        domains.add(openHeader(zkey).domain);
        const [r, s] = [pick(random, 0n, random.element()), pick(random, 1n, R - 1n, random.element())];
        const ours = await Promise.all(
          provers.map((prover) => prover.prove(given(zkey), given(wtnsBytes(values)), { blinding: { r, s } })),
        );
        const [first] = ours as [Proved];
        expect(await holds(first), `circuit ${i}`).to.equal(true);
        for (const each of ours) expect(spelled(each), `circuit ${i}`).to.deep.equal(spelled(first));
        if (i % 4 === 0) {
          const right = await expected(zkey, values, await quotientOf(zkey, values), r, s);
          expect(spelled(first), `circuit ${i}`).to.deep.equal(right);
        }
      }
      expect(domains.size).to.be.above(2);
    });

    it("for points that are infinite in B's one group only, equal, opposite or above q", async () => {
      const values = Array.from({ length: 18 }, (_, i) =>
        pick(randomOf(SEED + i), 0n, 1n, R - 1n, randomOf(i).element()),
      );
      values[0] = 1n;
      const zkey = readFileSync((await smallKey(folder.path, { padding: 9, name: "eighteen" })).zkey);
      const negative = (point: Buffer): Buffer => Buffer.from(curve.G1.toAffine(curve.G1.neg(point)));
      const last = (bytes: Buffer, size: number): Buffer => bytes.subarray(bytes.length - size);
      const above = (bytes: Buffer): void => {
        // The same point: its coordinates plus q are below 2^256.
        const q = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;
        for (let at = 0; at < bytes.length; at += 32) {
          const value = big(bytes.subarray(at, at + 32));
          if (value !== 0n) bytes.set(littleEndian(value + q), at);
        }
      };
      const changes: readonly (readonly [string, Buffer, Buffer?])[] = [
        ["B1", withSection(zkey, 6, (bytes) => void bytes.fill(0, 64 * 4, 64 * 9))],
        ["B2", withSection(zkey, 7, (bytes) => void bytes.fill(0, 128 * 2, 128 * 8))],
        ["equal", withSection(zkey, 5, (bytes) => Buffer.concat(Array.from({ length: 18 }, () => last(bytes, 64))))],
        [
          "opposite",
          withSection(zkey, 9, (bytes) =>
            Buffer.concat(Array.from({ length: 32 }, (_, i) => (i % 2 ? last(bytes, 64) : negative(last(bytes, 64))))),
          ),
        ],
        ["above q", [5, 6, 7, 8, 9].reduce<Buffer>((file, id) => withSection(file, id, above), zkey), zkey],
      ];
      for (const [name, hostile, like = hostile] of changes) {
        const blinding = { r: 3n, s: 1n << 200n };
        for (const cacheBytes of [0, 2 ** 20]) {
          const proved = await using({ threads: 2, cacheBytes }, (prover) =>
            prover.prove(given(hostile), given(wtnsBytes(values)), { blinding }),
          );
          const right = await expected(like, values, await quotientOf(like, values), blinding.r, blinding.s);
          expect(spelled(proved), name).to.deep.equal(right);
        }
      }
    });

    it("when one thread keeps the points of a sum, and another reads them in pieces", async () => {
      // Longer than a piece (engine.ts), with points for the first and the last wires only: quick, but of many tasks.
      const wires = 2 ** 18 + 30;
      const sparse = (size: number, count: number): Change => {
        return (bytes) => {
          const long = Buffer.alloc(size * count);
          bytes.copy(long);
          bytes.copy(long, long.length - bytes.length);
          return long;
        };
      };
      const signals = 3;
      const changes: readonly (readonly [number, Change])[] = [
        [2, (bytes) => void bytes.writeUInt32LE(wires, 72)],
        [5, sparse(64, wires)],
        [6, sparse(64, wires)],
        [7, sparse(128, wires)],
        [8, sparse(64, wires - signals - 1)],
      ];
      const zkey = folder.at("long.zkey");
      writeFileSync(
        zkey,
        changes.reduce((file, [id, change]) => withSection(file, id, change), good),
      );
      const random = randomOf(SEED);
      const values = Buffer.alloc(32 * wires);
      values.writeUInt8(1);
      for (let wire = 1; wire < 9000; wire++) random.bytes(31).copy(values, 32 * wire);
      random.bytes(31 * 20).copy(values, values.length - 31 * 20);
      values.forEach((byte, i) => i % 32 === 31 && byte !== 0 && (values[i] = 0));
      const wtns = sectionsOf(Buffer.from(wtnsBytes([1n])));
      (wtns[0] as { bytes: Buffer }).bytes.writeUInt32LE(wires, 36);
      const path = folder.at("long.wtns");
      writeFileSync(path, binFile("wtns", 2, [wtns[0] as (typeof wtns)[0], { id: 2, bytes: values }]));
      const prove = (options: ProverOptions): Promise<string[][]> =>
        using(options, async (prover) => {
          const proofs: string[][] = [];
          for (let i = 0; i < 2; i++) {
            const specs = [zkey, path].map((each) => ({ kind: "path", path: each }) as const);
            const [key, witnessOfIt] = specs as [SourceSpec, SourceSpec];
            proofs.push(spelled(await prover.prove(key, witnessOfIt, { blinding: { r: 1n, s: 2n } })));
          }
          return proofs;
        });
      const [right] = await prove({ threads: 1, cacheBytes: 2 ** 30 });
      // A thread has room for the points of B, the longest sum, if it keeps no others; those that do help with B later.
      for (const [proof] of [await prove({ threads: 2, cacheBytes: 0 })]) expect(proof).to.deep.equal(right);
      for (const proof of await prove({ threads: 3, cacheBytes: 3 * (248 * wires + 1) }))
        expect(proof).to.deep.equal(right);
    });

    it("for circuits without private wires, with one wire, or with nothing but an empty row, whatever the cache", async () => {
      const row: Row = [[[1, 1]], [[1, 1]], [[2, 1]]];
      const all: readonly (readonly [readonly Row[], readonly bigint[]])[] = [
        [[[[[0, 1]], [[0, 1]], [[0, 1]]]], [1n]],
        [[row], [1n, 3n, 9n]],
        [[[[], [], []]], [1n, R - 1n]],
      ];
      for (const [rows, values] of all) {
        const wires = values.length;
        const zkey = await keyFor({ wires, outputs: 0, publicInputs: wires - 1, privateInputs: 0, rows });
        for (const cacheBytes of [0, 84 * wires, 2 ** 20]) {
          const proved = await using({ threads: 1, cacheBytes }, (prover) =>
            prover.prove(given(zkey), given(wtnsBytes(values))),
          );
          expect(await holds(proved), `${wires} wires, ${cacheBytes} bytes`).to.equal(true);
        }
      }
    });
  });

  describe("of a stranger's key or witness", () => {
    let prover: Prover;
    before(() => (prover = openProver({ threads: 2 })));
    after(() => prover.close());

    const POINTS: readonly (readonly [number, number])[] = [
      [2, 84],
      ...[3, 5, 6, 7, 8, 9].map((id) => [id, 0] as const),
    ];
    const refused = async (name: string, code: string, zkey: Buffer, wtns: Uint8Array): Promise<void> => {
      const refusal = await refusalOf(() => prover.prove(new Uint8Array(zkey), new Uint8Array(wtns)));
      expect(refusal.code, name).to.equal(code);
    };

    it("makes no proof of points that are on no curve, or all infinite", async () => {
      const wtns = small.witness(5n, 7n);
      const random = randomOf(SEED);
      for (const [id, from] of POINTS) {
        const scribble = (name: string, write: (bytes: Buffer) => void): Promise<void> =>
          refused(
            `section ${id} ${name}`,
            "integrity",
            withSection(good, id, (bytes) => write(bytes.subarray(from))),
            wtns,
          );
        await scribble("all ones", (bytes) => void bytes.fill(255));
        await scribble("random", (bytes) => void bytes.set(random.bytes(bytes.length)));
        await scribble("infinite", (bytes) => void bytes.fill(0));
      }
      // All together: every pairing would be one.
      const zeros = POINTS.reduce(
        (file, [id, from]) => withSection(file, id, (bytes) => void bytes.fill(0, from)),
        good,
      );
      await refused("all points infinite", "integrity", zeros, wtns);
      expect((await prover.prove(new Uint8Array(good), wtns)).publicSignals).to.have.length(3);
    });

    it("refuses terms outside the matrices, and takes the last that are inside", async () => {
      const wtns = small.witness(5n, 7n);
      const header = sectionOf(good, 2);
      const limits = [2, header.readUInt32LE(80), header.readUInt32LE(72)];
      for (const [i, limit] of limits.entries()) {
        for (const value of [limit, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
          const change: Change = (bytes) => void bytes.writeUInt32LE(value, bytes.length - 44 + 4 * i);
          await refused(`${i}: ${value}`, "input", withSection(good, 4, change), wtns);
        }
        // A term more, of nothing.
        const inside = withSection(good, 4, (bytes) => {
          const term = Buffer.alloc(44);
          term.writeUInt32LE(limit - 1, 4 * i);
          bytes.writeUInt32LE(bytes.readUInt32LE(0) + 1);
          return Buffer.concat([bytes, term]);
        });
        await prover.prove(new Uint8Array(inside), wtns);
      }
      const wide = withSection(good, 4, (bytes) => {
        for (let at = 4; at < bytes.length; at += 44) bytes.fill(255, at + 12, at + 44);
      });
      await refused("coefficients of 2^256 - 1", "integrity", wide, wtns);
    });

    it("makes no proof of a witness of zeros, ones or r - 1, nor of a value of r or above", async () => {
      const wires = sectionOf(good, 2).readUInt32LE(72);
      for (const value of [0n, 1n, R - 1n]) {
        const values = Array.from({ length: wires }, (_, i) => (i === 0 ? 1n : value));
        await refused(`all ${value}`, "integrity", good, wtnsBytes(values));
      }
      const { length } = small.witness(5n, 7n);
      for (const value of [R, R + 1n, R + (1n << 200n), 2n ** 256n - 1n]) {
        const wtns = small.witness(5n, 7n);
        wtns.set(littleEndian(value), length - 32);
        await refused(`${value}`, "input", good, wtns);
      }
    });

    it("does not wait for the other end of a pipe", async function () {
      if (process.platform === "win32") this.skip();
      const pipe = folder.at("pipe");
      execFileSync("mkfifo", [pipe]);
      expect((await refusalOf(() => prover.prove(pipe, small.witness(5n, 7n)))).code).to.equal("input");
      expect((await refusalOf(() => prover.prove(new Uint8Array(good), pipe))).code).to.equal("input");
    });
  });

  describe("in a race", () => {
    const path = (): SourceSpec => ({ kind: "path", path: small.zkey });

    it("ends an abort at any step as one, without unhandled rejections, and proves again", async () => {
      let ended = 0;
      for (const threads of [1, 2]) {
        await using({ threads }, async (prover) => {
          for (let at = 0; at <= 12; at++) {
            const stop = new AbortController();
            if (at === 0) stop.abort();
            const onProgress = ({ done }: { readonly done?: number }): void => void (done === at && stop.abort());
            const proved = prover.prove(path(), witness(), { signal: stop.signal, onProgress });
            const refusal = await proved.then(
              () => undefined,
              (thrown: unknown) => thrown as NodeError,
            );
            if (refusal !== undefined) {
              expect([refusal.name, refusal.code], `step ${at}`).to.deep.equal(["NodeError", "aborted"]);
              ended++;
            }
            if (at % 6 === 0) expect(await holds(await prover.prove(path(), witness()))).to.equal(true);
          }
        });
      }
      expect(ended).to.be.above(12);
    });

    it("keeps the process when a key fails under running tasks, or the caller's progress throws", async () => {
      const bad = withSection(good, 4, (bytes) => void bytes.writeUInt32LE(9, 4));
      for (const threads of [1, 2, 3]) {
        await using({ threads }, async (prover) => {
          expect((await refusalOf(() => prover.prove(given(bad), witness()))).code).to.equal("input");
          const mine = new Error("mine");
          const onProgress = ({ done }: { readonly done?: number }): void => {
            if (done === 4) throw mine;
          };
          expect(await prover.prove(path(), witness(), { onProgress }).catch((e: unknown) => e)).to.equal(mine);
          expect(await holds(await prover.prove(path(), witness()))).to.equal(true);
        });
      }
    });

    it("ends all calls when it is closed while starting or proving, and leaves no file open", async () => {
      const files = (): number => (process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0);
      await using({ threads: 2 }, (prover) => prover.prove(path(), witness()));
      const before = files();
      for (const wait of [0, 20, 60, 120]) {
        const prover = openRawProver({ threads: 2, selfTest: false });
        const calls = [prover.prove(path(), witness()), prover.start(), prover.prove(path(), witness())];
        const ends = calls.map((call) =>
          call.then(
            () => "done",
            (thrown: unknown) => (thrown as NodeError).code,
          ),
        );
        await new Promise((resolve) => setTimeout(resolve, wait));
        await prover.close();
        for (const end of await Promise.all(ends)) expect(end).to.be.oneOf(["done", "aborted"]);
        expect((await refusalOf(() => prover.prove(path(), witness()))).code).to.equal("aborted");
      }
      await using({ threads: 2 }, async (prover) => {
        for (let i = 0; i < 5; i++) await refusalOf(() => prover.prove(path(), given(new Uint8Array(9))));
      });
      expect(files()).to.be.at.most(before);
    });

    it("sees a key that was replaced, though size, times and inode are the same", async () => {
      const other = await smallKey(folder.path, { padding: 60, k: 1, name: "other" });
      const key = folder.at("swapped.zkey");
      const prover = opened(openProver({ threads: 2 }));
      const put = (from: string): void => {
        copyFileSync(from, key);
        utimesSync(key, 1e9, 1e9);
      };
      put(small.zkey);
      const before = statSync(key);
      await prover.prove(key, small.witness(5n, 7n));
      put(other.zkey);
      const { size, mtimeMs, ino } = statSync(key);
      expect([size, mtimeMs, ino]).to.deep.equal([before.size, before.mtimeMs, before.ino]);
      await prover.prove(key, other.witness(5n, 7n));
      expect((await refusalOf(() => prover.prove(key, small.witness(5n, 7n)))).code).to.equal("integrity");
      // While it is read: a right proof or a refusal, and the next one is right.
      for (let step = 0; step < 6; step++) {
        put(small.zkey);
        const onProgress = (): void => (step % 2 === 0 ? truncateSync(key, 3000) : copyFileSync(other.zkey, key));
        const end = await prover.prove(key, small.witness(5n, 7n), { onProgress }).catch((e: unknown) => e);
        if (end instanceof Error) expect((end as NodeError).code).to.be.oneOf(["input", "integrity"]);
        put(small.zkey);
        await prover.prove(key, small.witness(5n, 7n));
      }
    });
  });

  describe("afterwards", () => {
    let made: Promise<Buffer> | undefined;

    /** A proof in this thread, as the threads make it; the secrets' bytes and limbs. */
    async function prove(cacheBytes: number, order: readonly Sum[], first: number, wipe: boolean): Promise<number> {
      const random = randomOf(SEED);
      const values = Array.from({ length: 702 }, (_, i) => (i === 0 ? 1n : random.element()));
      const products = values.slice(2).map((value, i) => reduce(value * (values[2 + ((7 * i) % 700)] as bigint)));
      const rows = products.map((_, i): Row => [[[2 + i, 1]], [[2 + ((7 * i) % 700), 1]], [[702 + i, 1]]]);
      const all = [...values, ...products];
      const wires = all.length;
      made ??= keyFor({ wires, outputs: 0, publicInputs: 1, privateInputs: wires - 2, rows });
      const zkey = await made;
      const kernel = instantiate(await compile());
      const engine = openEngine(kernel, cacheBytes);
      engine.key(bytesSource(new Uint8Array(zkey), "key"));
      const shape = plan(engine.witness(bytesSource(new Uint8Array(wtnsBytes(all)), "witness")).histogram);
      const sum = (of: Sum): void => void engine.sum(of, shape, 0, shape.windows);
      for (const of of order.slice(0, first)) sum(of);
      const parts = [engine.coset("a"), engine.coset("b"), engine.coset("c")] as const;
      const { scalars } = engine.join(...parts);
      expect(parts.map(({ length }) => length)).to.deep.equal([0, 0, 0]); // given back, wiped
      engine.scalars(scalars);
      for (const of of order.slice(first)) sum(of);
      if (wipe) engine.wipe();
      const secrets = new Set<string>();
      const add = (bytes: Buffer): void => void secrets.add(bytes.subarray(0, 8).toString("latin1"));
      for (const value of [
        ...all.slice(2),
        ...Array.from({ length: 1024 }, (_, i) => big(scalars.subarray(32 * i, 32 * i + 32))),
      ]) {
        // A value of few bytes could be anything.
        if (value < 1n << 240n) continue;
        const bytes = Buffer.from(littleEndian(value));
        for (const at of [0, 8, 16]) add(bytes.subarray(at));
        for (let limb = 0n; limb < 4n; limb++) {
          const float = Buffer.alloc(8);
          float.writeDoubleLE(Number((value >> (51n * limb)) & ((1n << 51n) - 1n)));
          add(float);
        }
      }
      const memory = Buffer.from(kernel.memory.buffer);
      let found = 0;
      for (let at = 0; at < memory.length; at += 8) if (secrets.has(memory.toString("latin1", at, at + 8))) found++;
      return found;
    }

    it("leaves nothing of a witness or of the quotient in a thread's memory", async () => {
      const orders: readonly (readonly Sum[])[] = [
        ["b", "a", "c", "h"],
        ["h", "c", "b", "a"],
      ];
      for (const order of orders) {
        for (const cacheBytes of [0, 2 ** 26])
          for (const first of [1, 4]) expect(await prove(cacheBytes, order, first, true)).to.equal(0);
      }
      expect(await prove(2 ** 26, ["b", "a"], 1, false)).to.be.above(1000);
    });
  });

  it("fails the self-test as unsupported also when wrong arithmetic ends in an error", async () => {
    const kernel = instantiate(await compile());
    const broken: readonly (keyof Kernel)[] = ["join", "unpackValues", "rows", "openTerms", "scale", "sortTerms"];
    for (const name of broken) {
      const refusal = await refusalOf(() => selfTest({ ...kernel, [name]: () => 0 }));
      expect(refusal.code, name).to.equal("unsupported");
    }
    selfTest(kernel);
  });
});
