// Development keys and their cache: snarkjs accepts them, they are the same everywhere, and malformed circuits are refused.
import { expect } from "chai";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import * as snarkjs from "snarkjs";
import { Q, R } from "../../../node/core/field.ts";
import type { Progress } from "../../../node/core/ports.ts";
import { developmentKey } from "../../../node/proof/cache.ts";
import { sha256File } from "../../../node/proof/files.ts";
import { openR1cs } from "../../../node/proof/r1cs.ts";
import { makeDevelopmentKey } from "../../../node/proof/setup.ts";
import { soundVerifyingKey, vkeyFromSnarkjs } from "../../../node/proof/vkey.ts";
import { openZkey } from "../../../node/proof/zkey.ts";
import { binFile, r1csBytes, satisfies, sectionsOf, smallCircuit, wtnsBytes } from "../../support/circuits-small.ts";
import { endSnarkjsThreads, groth16Threads, refusalOf, smallKey, workFolder } from "../../support/keys.ts";

async function until(holds: () => boolean, ms: number): Promise<number> {
  const start = performance.now();
  while (!holds() && performance.now() - start < ms) await new Promise((resolve) => setTimeout(resolve, 5));
  return performance.now() - start;
}

describe("development keys", function () {
  this.timeout(30_000);
  const folder = workFolder();
  after(async () => {
    await endSnarkjsThreads();
    folder.remove();
  });

  for (const padding of [0, 8, 200]) {
    it(`serve snarkjs to prove and verify a circuit with ${padding} bits more`, async () => {
      const key = await smallKey(folder.path, { padding, name: `p${padding}` });
      const witness = { type: "mem", data: key.witness(31n, R - 1n) } as const;
      const made = await snarkjs.groth16.prove(key.zkey, witness);
      const json = await snarkjs.zKey.exportVerificationKey(key.zkey);
      expect(await snarkjs.groth16.verify(json, made.publicSignals, made.proof)).to.equal(true);
      expect(vkeyFromSnarkjs(json)).to.deep.equal(key.vkey);
      await soundVerifyingKey(key.vkey);
    });
  }

  it("prove nothing from a witness that breaks one row", async () => {
    const { circuit, witness } = smallCircuit({ padding: 8 });
    const key = await smallKey(folder.path, { padding: 8, name: "broken" });
    const json = await snarkjs.zKey.exportVerificationKey(key.zkey);
    for (const wire of [1, 2, 5, 6, 7, 15]) {
      const values = witness(31n, 7n);
      values[wire] = (values[wire] as bigint) + 2n;
      expect(satisfies(circuit, values), `wire ${wire}`).to.equal(false);
      const data = new Uint8Array(wtnsBytes(values));
      const made = await snarkjs.groth16.prove(key.zkey, { type: "mem", data });
      expect(await snarkjs.groth16.verify(json, made.publicSignals, made.proof), `wire ${wire}`).to.equal(false);
    }
  });

  it("are the same bytes for the same circuit and seed, and others for another seed or circuit", async () => {
    const bytes = async (name: string, options: object): Promise<Buffer> =>
      readFileSync((await smallKey(folder.path, { name, ...options })).zkey);
    const first = await bytes("one", { padding: 16 });
    expect(await bytes("two", { padding: 16 })).to.deep.equal(first);
    expect(await bytes("three", { padding: 16, seed: "another" })).not.to.deep.equal(first);
    expect(await bytes("four", { padding: 16, k: 1 })).not.to.deep.equal(first);
  });

  it("are the bytes that they were when they were first made, with ffjavascript, on 1, 2 and 3 threads", async () => {
    const PINNED = [
      [0, "26c635edf49a3f5f6d6872d500b3b021cf2c8ef6f38ef51fb1b6c70195391578"],
      [7000, "1cf757a29da3a69e7cca7867da9c49298a18885b629b1aca52805de3f2485166"],
    ] as const;
    for (const [padding, digest] of PINNED) {
      const r1cs = folder.at(`pinned${padding}.r1cs`);
      writeFileSync(r1cs, r1csBytes(smallCircuit({ padding }).circuit));
      for (const threads of [1, 2, 3]) {
        const zkey = folder.at("pinned.zkey");
        await makeDevelopmentKey({ r1cs, zkey, threads });
        expect(await sha256File(zkey), `${padding} bits more, ${threads} threads`).to.equal(digest);
      }
    }
  });

  it("end their threads on an abort, in the circuit's reading or in the making, and leave no file", async () => {
    const r1cs = folder.at("middle.r1cs");
    writeFileSync(r1cs, r1csBytes(smallCircuit({ padding: 20_000 }).circuit));
    const directory = folder.at("middle");
    const unhandled: unknown[] = [];
    const listen = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", listen);
    for (const during of ["reading the circuit", "making the development key"]) {
      const stop = new AbortController();
      let heard = 0;
      const onProgress = ({ what, done = 0 }: Progress): void => {
        if (what !== during || (what.startsWith("making") && done < 60_000)) return;
        if (heard++ === 0) expect(groth16Threads()).to.be.above(0);
        stop.abort();
      };
      const refusal = await refusalOf(() => developmentKey({ r1cs, directory, signal: stop.signal, onProgress }));
      expect([refusal.code, heard]).to.deep.equal(["aborted", 1]);
      expect(await until(() => groth16Threads() === 0, 2000), during).to.be.below(2000);
      expect(readdirSync(directory)).to.deep.equal([]);
    }
    // While threads are still starting, at several moments of it; and before.
    for (const delay of [0, 5, 20, 60]) {
      const signal = AbortSignal.timeout(delay);
      expect((await refusalOf(() => developmentKey({ r1cs, directory, signal }))).code).to.equal("aborted");
    }
    const signal = AbortSignal.abort();
    expect((await refusalOf(() => developmentKey({ r1cs, directory, signal }))).code).to.equal("aborted");
    expect(readdirSync(directory)).to.deep.equal([]);
    process.off("unhandledRejection", listen);
    expect(unhandled).to.deep.equal([]);
  });

  it("are not made where the engine lacks relaxed SIMD, which is said with a way out", async () => {
    const { r1cs } = await smallKey(folder.path, { padding: 8, name: "unfit" });
    const compile = WebAssembly.compile;
    const directory = folder.at("unfit");
    try {
      WebAssembly.compile = () => Promise.reject(new WebAssembly.CompileError("invalid simd opcode"));
      const refusal = await refusalOf(() => developmentKey({ r1cs, directory }));
      expect([refusal.code, refusal.mend]).to.deep.equal([
        "unsupported",
        "Make the keys on a machine with fused multiply-add (x86-64 since 2013, ARM64) and Node 20 or newer.",
      ]);
      expect(refusal.message).to.match(/keys cannot be made here: .*relaxed SIMD/);
    } finally {
      WebAssembly.compile = compile;
    }
    expect(readdirSync(directory)).to.deep.equal([]);
  });

  it("report progress, stop on abort, and leave nothing in the cache then", async () => {
    const { r1cs } = await smallKey(folder.path, { padding: 300, name: "abort" });
    const stop = new AbortController();
    const said: string[] = [];
    const directory = folder.at("aborted");
    const refusal = await refusalOf(() =>
      developmentKey({
        r1cs,
        directory,
        signal: stop.signal,
        onProgress: ({ what, done, total }) => {
          said.push(what);
          expect(done).to.be.at.most(total as number);
          if (what === "making the development key") stop.abort();
        },
      }),
    );
    expect(refusal.code).to.equal("aborted");
    expect(said).to.include("reading the circuit");
    expect(readdirSync(directory)).to.deep.equal([]);
  });

  it("come from the cache the second time, unless the kept bytes are damaged", async () => {
    const { r1cs } = await smallKey(folder.path, { padding: 16, name: "cached" });
    const directory = folder.at("cache");
    const first = await developmentKey({ r1cs, directory });
    expect(first.hit).to.equal(false);
    const second = await developmentKey({ r1cs, directory });
    expect(second).to.deep.equal({ ...first, hit: true });
    const good = readFileSync(first.zkey);
    for (const at of [0, good.length - 1]) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] as number) ^ 1;
      writeFileSync(first.zkey, bad);
      expect(await developmentKey({ r1cs, directory }), `byte ${at}`).to.deep.equal(first);
      expect(readFileSync(first.zkey)).to.deep.equal(good);
    }
    const other = await developmentKey({ r1cs, directory, seed: "another" });
    expect(other.zkey).not.to.equal(first.zkey);
    expect(other.digest).not.to.equal(first.digest);
  });

  it("come out equal where two callers make the same one at once", async () => {
    const { r1cs } = await smallKey(folder.path, { padding: 16, k: 2, name: "race" });
    const directory = folder.at("race");
    const both = await Promise.all([developmentKey({ r1cs, directory }), developmentKey({ r1cs, directory })]);
    expect(both[0].digest).to.equal(both[1].digest);
    expect((await developmentKey({ r1cs, directory })).hit).to.equal(true);
    expect(readdirSync(directory)).to.have.length(2);
  });
});

describe("a malformed .r1cs", () => {
  const folder = workFolder();
  after(() => folder.remove());
  const { circuit } = smallCircuit({ padding: 8 });
  const good = r1csBytes(circuit);

  const refuses = (name: string, bytes: Buffer, pattern: RegExp): void => {
    it(`is refused: ${name}`, async () => {
      const path = folder.at("bad.r1cs");
      writeFileSync(path, bytes);
      const refusal = await refusalOf(() => makeDevelopmentKey({ r1cs: path, zkey: folder.at("bad.zkey") }));
      expect(refusal.code).to.equal("input");
      expect(refusal.message).to.match(pattern);
    });
  };
  /** The file with one section changed. */
  const changed = (id: number, change: (bytes: Buffer) => Buffer): Buffer =>
    binFile(
      "r1cs",
      1,
      sectionsOf(good).map((section) => (section.id === id ? { id, bytes: change(section.bytes) } : section)),
    );
  const header = (at: number, value: number): Buffer =>
    changed(1, (bytes) => {
      bytes.writeUInt32LE(value, at);
      return bytes;
    });

  it("is not what the unchanged file is", async () => {
    const path = folder.at("good.r1cs");
    writeFileSync(path, good);
    const terms: unknown[] = [];
    const r1cs = openR1cs(path);
    await r1cs.terms(
      (...term) => terms.push(term),
      async () => undefined,
    );
    r1cs.close();
    expect(r1cs.header).to.deep.include({
      wires: 16,
      publics: 3,
      outputs: 2,
      publicInputs: 1,
      constraints: 13,
      power: 5,
    });
    const expected = circuit.rows.flatMap((row, i) =>
      row.flatMap((terms, matrix) => terms.map(([wire, value]) => [matrix, i, wire, BigInt(value)])),
    );
    const read = (terms as [number, number, number, number | bigint][]).map(([m, i, wire, v]) => [
      m,
      i,
      wire,
      BigInt(v),
    ]);
    expect(read).to.deep.equal(expected);
  });

  refuses("empty", Buffer.alloc(0), /truncated/);
  refuses("another magic", Buffer.concat([Buffer.from("zkey"), good.subarray(4)]), /not a \.r1cs file/);
  refuses("one byte short", good.subarray(0, -1), /truncated/);
  refuses("one byte long", Buffer.concat([good, Buffer.alloc(1)]), /after its last section/);
  refuses("version 2", Buffer.concat([good.subarray(0, 4), Buffer.from([2]), good.subarray(5)]), /version 2/);
  refuses("another field", r1csBytes(circuit, Q), /another field/);
  refuses("no constraints", r1csBytes({ ...circuit, rows: [] }), /no constraints/);
  refuses("more public signals than wires", header(40, 100), /cannot hold/);
  refuses("a row too many claimed", header(60, 14), /truncated: row 13/);
  refuses("a row too few claimed", header(60, 12), /follow the last row/);
  refuses("more rows than any domain", header(60, 2 ** 27), /too many/);
  refuses(
    "a wire out of range",
    r1csBytes({ ...circuit, rows: circuit.rows.with(3, [[[16, 1]], [], []]) }),
    /row 3 names wire 16 of 16/,
  );
  refuses(
    "a wire twice in one combination",
    r1csBytes({
      ...circuit,
      rows: circuit.rows.with(2, [
        [
          [4, 1],
          [4, 2],
        ],
        [],
        [],
      ]),
    }),
    /row 2 lists wire 4 twice/,
  );
  refuses(
    "a combination of more terms than wires",
    changed(2, (bytes) => {
      bytes.writeUInt32LE(17, 0);
      return bytes;
    }),
    /row 0 lists 17 of 16 wires/,
  );
  refuses(
    "a coefficient that is not reduced",
    changed(2, (bytes) => {
      Buffer.from(R.toString(16), "hex").reverse().copy(bytes, 8);
      return bytes;
    }),
    /row 0 has a coefficient that is not reduced/,
  );
  refuses(
    "a section twice",
    binFile("r1cs", 1, [...sectionsOf(good), { id: 1, bytes: Buffer.alloc(64) }]),
    /repeats section 1/,
  );
  refuses("more wires than it has labels for", header(36, 2 ** 31), /does not map its 2147483648 wires/);
  refuses("far more rows than bytes", header(60, 2 ** 26), /truncated: too short/);
  refuses("custom gates", binFile("r1cs", 1, [...sectionsOf(good), { id: 4, bytes: Buffer.alloc(4) }]), /custom gates/);
});

describe("coefficients of an .r1cs", () => {
  it("are read as what they are at every border of the short forms", async () => {
    const folder = workFolder();
    const borders = [1n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 64n, 2n ** 128n, R / 2n].flatMap((v) => [
      v - 1n,
      v,
      v + 1n,
    ]);
    const values = [...borders, ...borders.map((v) => -v)];
    const rows = values.map((value) => [[[1, value]], [], []] as const);
    const path = folder.at("borders.r1cs");
    writeFileSync(path, r1csBytes({ wires: 2, outputs: 0, publicInputs: 0, privateInputs: 1, rows }));
    const r1cs = openR1cs(path);
    const read: bigint[] = [];
    await r1cs.terms(
      (_, __, ___, value) => read.push(BigInt(value)),
      async () => undefined,
    );
    r1cs.close();
    folder.remove();
    const centre = (v: bigint): bigint => (v > R / 2n ? v - R : v <= -R / 2n - 1n ? v + R : v);
    expect(read).to.deep.equal(values.map(centre));
  });
});

describe("a malformed .zkey", () => {
  const folder = workFolder();
  after(() => folder.remove());

  it("is refused, whatever is wrong with it", async () => {
    const { zkey } = await smallKey(folder.path, { padding: 8 });
    const good = readFileSync(zkey);
    const path = folder.at("bad.zkey");
    const sections = sectionsOf(good);
    const without = (id: number): Buffer =>
      binFile(
        "zkey",
        1,
        sections.filter((section) => section.id !== id),
      );
    const cut = (id: number): Buffer =>
      binFile(
        "zkey",
        1,
        sections.map((s) => (s.id === id ? { id, bytes: s.bytes.subarray(0, -1) } : s)),
      );
    const cases: readonly (readonly [string, Buffer])[] = [
      ["empty", Buffer.alloc(0)],
      ["short", good.subarray(0, -1)],
      ["long", Buffer.concat([good, Buffer.alloc(1)])],
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((id) => [
        [`without section ${id}`, without(id)] as const,
        [`with section ${id} cut`, cut(id)] as const,
      ]),
    ];
    for (const [name, bytes] of cases) {
      writeFileSync(path, bytes);
      const refusal = await refusalOf(() => openZkey(path));
      expect(refusal.code, name).to.equal("input");
    }
    writeFileSync(path, good);
    openZkey(path).file.close();
  });
});
