// The stored answers of the start-up self-test: made from public parts, checked by other programs, and each part of the test
// fails when the arithmetic under it is off. UPDATE_SNAPSHOTS=1 writes node/groth16/selftest-vector.ts anew.
import { expect } from "chai";
import fs from "node:fs";
import * as snarkjs from "snarkjs";
import { NodeError } from "../../../node/core/errors.ts";
import { R } from "../../../node/core/field.ts";
import { compile, instantiate, type Kernel } from "../../../node/groth16/module.ts";
import { toSnarkjs } from "../../../node/groth16/proof.ts";
import { openRawProver } from "../../../node/groth16/prover.ts";
import { selfTest, testScalars } from "../../../node/groth16/selftest.ts";
import { localCurve } from "../../../node/groth16/curve.ts";
import { vkeyToSnarkjs } from "../../../node/proof/vkey.ts";
import { sectionsOf } from "../../support/circuits-small.ts";
import { type SmallKey, smallKey, workFolder } from "../../support/keys.ts";

const FILE = "node/groth16/selftest-vector.ts";
const BLINDING = { r: R - 12345n, s: R / 7n };
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

describe("the prover's self-test", function () {
  this.timeout(60_000);
  const folder = workFolder();
  let key: SmallKey;
  let witness: Uint8Array;
  let kernel: Kernel;

  before(async () => {
    key = await smallKey(folder.path, { padding: 8 });
    witness = key.witness(R - 5n, R / 3n);
    kernel = instantiate(await compile());
  });
  after(async () => {
    folder.remove();
    await (globalThis as { curve_bn128?: { terminate(): Promise<void> } }).curve_bn128?.terminate(); // snarkjs' threads
  });

  async function vector(): Promise<string> {
    const prover = openRawProver({ threads: 1, selfTest: false });
    const proved = await prover.prove(
      { kind: "path", path: key.zkey },
      { kind: "bytes", bytes: witness.slice(), name: "witness" },
      { blinding: BLINDING },
    );
    await prover.close();
    const zkey = fs.readFileSync(key.zkey);
    const points = sectionsOf(zkey).find(({ id }) => id === 9)?.bytes as Buffer;
    const { G1 } = await localCurve();
    const repeated = Buffer.concat(Array.from({ length: 8 }, () => points));
    const sum = G1.toAffine(await G1.multiExpAffine(repeated, testScalars(repeated.length / 64)));
    const text = {
      key: base64(zkey),
      witness: base64(witness),
      points: base64(points),
      sum: base64(sum),
      blinding: { r: String(BLINDING.r), s: String(BLINDING.s) },
      proof: { a: base64(proved.points.a), b: base64(proved.points.b), c: base64(proved.points.c) },
    };
    return (
      "// Made by test/node/groth16/selftest.test.ts, and compared with what it makes: a key and a witness of a small circuit,\n" +
      "// the sum of its points of H times fixed scalars, and its proof for fixed blinding. All public.\n" +
      `export const VECTOR = ${JSON.stringify(text, null, 2)} as const;\n`
    );
  }

  it("has the answers that this test makes", async () => {
    const made = await vector();
    if (process.env["UPDATE_SNAPSHOTS"] !== undefined) fs.writeFileSync(FILE, made);
    const stored = fs.readFileSync(FILE, "utf8");
    const strip = (text: string): string => text.replace(/[\s,"]/g, "");
    expect(strip(stored)).to.equal(strip(made));
  });

  it("has a proof that snarkjs accepts, and not for another signal", async () => {
    const { VECTOR } = await import("../../../node/groth16/selftest-vector.ts");
    const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "base64"));
    const proof = toSnarkjs({ a: bytes(VECTOR.proof.a), b: bytes(VECTOR.proof.b), c: bytes(VECTOR.proof.c) });
    const [c, v, r] = [(R - 5n) ** 3n + 5n, (R - 5n) * (R / 3n) + (R - 5n) ** 2n, R / 3n].map((x) => String(x % R));
    const vkey = vkeyToSnarkjs(key.vkey);
    expect(await snarkjs.groth16.verify(vkey, [c, v, r] as string[], proof)).to.equal(true);
    expect(await snarkjs.groth16.verify(vkey, [c, r, v] as string[], proof)).to.equal(false);
  });

  it("passes on this engine, again and again", () => {
    for (let i = 0; i < 3; i++) selfTest(kernel);
  });

  const broken: readonly (readonly [string, RegExp, (kernel: Kernel) => Partial<Kernel>])[] = [
    [
      "a product is off by one unit in the last place, as without fusing",
      /products/,
      (k) => ({
        mul: (m, a, b, r) => {
          k.mul(m, a, b, r);
          const limbs = new Float64Array(k.memory.buffer, r, 10);
          if (limbs[4] !== 0) limbs[0] = (limbs[0] as number) + 1;
        },
      }),
    ],
  ];
  for (const [name, message, patch] of broken) {
    it(`fails when ${name}`, () => {
      const thrown = ((): unknown => {
        try {
          return selfTest({ ...kernel, ...patch(kernel) });
        } catch (error) {
          return error;
        }
      })();
      expect(thrown).to.be.instanceOf(NodeError);
      expect((thrown as NodeError).code).to.equal("unsupported");
      expect((thrown as NodeError).message).to.match(message);
    });
  }
});
