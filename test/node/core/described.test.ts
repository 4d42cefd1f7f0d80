// The registry's description of tensors, as our side writes and reads it: there and back, and nothing else is read.
import { expect } from "chai";
import { describeTensors, type Described, readTensors } from "../../../node/core/described.ts";
import type { NodeError } from "../../../node/core/errors.ts";

const tensor = (over: Partial<Described> = {}): Described => ({
  shape: [1, 28, 28],
  type: { bits: 8, signed: false },
  exponent: 0,
  ...over,
});
const refusal = (work: () => unknown): string | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as NodeError).code;
  }
};

describe("a description of tensors", () => {
  it("is the bytes that Tensor.sol documents", () => {
    const output = tensor({ shape: [1, 70_000], type: { bits: 16, signed: true }, exponent: -9 });
    const bytes = describeTensors({ inputs: [tensor()], outputs: [output] });
    expect(Buffer.from(bytes).toString("hex")).to.equal(
      ["0101", "080003", "00000001", "0000001c", "0000001c", "90f702", "00000001", "00011170"].join(""),
    );
  });

  it("comes back as it went, of every type, at the bounds of exponent, rank and dimension", () => {
    for (const bits of [8, 16, 32] as const) {
      for (const signed of [false, true]) {
        for (const exponent of [-128, -1, 0, 1, 127]) {
          for (const shape of [[], [1], Array<number>(8).fill(2), [2 ** 32 / (bits / 8) - 1]]) {
            const borders = { inputs: [tensor({ type: { bits, signed }, exponent, shape })], outputs: [tensor()] };
            expect(readTensors(describeTensors(borders))).to.deep.equal(borders);
          }
        }
      }
    }
  });

  it("is not written of what it cannot hold, one beyond the bounds", () => {
    const of = (...inputs: Described[]) => refusal(() => describeTensors({ inputs, outputs: [] }));
    for (const exponent of [-129, 128]) expect(of(tensor({ exponent }))).to.equal("unsupported");
    expect(of(tensor({ shape: Array<number>(9).fill(1) }))).to.equal("unsupported");
    const many = (n: number, each: Described) => of(...Array<Described>(n).fill(each));
    // A count is a byte; three bytes each of a scalar, and 15 of an image.
    expect(many(255, tensor({ shape: [] }))).to.equal(undefined);
    expect(many(256, tensor({ shape: [] }))).to.equal("unsupported");
    expect(many(68, tensor())).to.equal(undefined);
    expect(many(69, tensor())).to.equal("unsupported");
  });

  it("is not read with a byte less or more, of another type, rank or dimension", () => {
    const bytes = describeTensors({ inputs: [tensor()], outputs: [tensor()] });
    const read = (change: (copy: Uint8Array) => Uint8Array): string | undefined =>
      refusal(() => readTensors(change(Uint8Array.from(bytes))));
    const set = (at: number, value: number) => (copy: Uint8Array) => copy.fill(value, at, at + 1);
    expect(read((copy) => copy)).to.equal(undefined);
    expect(read((copy) => copy.subarray(0, -1))).to.equal("integrity");
    expect(read((copy) => Uint8Array.from([...copy, 0]))).to.equal("integrity");
    expect(read(() => new Uint8Array(1))).to.equal("integrity");
    expect(read(set(2, 24))).to.equal("integrity");
    expect(read(set(4, 9))).to.equal("integrity");
    expect(read(set(8, 0))).to.equal("integrity");
    expect(read(set(0, 2))).to.equal("integrity");
  });
});
