// The wire format: committed vectors against TypeScript and Solidity, and the example contract that reads them.
import { expect } from "chai";
import { getBytes, type BaseContract } from "ethers";
import { readFileSync } from "node:fs";
import { type BorderTensor, byteLengthOf, decodeTensors, encodeTensors, joinFlat } from "../../node/core/tensor.ts";
import { Evidence } from "../../node/core/domain.ts";
import { NodeError } from "../../node/core/errors.ts";
import { toIntegers, toReals } from "../../node/model/border.ts";
import { type Chain, DEADLINE, FEE, MODEL, openChain, requestIdOf, send, type Stage, view } from "../support/contracts.ts"; // prettier-ignore
import { WIRE_BORDERS, WIRE_VECTORS, type WireVector, wireVectors } from "../support/wireVectors.ts";

const vectors = JSON.parse(readFileSync(WIRE_VECTORS, "utf8")) as WireVector[];
const bordersOf = (name: string): readonly BorderTensor[] => WIRE_BORDERS.get(name) ?? [];
const vectorOf = (part: string): WireVector => vectors.find(({ name }) => name.includes(part)) as WireVector;
const flat = (vector: WireVector, of: "integers" | "reals"): Float64Array =>
  joinFlat(vector.tensors.map((tensor) => Float64Array.from(tensor[of])));

describe("the wire format", () => {
  it("has vectors that are what the generator writes, of every type", () => {
    expect(vectors).to.deep.equal(wireVectors());
    const types = new Set(vectors.flatMap(({ tensors }) => tensors.map(({ type }) => type)));
    expect([...types]).to.have.members(["uint8", "int8", "uint16", "int16", "uint32", "int32"]);
  });

  for (const vector of vectors) {
    it(`is what TypeScript writes and reads: ${vector.name}`, () => {
      const borders = bordersOf(vector.name);
      const bytes = getBytes(vector.bytes);
      expect(encodeTensors(borders, flat(vector, "integers"))).to.deep.equal(bytes);
      expect(byteLengthOf(borders)).to.equal(bytes.length);
      expect(decodeTensors(borders, bytes)).to.deep.equal(flat(vector, "integers"));
      expect(toReals(borders, decodeTensors(borders, bytes))).to.deep.equal(flat(vector, "reals"));
      expect(toIntegers(borders, flat(vector, "reals"))).to.deep.equal(flat(vector, "integers"));
      const offsets = vector.tensors.map((_, k) => byteLengthOf(borders.slice(0, k)));
      expect(vector.tensors.map(({ offset }) => offset)).to.deep.equal(offsets);
    });
  }

  it("has no bytes for an integer that its type does not hold, and no tensors in bytes too few or too many", () => {
    for (const { name, tensors } of vectors.slice(0, 6)) {
      const borders = bordersOf(name);
      const { integers } = tensors[0] as WireVector["tensors"][number];
      const [lo, hi] = [Math.min(...integers), Math.max(...integers)];
      for (const beyond of [lo - 1, hi + 1, 0.5, NaN]) {
        const values = Float64Array.from(integers).fill(beyond, 0, 1);
        expect(() => encodeTensors(borders, values), `${name}, ${beyond}`).to.throw(NodeError, "not an integer from");
      }
    }
    const { name, bytes } = vectorOf("none aligned");
    for (const other of [getBytes(bytes).subarray(1), new Uint8Array([...getBytes(bytes), 0])]) {
      expect(() => decodeTensors(bordersOf(name), other)).to.throw(NodeError, "are not the 15 of the model");
    }
  });

  describe("in Solidity", () => {
    let chain: Chain;
    let s: Stage;
    let harness: BaseContract;
    before(async () => {
      chain = await openChain();
      s = await chain.stage();
      harness = await s.deploy("WireHarness");
    });

    for (const { name, tensors, bytes } of vectors) {
      it(`is read by WireLib: ${name}`, async () => {
        for (const { type, offset, integers } of tensors) {
          const size = Number(/\d+$/.exec(type)?.[0]) / 8;
          const method = type.startsWith("u") ? "readUint" : "readInt";
          for (const [index, q] of integers.entries())
            expect(await view(harness, method, [bytes, offset, index, size]), `${index}`).to.equal(BigInt(q));
        }
      });
    }

    it("is not read past its end", async () => {
      const bytes = "0x0102030405";
      expect(await view(harness, "readUint", [bytes, 1, 0, 4])).to.equal(0x02030405n);
      await expect(view(harness, "readUint", [bytes, 2, 0, 4])).to.be.revertedWithPanic(0x32);
      await expect(view(harness, "readInt", [bytes, 1, 1, 4])).to.be.revertedWithPanic(0x32);
    });

    it("is what abi.encodePacked writes of single numbers", async () => {
      const packed = await view(harness, "packed", [true, 254, -2, 513, -514, 4278255360n, -65539]);
      expect(packed).to.equal("0x01fefe0201fdfeff00ff00fffefffd");
    });
  });

  describe("in the example contract Greenhouse", () => {
    let s: Stage;
    let greenhouse: BaseContract;
    let model: string;
    const inputs = getBytes(vectorOf("Greenhouse: its inputs").bytes);
    const outputs = getBytes(vectorOf("Greenhouse: its outputs").bytes);
    const facts = { ...MODEL, inputLength: inputs.length, outputLength: outputs.length };

    before(async () => {
      s = await (await openChain()).stage();
      await s.register({ facts });
      model = s.registration({ facts }).id;
      greenhouse = await s.deploy("Greenhouse", s.coordinatorAddress, model);
    });

    it("writes its three inputs as the model reads them, and reads either output", async () => {
      const from = s.signers.deployer;
      await send(greenhouse, "ask", [true, -2688, 81000, DEADLINE], { from, value: FEE });
      const id = requestIdOf(s.coordinatorAddress, await greenhouse.getAddress(), 0, model, inputs);
      await expect(view(greenhouse, "answer", [id, 0])).to.be.revertedWithCustomError(
        s.coordinator,
        "RequestNotFulfilled",
      );
      await s.fulfil(s.answer(id, { input: inputs, output: outputs, modelId: model }));
      const answers = await Promise.all([0, 1, 2].map((bed) => view(greenhouse, "answer", [id, bed])));
      // 96/64 litres, -1/64 (floor), 32767/64
      expect(answers.map((each) => [...(each as readonly unknown[])])).to.deep.equal([
        [1500n, true],
        [-16n, true],
        [511984n, true],
      ]);
    });

    it("reads no answer of another model, without the zk bit, or of another length", async () => {
      const fake = await s.deploy("FakeCoordinator");
      const other = await s.deploy("Greenhouse", await fake.getAddress(), model);
      const id = `0x${"00".repeat(31)}01`;
      const result = { output: outputs, model, prover: s.coordinatorAddress, evidence: Evidence.zk, fulfilledAt: 1, environment: id }; // prettier-ignore
      const set = (over: object) => send(fake, "set", [{ ...result, ...over }], { from: s.signers.deployer });
      await set({});
      await view(other, "answer", [id, 0]);
      await set({ model: id });
      await expect(view(other, "answer", [id, 0]))
        .to.be.revertedWithCustomError(other, "OtherModel")
        .withArgs(id);
      await set({ evidence: Evidence.optimistic });
      await expect(view(other, "answer", [id, 0]))
        .to.be.revertedWithCustomError(other, "EvidenceMissing")
        .withArgs(4);
      await set({ output: outputs.subarray(1) });
      await expect(view(other, "answer", [id, 0]))
        .to.be.revertedWithCustomError(other, "OutputLengthInvalid")
        .withArgs(6);
    });
  });

  it("is documented with the types, the example's lines and the vectors' figures", () => {
    const text = readFileSync("docs/wire-format.md", "utf8");
    for (const type of ["uint8", "int8", "uint16", "int16", "uint32", "int32"]) expect(text).to.contain(`\`${type}\``);
    const example = readFileSync("contracts/examples/Greenhouse.sol", "utf8").replaceAll(/\s+/g, " ");
    const blocks = [...text.matchAll(/```solidity\n([^`]*)```/g)].map((block) => block[1] as string);
    expect(blocks).to.have.length.of.at.least(2);
    for (const block of blocks) expect(example).to.contain(block.replaceAll(/\s+/g, " ").trim());
    expect(text).to.contain(vectorOf("Greenhouse: its inputs").bytes).and.to.contain(vectorOf("Greenhouse: its outputs").bytes); // prettier-ignore
  });
});
