// The claim in the open: committed vectors against circomlibjs, against circom's own witness program, and against the
// project's code. UPDATE_SNAPSHOTS=1 writes them anew; Solidity's half of v has its vectors in claim.json.
import { buildPoseidon } from "circomlibjs";
import { expect } from "chai";
import fs from "node:fs";
import { claimOf, claimWords } from "../../node/circuit/claim.ts";
import { newSalt, privateCommitment, saltOfBytes, saltToBytes } from "../../node/core/commitment.ts";
import { NodeError } from "../../node/core/errors.ts";
import { R } from "../../node/core/field.ts";
import { RATE, poseidon16, sponge } from "../../node/core/poseidon.ts";
import { fingerprint, wordsOfBytes } from "../../node/core/tensor.ts";
import { gadgetProgram, programOf } from "../support/r1csCircom.ts";
import { randomOf, whole } from "../support/nets.ts";

const FILE = new URL("../vectors/sponge.json", import.meta.url);

interface Vectors {
  readonly sponges: readonly { readonly words: readonly string[]; readonly c: string }[];
  readonly claims: readonly {
    readonly input: string;
    readonly output: string;
    readonly r: string;
    readonly c: string;
    readonly v: string;
  }[];
  /** Of private inputs: c is of salt and input. */
  readonly commitments: readonly { readonly salt: string; readonly input: string; readonly c: string }[];
}

/** Lengths at the borders of a word (31 bytes) and of a block (15 words, 465 bytes). */
const LENGTHS: readonly (readonly [input: number, output: number])[] = [
  [1, 1],
  [30, 4],
  [31, 31],
  [32, 62],
  [63, 40],
  [434, 31],
  [434, 32],
  [465, 1],
  [784, 40],
];

function generated(): Vectors {
  const random = randomOf(2024);
  const hex = (bytes: number): string => Array.from({ length: bytes }, () => whole(random, 0, 255).toString(16).padStart(2, "0")).join(""); // prettier-ignore
  const element = (): bigint => BigInt(`0x${hex(32)}`) % R;
  const words = [[], [0n], [1n], [R - 1n], ...[2, 14, 15, 16, 30, 31].map((n) => Array.from({ length: n }, element))];
  const challenges = [0n, 1n, R - 1n];
  const salts = [0n, R - 1n];
  return {
    sponges: words.map((list) => ({ words: list.map(String), c: sponge(list).toString() })),
    claims: LENGTHS.map(([inputLength, outputLength], i) => {
      const [input, output, r] = [hex(inputLength), hex(outputLength), challenges[i] ?? element()];
      const { c, v } = claimOf(Buffer.from(input, "hex"), Buffer.from(output, "hex"), r);
      return { input, output, r: r.toString(), c: c.toString(), v: v.toString() };
    }),
    // 434 bytes are 14 words: with the salt, one block
    commitments: [1, 31, 32, 434, 435, 784].map((length, i) => {
      const [salt, input] = [salts[i] ?? element(), hex(length)];
      return { salt: salt.toString(), input, c: privateCommitment(salt, Buffer.from(input, "hex")).toString() };
    }),
  };
}

describe("the claim's vectors", function () {
  this.timeout(60_000);
  if (process.env["UPDATE_SNAPSHOTS"] === "1") fs.writeFileSync(FILE, `${JSON.stringify(generated(), null, 2)}\n`);
  const vectors = JSON.parse(fs.readFileSync(FILE, "utf8")) as Vectors;
  const claims = vectors.claims.map(({ input, output, r, c, v }) => {
    const bytes = { input: Buffer.from(input, "hex"), output: Buffer.from(output, "hex") };
    return { ...bytes, words: claimWords(bytes.input, bytes.output), r: BigInt(r), c: BigInt(c), v: BigInt(v) };
  });

  it("are what the project's own code gives", () => {
    expect(generated()).to.deep.equal(vectors);
  });

  it("have c by circomlibjs, and another c for a word more, a word less, or two words swapped", async () => {
    const poseidon = await buildPoseidon();
    const reference = (words: readonly bigint[]): bigint => {
      let h = 0n;
      for (let i = 0; i < words.length; i += RATE) {
        const block = Array.from({ length: RATE }, (_, k) => words[i + k] ?? 0n);
        h = poseidon.F.toObject(poseidon([h, ...block]));
      }
      return h;
    };
    for (const { words, c } of vectors.sponges) expect(reference(words.map(BigInt))).to.equal(BigInt(c));
    for (const { salt, input, c } of vectors.commitments) {
      const words = wordsOfBytes(Buffer.from(input, "hex"));
      expect(reference([BigInt(salt), ...words])).to.equal(BigInt(c));
      expect(reference([...words, BigInt(salt)])).to.not.equal(BigInt(c));
      expect(privateCommitment((BigInt(salt) + 1n) % R, Buffer.from(input, "hex"))).to.not.equal(BigInt(c));
    }
    for (const { words, c } of claims) {
      expect(reference(words)).to.equal(c);
      for (const other of [[...words, 1n], words.slice(1), [...words.slice(1), words[0]!]]) {
        expect(sponge(other)).to.not.equal(c);
      }
    }
  });

  it("have c and v by circom's own witness programs of Poseidon(16) and Horner", async () => {
    const source = `pragma circom 2.1.6;\ninclude "circomlib/poseidon.circom";\ncomponent main = Poseidon(16);\n`;
    const hash = await programOf(source, "--O1");
    const step = await gadgetProgram({ template: "Horner", params: [] });
    for (const { words, r, c, v } of claims) {
      let h = 0n;
      for (let i = 0; i < words.length; i += RATE) {
        const inputs = [h, ...Array.from({ length: RATE }, (_, k) => words[i + k] ?? 0n)];
        h = hash.run({ inputs })[hash.wireOf.get("out")!]!;
        expect(h).to.equal(poseidon16(inputs));
      }
      expect(h).to.equal(c);
      const power = words.reduceRight((t, w) => step.run({ t: [t], w: [w], r: [r] })[step.wireOf.get("o")!]!, 0n);
      expect(power).to.equal(v);
    }
  });

  it("hide an input under a salt that has one spelling and is drawn from the whole field", () => {
    const [input, output] = [Uint8Array.of(1, 2, 3), Uint8Array.of(4)];
    const own = claimOf(input, output, 5n, 77n);
    expect(own).to.deep.equal({ c: privateCommitment(77n, input), v: fingerprint(wordsOfBytes(output), 5n, R) });
    expect(own.v).to.not.equal(claimOf(input, output, 5n).v);
    expect(claimOf(input, Uint8Array.of(5), 5n, 77n).c, "c is of the input alone").to.equal(own.c);

    const ends = [0n, 1n, R - 1n];
    for (const salt of ends) expect(saltOfBytes(saltToBytes(salt))).to.equal(salt);
    const refused = [saltToBytes(R), new Uint8Array(32).fill(255), saltToBytes(1n).subarray(1), new Uint8Array(33)];
    for (const bytes of refused) expect(() => saltOfBytes(bytes)).to.throw(NodeError, "field element");

    // drawn again until below R: 2^254 - 1 and R are not, R - 1 is
    const drawn = [new Uint8Array(32).fill(255), saltToBytes(R), saltToBytes(R - 1n)];
    const draw = (): bigint => newSalt((bytes) => bytes.set(drawn.shift() as Uint8Array));
    expect(draw()).to.equal(R - 1n);
    expect(drawn).to.deep.equal([]);
    const many = Array.from({ length: 64 }, () => newSalt());
    expect(new Set(many).size).to.equal(64);
    expect(many.some((salt) => salt > R / 2n) && many.some((salt) => salt < R / 2n)).to.equal(true);
  });

  it("have another c and, but for r = 0, another v for one bit of input or output flipped", () => {
    for (const { input, output, r, c, v } of claims) {
      for (const bytes of [input, output]) {
        bytes[bytes.length - 1]! ^= 1;
        const other = claimOf(input, output, r);
        expect(other.c).to.not.equal(c);
        expect(other.v === v).to.equal(r === 0n);
        bytes[bytes.length - 1]! ^= 1;
      }
    }
  });
});
