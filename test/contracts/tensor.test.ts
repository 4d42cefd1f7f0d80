// Tensor.sol: which descriptions a registration may have, and what is read of an answer with them. Vectors of every type are
// in wire.test.ts.
import { expect } from "chai";
import type { BaseContract } from "ethers";
import { MODEL, modelFacts, openChain, view, type Chain, type ModelFacts, type Stage } from "../support/contracts.ts";
import { randomOf, whole } from "../support/nets.ts";

const SEED = 20300117;
const MAX_INT = 2n ** 255n - 1n;
const TYPES = [0x08, 0x10, 0x20, 0x88, 0x90, 0xa0];

const hex = (value: number, bytes: number): string => value.toString(16).padStart(2 * bytes, "0");
const part = (code: number, shape: readonly number[], exponent = 0): string =>
  hex(code, 1) + hex(exponent & 0xff, 1) + hex(shape.length, 1) + shape.map((dim) => hex(dim, 4)).join("");
const description = (inputs: readonly string[], outputs: readonly string[]): string =>
  `0x${hex(inputs.length, 1)}${hex(outputs.length, 1)}${[...inputs, ...outputs].join("")}`;
const sizeOf = (text: string): number => text.length / 2 - 1;
const byte = part(0x08, []);

interface Spec {
  readonly offset: number;
  readonly length: number;
  readonly size: number;
  readonly signed: boolean;
  readonly exponent: number;
}
const specOf = (over: Partial<Spec> = {}): Spec => ({
  offset: 0,
  length: 1,
  size: 4,
  signed: true,
  exponent: 0,
  ...over,
});

/** The bytes of `values`, each in `size` bytes, two's complement. */
const spelled = (values: readonly bigint[], size: number, offset = 0): string => {
  const elements = values.map((q) =>
    BigInt.asUintN(8 * size, q)
      .toString(16)
      .padStart(2 * size, "0"),
  );
  return `0x${"5a".repeat(offset)}${elements.join("")}`;
};

describe("Tensor", () => {
  let chain: Chain;
  let s: Stage;
  let tensor: BaseContract;
  before(async () => {
    chain = await openChain();
    s = await chain.stage();
    tensor = await s.deploy("TensorHarness");
  });
  const valid = (text: string, inputLength: number, outputLength: number): Promise<unknown> =>
    view(tensor, "validate", [text, inputLength, outputLength]);
  const denied = (done: Promise<unknown>, error: string, ...args: unknown[]): Promise<void> =>
    expect(done)
      .to.be.revertedWithCustomError(tensor, error)
      .withArgs(...args);

  describe("takes a description", () => {
    it("of every type, and refuses every other code", async () => {
      for (let code = 0; code < 256; code++) {
        const size = Math.floor((code & 0x7f) / 8);
        if (TYPES.includes(code)) await valid(description([part(code, [1, 3])], [byte]), 3 * size, 1);
        else await denied(valid(description([part(code, [1, 3])], [byte]), 3 * size, 1), "TensorTypeInvalid", 0, code);
      }
      await denied(valid(description([byte, byte], [byte, part(0x09, [])]), 2, 2), "TensorTypeInvalid", 3, 0x09);
    });

    it("of ranks from 0 to 8", async () => {
      for (let rank = 0; rank <= 8; rank++) {
        await valid(description([part(0x10, Array<number>(rank).fill(1))], [part(0x20, [])]), 2, 4);
      }
      for (const rank of [9, 10, 200]) {
        const shape = Array<number>(rank).fill(1);
        await denied(valid(description([byte, part(0x08, shape)], [byte]), 2, 1), "TensorRankTooHigh", 1, rank);
      }
    });

    it("whose dimensions are 1 and more", async () => {
      for (let axis = 0; axis < 8; axis++) {
        const shape = Array<number>(8).fill(1).with(axis, 0);
        await denied(valid(description([byte], [part(0x08, shape)]), 1, 1), "TensorDimensionZero", 1, axis);
        await valid(description([byte], [part(0x08, shape.with(axis, 2))]), 1, 2);
      }
    });

    it("whose tensors fill input and output to the byte", async () => {
      const text = description([part(0x90, [1, 3]), part(0x08, [5])], [part(0xa0, [2, 2]), byte]);
      await valid(text, 11, 17);
      for (const other of [0, 10, 12]) await denied(valid(text, other, 17), "TensorInputLengthMismatch", 11, other);
      for (const other of [0, 16, 18]) await denied(valid(text, 11, other), "TensorOutputLengthMismatch", 17, other);
      // The two may not be taken for each other.
      await denied(valid(text, 17, 11), "TensorInputLengthMismatch", 11, 17);
      await denied(valid(description([], [byte]), 1, 1), "TensorInputLengthMismatch", 0, 1);
      await denied(valid(description([byte], []), 1, 1), "TensorOutputLengthMismatch", 0, 1);
    });

    it("whose sizes are below 2^32 bytes, so that no product wraps around", async () => {
      const most = 2 ** 32 - 1;
      await valid(description([part(0x08, [most])], [byte]), most, 1);
      await valid(description([part(0x08, [most]), part(0x08, [most])], [byte]), 2 * most, 1);
      for (const shape of [
        [2 ** 16, 2 ** 16],
        [most, 2],
        [2, most],
        Array<number>(8).fill(2 ** 31),
        Array<number>(8).fill(most),
      ])
        // prettier-ignore
        await denied(valid(description([byte, part(0x08, shape)], [byte]), 1, 1), "TensorTooLarge", 1);
      await denied(valid(description([part(0x20, [2 ** 30])], [byte]), 0, 1), "TensorTooLarge", 0);
      await valid(description([part(0x20, [2 ** 30 - 1])], [byte]), 2 ** 32 - 4, 1);
      const all = Array<number>(8).fill(most); // of 4 bytes each: more than 2^256
      await denied(valid(description([part(0x20, all)], [byte]), 0, 1), "TensorTooLarge", 0);
    });

    it("that is whole: no beginning of one is one", async () => {
      const text = description([part(0x90, [1, 3], -8), byte], [part(0xa0, [2, 2], 3), part(0x08, [1])]);
      await valid(text, 7, 17);
      for (let length = 0; length < sizeOf(text); length++) {
        const cut = valid(text.slice(0, 2 + 2 * length), 7, 17);
        await expect(cut, `${length}`).to.be.revertedWithCustomError(tensor, "TensorsCutShort");
      }
      await denied(valid("0x01", 1, 1), "TensorsCutShort", 1, 2);
      await denied(valid(text.slice(0, -2), 7, 17), "TensorsCutShort", sizeOf(text) - 1, sizeOf(text));
    });

    it("that ends where it ends", async () => {
      const text = description([byte], [byte]);
      await valid(text, 1, 1);
      await denied(valid(`${text}00`, 1, 1), "TensorsNotEnded", 8, 9);
      await denied(valid(text + byte, 1, 1), "TensorsNotEnded", 8, 11);
    });

    it("of up to 1,024 bytes", async () => {
      const many = (inputs: number, outputs: number, dims: number): string =>
        description(
          [part(0x08, Array<number>(dims).fill(1)), ...Array<string>(inputs - 1).fill(byte)],
          Array<string>(outputs).fill(byte),
        );
      for (const [inputs, outputs, dims, size] of [
        [200, 139, 1, 1023],
        [200, 138, 2, 1024],
      ] as const) {
        expect(sizeOf(many(inputs, outputs, dims))).to.equal(size);
        await valid(many(inputs, outputs, dims), inputs, outputs);
      }
      expect(sizeOf(many(255, 86, 0))).to.equal(1025);
      await denied(valid(many(255, 86, 0), 255, 86), "TensorsTooLong", 1025);
    });
  });

  describe("keeps out of the registry", () => {
    const refuses = (over: Partial<ModelFacts>, error: string, ...args: unknown[]): Promise<void> =>
      expect(s.register({ facts: modelFacts({ sourceDigest: MODEL.quantizedDigest, ...over }) }))
        .to.be.revertedWithCustomError(s.registry, error)
        .withArgs(...args);
    const output = part(0x90, [1, 10], -8);

    it("descriptions that are none, or of other lengths than the model's", async () => {
      await refuses({ tensors: "0x" }, "TensorsCutShort", 0, 2);
      await refuses({ tensors: "0x0000" }, "TensorInputLengthMismatch", 0, 64);
      for (const length of [63, 65])
        await refuses({ tensors: description([part(0x08, [1, length])], [output]) }, "TensorInputLengthMismatch", length, 64); // prettier-ignore
      for (const length of [9, 11])
        await refuses({ tensors: description([part(0x08, [64])], [part(0x90, [length])]) }, "TensorOutputLengthMismatch", 2 * length, 20); // prettier-ignore
      await refuses(
        { tensors: `${MODEL.tensors}00` },
        "TensorsNotEnded",
        sizeOf(MODEL.tensors),
        sizeOf(MODEL.tensors) + 1,
      );
      await refuses({ tensors: `0x${"01".repeat(1025)}` }, "TensorsTooLong", 1025);
    });

    it("also those of private models, whose input is described though nobody sees it", async () => {
      const tensors = description([part(0x08, [1, 63])], [output]);
      await refuses({ tensors, inputKinds: 8 }, "TensorInputLengthMismatch", 63, 64);
      await refuses({ tensors: description([], [output]), inputKinds: 8 }, "TensorInputLengthMismatch", 0, 64);
      const id = await s.another({ tensors: description([part(0x08, [1, 64])], [output]), inputKinds: 8 });
      expect(await view(s.registry, "tensorsOf", [id])).to.equal(description([part(0x08, [1, 64])], [output]));
    });
  });

  it("finds tensors by side and position, and none beyond", async () => {
    const text = description([part(0x08, [2, 3]), part(0x90, [], -128)], [byte, part(0xa0, [7], 127), part(0x20, [1])]);
    await valid(text, 8, 33);
    const found = async (side: string, index: number) => [...((await view(tensor, side, [text, index])) as unknown[])];
    expect(await found("input", 0)).to.deep.equal([0n, 6n, 1n, false, 0n]);
    expect(await found("input", 1)).to.deep.equal([6n, 1n, 2n, true, -128n]);
    expect(await found("output", 0)).to.deep.equal([0n, 1n, 1n, false, 0n]);
    expect(await found("output", 1)).to.deep.equal([1n, 7n, 4n, true, 127n]);
    expect(await found("output", 2)).to.deep.equal([29n, 1n, 4n, false, 0n]);
    expect(await found("inputShape", 0)).to.deep.equal([2n, 3n]);
    expect(await found("inputShape", 1)).to.deep.equal([]);
    expect(await found("outputShape", 1)).to.deep.equal([7n]);
    for (const [name, count] of [
      ["input", 2],
      ["inputShape", 2],
      ["output", 3],
      ["outputShape", 3],
    ] as const) {
      for (const index of [count, count + 1, 255, 256]) {
        await denied(view(tensor, name, [text, index]), "TensorUnknown", index, count);
      }
    }
  });

  it("reads no element beyond its tensor, and nothing beyond the data", async () => {
    const data = "0x000102030405060708";
    const two = specOf({ offset: 1, length: 2 });
    expect(await view(tensor, "read", [data, two, 1])).to.equal(0x05060708n);
    for (const element of [2, 3, 2n ** 256n - 1n]) {
      await denied(view(tensor, "read", [data, two, element]), "ElementUnknown", element, 2);
      await denied(view(tensor, "fixedPoint", [data, two, element, 0]), "ElementUnknown", element, 2);
    }
    await denied(view(tensor, "argmax", [data, specOf({ length: 0 })]), "ElementUnknown", 0, 0);
    const short = data.slice(0, -2);
    for (const name of ["read", "fixedPoint"]) {
      const more = name === "read" ? [] : [0];
      expect(await view(tensor, name, [short, two, 0, ...more])).to.equal(0x01020304n);
      await expect(view(tensor, name, [short, two, 1, ...more])).to.be.revertedWithPanic(0x32);
    }
    await expect(view(tensor, "argmax", [short, two])).to.be.revertedWithPanic(0x32);
  });

  describe("gives a fixed point", () => {
    const point = (q: bigint, exponent: number, decimals: number, over: Partial<Spec> = {}): Promise<unknown> => {
      const spec = specOf({ exponent, ...over });
      return view(tensor, "fixedPoint", [spelled([q], spec.size, spec.offset), spec, 0, decimals]);
    };
    /** floor(q * 2^exponent * 10^decimals), by integers without bounds. */
    const exact = (q: bigint, exponent: number, decimals: number): bigint => {
      const scaled = q * 10n ** BigInt(decimals);
      return exponent < 0 ? scaled >> BigInt(-exponent) : scaled << BigInt(exponent);
    };

    it("rounded down", async () => {
      expect(await point(3n, -1, 0)).to.equal(1n);
      expect(await point(-1n, -1, 0)).to.equal(-1n);
      expect(await point(-1n, -1, 1)).to.equal(-5n);
      expect(await point(-1n, -2, 1)).to.equal(-3n);
      expect(await point(-3n, -128, 18)).to.equal(-1n);
      expect(await point(3n, -128, 18)).to.equal(0n);
      expect(await point(-2688n, -8, 18)).to.equal(-10_500_000_000_000_000_000n);
      expect(await point(-5n, 3, 2)).to.equal(-4000n);
    });

    it("with up to 67 decimals, which no 32 bits overflow", async () => {
      for (const q of [2n ** 31n - 1n, -(2n ** 31n), 0n]) {
        for (const exponent of [0, -1, -128]) expect(await point(q, exponent, 67)).to.equal(exact(q, exponent, 67));
      }
      expect(await point(2n ** 32n - 1n, 0, 67, { signed: false })).to.equal(exact(2n ** 32n - 1n, 0, 67));
      for (const decimals of [68, 77, 78, 2n ** 256n - 1n])
        await denied(view(tensor, "fixedPoint", ["0x00000000", specOf(), 0, decimals]), "DecimalsTooMany", decimals);
    });

    it(`of every type and exponent as exact arithmetic has it, and panics beyond 256 bits (seed ${SEED})`, async () => {
      const random = randomOf(SEED);
      let panics = 0;
      for (let round = 0; round < 400; round++) {
        const size = [1, 2, 4][whole(random, 0, 2)] as number;
        const signed = whole(random, 0, 1) === 1;
        const any = BigInt(whole(random, 0, 2 ** 32 - 1));
        const q = signed ? BigInt.asIntN(8 * size, any) : BigInt.asUintN(8 * size, any);
        const [exponent, decimals, offset] = [whole(random, -128, 127), whole(random, 0, 67), whole(random, 0, 5)];
        const expected = exact(q, exponent, decimals);
        const got = point(q, exponent, decimals, { size, signed, offset });
        if (expected > MAX_INT || expected < -MAX_INT - 1n) {
          panics++;
          await expect(got, `${q} ${exponent} ${decimals}`).to.be.revertedWithPanic(0x11);
        } else expect(await got, `${q} ${exponent} ${decimals}`).to.equal(expected);
      }
      expect(panics).to.be.within(20, 380);
    });
  });

  describe("gives the largest element's position", () => {
    const argmax = (values: readonly bigint[], over: Partial<Spec> = {}): Promise<unknown> => {
      const spec = specOf({ length: values.length, ...over });
      return view(tensor, "argmax", [spelled(values, spec.size, spec.offset), spec]);
    };

    it("the first of equals, by sign and by type", async () => {
      expect(await argmax([5n])).to.equal(0n);
      expect(await argmax([1n, 7n, 7n, 2n])).to.equal(1n);
      expect(await argmax([-3n, -1n, -2n])).to.equal(1n);
      expect(await argmax([0n, -1n])).to.equal(0n);
      expect(await argmax([0n, 2n ** 32n - 1n], { signed: false })).to.equal(1n);
      expect(await argmax([-(2n ** 31n), -(2n ** 31n)])).to.equal(0n);
    });

    it(`of any (seed ${SEED})`, async () => {
      const random = randomOf(SEED);
      for (let round = 0; round < 50; round++) {
        const size = [1, 2, 4][round % 3] as number;
        const [lo, hi] = [-(2 ** (8 * size - 1)), 2 ** (8 * size - 1) - 1];
        const narrow = whole(random, 0, 1) === 1;
        const values = Array.from({ length: whole(random, 1, 30) }, () => BigInt(narrow ? whole(random, -2, 2) : whole(random, lo, hi))); // prettier-ignore
        const most = values.reduce((a, b) => (b > a ? b : a));
        expect(await argmax(values, { size, offset: whole(random, 0, 40) })).to.equal(BigInt(values.indexOf(most)));
      }
    });
  });
});
