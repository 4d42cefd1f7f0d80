// Keys and witnesses as the prover takes them: right ones to the last byte, and everything next to them refused.
import { expect } from "chai";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Q, R } from "../../../node/core/field.ts";
import { type ProvingKey, publicSignals, readKey, readWitness } from "../../../node/groth16/key.ts";
import { bytesSource, openSource } from "../../../node/groth16/source.ts";
import { littleEndian, openZkey } from "../../../node/proof/zkey.ts";
import { binFile, type RawSection, sectionsOf, valuesOf, wtnsBytes } from "../../support/circuits-small.ts";
import { refusalOf, smallKey, workFolder } from "../../support/keys.ts";

const keyOf = (bytes: Uint8Array): ProvingKey => readKey(bytesSource(bytes, "key"));

type Change = (bytes: Buffer) => Buffer | undefined;
/** `file` with the section `id` changed. */
const changed = (file: Buffer, magic: string, version: number, id: number, change: Change): Buffer =>
  binFile(
    magic,
    version,
    sectionsOf(file).map((section) =>
      section.id === id ? { id, bytes: change(section.bytes) ?? section.bytes } : section,
    ),
  );

describe("a key for the prover", () => {
  const folder = workFolder();
  after(() => folder.remove());
  let path: string;
  let good: Buffer;
  let key: ProvingKey;
  before(async () => {
    path = (await smallKey(folder.path, { padding: 9 })).zkey;
    good = readFileSync(path);
    key = keyOf(good);
  });

  const refused = async (bytes: Buffer, pattern: RegExp, name: string): Promise<void> => {
    const refusal = await refusalOf(() => keyOf(bytes));
    expect(refusal.code, name).to.equal("input");
    expect(refusal.message, name).to.match(pattern);
    expect(refusal.message, name).to.match(/^key: /);
  };
  const put = (id: number, at: number, ...values: number[]): Buffer =>
    changed(good, "zkey", 1, id, (bytes) => void values.forEach((value, i) => bytes.writeUInt32LE(value, at + 4 * i)));
  const rebuilt = (change: (sections: RawSection[]) => RawSection[]): Buffer =>
    binFile("zkey", 1, change(sectionsOf(good)));

  it("has the header and sections that are in the file", () => {
    const source = openSource({ kind: "path", path });
    expect(readKey(source)).to.deep.equal(key);
    source.close();
    const { file, header } = openZkey(path);
    expect(key).to.deep.include(header);
    expect([key.wires, key.publics, key.domain]).to.deep.equal([18, 3, 32]);
    const ids = { ic: 3, terms: 4, a: 5, b1: 6, b2: 7, c: 8, h: 9 } as const;
    for (const [name, id] of Object.entries(ids)) {
      expect(key.sections[name as keyof typeof ids], name).to.deep.equal(file.section(id));
    }
    file.close();
    const terms = good.subarray(key.sections.terms.offset, key.sections.terms.offset + key.sections.terms.size);
    expect(terms.readUInt32LE(0)).to.equal(key.terms);
    expect(key.terms).to.be.above(30);
    expect(structuredClone(key)).to.deep.equal(key);
  });

  it("keeps no view of the file, which may be large or be shared", () => {
    for (const name of ["alpha1", "beta1", "beta2", "gamma2", "delta1", "delta2"] as const) {
      expect(key[name].buffer.byteLength, name).to.equal(key[name].length);
    }
  });

  it("may have its sections in any order, and others besides", () => {
    const backwards = rebuilt((sections) => [{ id: 77, bytes: Buffer.alloc(5) }, ...sections.reverse()]);
    const found = keyOf(backwards);
    expect({ ...found, sections: {} }).to.deep.equal({ ...key, sections: {} });
    for (const [name, { offset, size }] of Object.entries(found.sections)) {
      const before = key.sections[name as keyof typeof key.sections];
      expect(backwards.subarray(offset, offset + size)).to.deep.equal(
        good.subarray(before.offset, before.offset + before.size),
      );
    }
  });

  it("is refused when it ends early, at whatever byte", async () => {
    for (let length = 0; length < good.length; length++) {
      await refused(good.subarray(0, length), /truncated/, `${length} bytes`);
    }
    await refused(Buffer.concat([good, Buffer.alloc(1)]), /has 1 bytes after its last section/, "one more");
  });

  it("is refused with any bit of its sizes, primes, magic, version or kind changed", async () => {
    for (let bit = 0; bit < 8 * 84; bit++) {
      const flip: Change = (bytes) => void (bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7)));
      const place = bit >> 3;
      const pattern = place < 72 ? /another curve/ : /impossible sizes|section \d has \d+ bytes/;
      await refused(changed(good, "zkey", 1, 2, flip), pattern, `bit ${bit & 7} of byte ${place}`);
    }
    for (let bit = 0; bit < 8 * 12; bit++) {
      const bytes = Buffer.from(good);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      const pattern = [/not a \.zkey file/, /version/, /bytes after|truncated|claims/][Math.floor(bit / 32)] as RegExp;
      await refused(bytes, pattern, `bit ${bit} of the file`);
    }
  });

  it("is refused when it is of another proof system, field or curve", async () => {
    for (const kind of [0, 2, 10]) await refused(put(1, 0, kind), /is not a Groth16 key/, `kind ${kind}`);
    await refused(
      changed(good, "zkey", 1, 1, () => Buffer.from([1, 0, 0, 0, 0])),
      /not a Groth16 key/,
      "a longer kind",
    );
    const primes: readonly (readonly [bigint, bigint])[] = [
      [R, R],
      [Q, Q],
      [R, Q],
      [Q, R + 1n],
      [Q + 2n, R],
    ];
    for (const [q, r] of primes) {
      const bytes = changed(good, "zkey", 1, 2, (header) => {
        header.set(littleEndian(q), 4);
        header.set(littleEndian(r), 40);
      });
      await refused(bytes, /is over another curve than BN254/, `${q}, ${r}`);
    }
    // BLS12-381: coordinates of 48 bytes, and so a longer header.
    const bls = changed(good, "zkey", 1, 2, () => Buffer.alloc(4 + 48 + 4 + 32 + 12 + 3 * 96 + 3 * 192));
    await refused(bls, /key header of 964 bytes, not 660/, "BLS12-381");
    await refused(wtnsBytes([1n]), /is not a \.zkey file/, "a witness");
  });

  it("is refused with a section one byte longer or shorter, missing or twice", async () => {
    for (const { id, bytes } of sectionsOf(good).filter((section) => section.id < 10)) {
      const sized = (change: Change): Buffer => changed(good, "zkey", 1, id, change);
      const pattern = /is not a Groth16 key|key header of|section \d has|does not have the length it states/;
      await refused(
        sized((b) => b.subarray(1)),
        pattern,
        `section ${id} shorter`,
      );
      await refused(
        sized((b) => Buffer.concat([b, Buffer.alloc(1)])),
        pattern,
        `section ${id} longer`,
      );
      await refused(
        sized(() => Buffer.alloc(0)),
        pattern,
        `section ${id} empty`,
      );
      await refused(
        rebuilt((sections) => sections.filter((section) => section.id !== id)),
        new RegExp(`has no section ${id}`),
        `section ${id} missing`,
      );
      await refused(
        rebuilt((sections) => [...sections, { id, bytes }]),
        new RegExp(`repeats section ${id}`),
        `${id} twice`,
      );
    }
  });

  it("is refused with sizes that no circuit has, or that memory has not, before any is taken", async () => {
    const huge = 2 ** 32 - 1;
    const cases: readonly (readonly [string, Buffer, RegExp])[] = [
      ["an empty domain", put(2, 80, 0), /a domain of 0/],
      ["a domain that is no power of two", put(2, 80, 31), /a domain of 31/],
      ["a domain beyond the field's roots", put(2, 80, 2 ** 28), /a domain of 268435456/],
      ["half the domain", put(2, 80, 16), /section 9 has 2048 bytes, not 1024/],
      ["the largest domain", put(2, 80, 2 ** 27), /section 9 has 2048 bytes, not 8589934592/],
      ["no wires", put(2, 72, 0), /0 wires/],
      ["fewer wires than public signals", put(2, 72, 3, 3), /3 wires, 3 public/],
      ["a wire more", put(2, 72, 19), /section 5 has 1152 bytes, not 1216/],
      ["all wires that can be", put(2, 72, huge), /section 5 has 1152 bytes, not 274877906880/],
      ["all public signals that can be", put(2, 72, huge, huge - 1), /section 3 has 256 bytes, not 274877906880/],
      ["one public signal too many to be", put(2, 72, huge, huge), /impossible sizes/],
      ["a term more than there are", put(4, 0, key.terms + 1), /section 4 does not have the length/],
      ["all terms that can be", put(4, 0, huge), /section 4 does not have the length/],
    ];
    for (const [name, bytes, pattern] of cases) await refused(bytes, pattern, name);
    const count = (value: number): Buffer => {
      const bytes = Buffer.from(good);
      bytes.writeUInt32LE(value, 8);
      return bytes;
    };
    await refused(count(65), /claims 65 sections/, "sections");
    await refused(count(huge), /claims 4294967295 sections/, "sections");
    for (const length of [2n ** 64n - 1n, 2n ** 63n, 2n ** 53n + 1n, BigInt(good.length - 23)]) {
      const bytes = Buffer.from(good);
      bytes.writeBigUInt64LE(length, 16);
      await refused(bytes, /truncated: section 1 claims/, `a section of ${length} bytes`);
    }
  });
});

describe("a witness for the prover", () => {
  const seed = Number(process.env["SEED"] ?? Date.now() % 1e6);
  let drawn = 0;
  const noise = (): Buffer => createHash("sha512").update(`${seed} ${drawn++}`).digest();
  const below = (limit: bigint): bigint => BigInt(`0x${noise().toString("hex")}`) % limit;
  const WIRES = 12;
  const values = [1n, 0n, R - 1n, ...Array.from({ length: WIRES - 3 }, () => below(R))];
  const good = wtnsBytes(values);
  const read = (bytes: Uint8Array, wires = WIRES): Uint8Array => readWitness(bytesSource(bytes, "wtns"), wires);
  const refused = async (bytes: Buffer, pattern: RegExp, name: string): Promise<void> => {
    const refusal = await refusalOf(() => read(bytes));
    expect(refusal.code, name).to.equal("input");
    expect(refusal.message, name).to.match(pattern);
  };
  /** The file with one value that need not be reduced. */
  const withValue = (wire: number, value: bigint): Buffer =>
    changed(good, "wtns", 2, 2, (bytes) => void bytes.set(littleEndian(value), 32 * wire));

  it(`has the values that are in the file (SEED=${seed})`, () => {
    const found = read(good);
    expect(found).to.have.length(32 * WIRES);
    expect(publicSignals(found, WIRES - 1)).to.deep.equal(values.slice(1));
    expect(publicSignals(found, 2)).to.deep.equal([0n, R - 1n]);
    expect(publicSignals(found, 0)).to.deep.equal([]);
    expect(valuesOf(good)).to.deep.equal(values);
    expect(read(wtnsBytes([1n]), 1)).to.have.length(32);
  });

  it("is read where it lies, at any address, or to where it is wanted", () => {
    for (let shift = 0; shift < 9; shift++) {
      const memory = new Uint8Array(good.length + 9);
      memory.set(good, shift);
      const source = bytesSource(memory.subarray(shift, shift + good.length), "wtns");
      const found = readWitness(source, WIRES);
      expect(found.buffer).to.equal(memory.buffer);
      const target = new Uint8Array(new SharedArrayBuffer(32 * WIRES + 16), 8, 32 * WIRES);
      expect(readWitness(source, WIRES, target)).to.equal(target);
      expect([...target]).to.deep.equal([...found]);
      expect(publicSignals(target, WIRES - 1)).to.deep.equal(values.slice(1));
    }
  });

  it("is checked also where it was wanted", async () => {
    const target = new Uint8Array(32 * WIRES);
    const refusal = await refusalOf(() => readWitness(bytesSource(withValue(4, R), "wtns"), WIRES, target));
    expect(refusal.message).to.match(/wire 4/);
  });

  it("may be of version 1 and have its sections in any order", async () => {
    const sections = sectionsOf(good);
    for (const file of [binFile("wtns", 1, sections), binFile("wtns", 2, sections.reverse())]) {
      expect([...read(file)]).to.deep.equal([...read(good)]);
    }
    await refused(binFile("wtns", 3, sections), /version 3 of \.wtns/, "version 3");
    await refused(binFile("wtns", 2, [...sections, ...sections]), /repeats section/, "twice");
  });

  it("is refused when it is of another circuit: one wire fewer or one more", async () => {
    for (const other of [values.slice(0, -1), [...values, 1n], [1n], []]) {
      const refusal = await refusalOf(() => read(wtnsBytes(other)));
      expect(refusal.message).to.equal(`wtns: has ${other.length} values, not one for each of the key's 12 wires`);
      expect(refusal.mend).to.contain("another circuit");
    }
  });

  it("is refused with any bit of its header changed, and at whatever byte it ends", async () => {
    for (let bit = 0; bit < 8 * 40; bit++) {
      const flip: Change = (bytes) => void (bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7)));
      await refused(changed(good, "wtns", 2, 1, flip), bit < 288 ? /another field/ : /values, not one/, `bit ${bit}`);
    }
    for (let length = 0; length < good.length; length++) {
      await refused(good.subarray(0, length), /truncated/, `${length} bytes`);
    }
    for (const change of [(b: Buffer) => b.subarray(1), (b: Buffer) => Buffer.concat([b, Buffer.alloc(1)])]) {
      await refused(changed(good, "wtns", 2, 1, change), /header of \d+ bytes, not 40/, "header");
      await refused(changed(good, "wtns", 2, 2, change), /12 values in 38[35] bytes, not 384/, "values");
    }
  });

  it(`is refused with a value that is not reduced, whichever wire it is of (SEED=${seed})`, async () => {
    const wrong = [R, R + 1n, Q, 2n ** 254n, 2n ** 256n - 1n, R + (1n << 248n), R + below(2n ** 256n - R)];
    for (let wire = 1; wire < WIRES; wire++) {
      for (const value of wrong) {
        await refused(withValue(wire, value), new RegExp(`wire ${wire} is not below`), `${value} at ${wire}`);
      }
      // The nearest that are right: all that share R's top byte, down to none.
      for (const value of [R - 1n, R - 2n ** 64n, (R >> 248n) << 248n, ((R >> 248n) << 248n) - 1n, below(R), 0n]) {
        expect(publicSignals(read(withValue(wire, value)), WIRES - 1)[wire - 1]).to.equal(value);
      }
    }
  });

  it("is refused when the first value is not one", async () => {
    for (const value of [0n, 2n, R - 1n, R + 1n, 1n + (1n << 255n)]) {
      await refused(withValue(0, value), /the value of wire 0 is not 1/, `${value}`);
    }
  });

  it("is refused when it is something else", async () => {
    await refused(noise(), /not a \.wtns file/, "noise");
    await refused(wtnsBytes([]), /has 0 values/, "no values");
    await refused(binFile("wtns", 2, []), /has no section 1/, "no sections");
    await refused(binFile("wtns", 2, sectionsOf(good).slice(0, 1)), /has no section 2/, "no values' section");
  });
});
