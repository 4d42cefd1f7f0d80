// The wire format: committed vectors against TypeScript and Solidity, and the example contract that reads them.
import { expect } from "chai";
import { type BaseContract, getBytes, hexlify } from "ethers";
import { readFileSync } from "node:fs";
import { type BorderTensor, byteLengthOf, decodeTensors, encodeTensors, joinFlat } from "../../node/core/tensor.ts";
import { describeTensors, readTensors } from "../../node/core/described.ts";
import { NodeError } from "../../node/core/errors.ts";
import { toIntegers, toReals } from "../../node/model/border.ts";
import { FEE, type Stage, modelFacts, openChain, send, view } from "../support/contracts.ts";
import { askedIn } from "../support/dapps.ts";
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

  it("and the description of its tensors are what TypeScript writes and reads, without names", () => {
    for (const { name, description } of vectors) {
      const borders = bordersOf(name);
      const bytes = getBytes(description);
      expect(describeTensors({ inputs: borders, outputs: borders }), name).to.deep.equal(bytes);
      const described = borders.map(({ shape, type, exponent }) => ({ shape, type, exponent }));
      expect(readTensors(bytes), name).to.deep.equal({ inputs: described, outputs: described });
    }
  });

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
    let harness: BaseContract;
    before(async () => {
      const s = await (await openChain()).stage();
      harness = await s.deploy("TensorHarness");
    });

    for (const { name, tensors, bytes, description } of vectors) {
      it(`is read by Tensor: ${name}`, async () => {
        await view(harness, "validate", [description, getBytes(bytes).length, getBytes(bytes).length]);
        for (const [k, { type, offset, integers, exponent, shape }] of tensors.entries()) {
          const size = Number(/\d+$/.exec(type)?.[0]) / 8;
          const expected = [offset, integers.length, size, !type.startsWith("u"), exponent];
          for (const side of ["input", "output"]) {
            const spec = (await view(harness, side, [description, k])) as readonly unknown[];
            expect([...spec], side).to.deep.equal(expected.map((v) => (typeof v === "number" ? BigInt(v) : v)));
            expect([...((await view(harness, `${side}Shape`, [description, k])) as bigint[])]).to.deep.equal(shape.map(BigInt)); // prettier-ignore
          }
          const read = (await view(harness, "readAll", [bytes, expected])) as readonly bigint[];
          expect([...read]).to.deep.equal(integers.map(BigInt));
        }
      });
    }

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
    const description = hexlify(describeTensors({ inputs: bordersOf("the example Greenhouse: its inputs"), outputs: bordersOf("the example Greenhouse: its outputs") })); // prettier-ignore
    const facts = modelFacts({ inputLength: inputs.length, outputLength: outputs.length, tensors: description });
    const answer = (id: string, bed: number) => view(greenhouse, "answer", [id, bed]) as Promise<readonly unknown[]>;

    before(async () => {
      s = await (await openChain()).stage();
      model = await s.another(facts);
      greenhouse = await s.deploy("Greenhouse", s.coordinatorAddress, model);
    });

    it("writes its three inputs as the model reads them, and reads either output", async () => {
      const sent = await send(greenhouse, "ask", [true, -2688, 81000], { from: s.signers.deployer, value: FEE });
      const asked = await askedIn(s, sent);
      await expect(answer(asked.id, 0)).to.be.revertedWithCustomError(s.coordinator, "RequestNotFulfilled");
      await s.fulfil(s.answer(asked, { output: outputs }));
      const answers = await Promise.all([0, 1, 2, 3].map((bed) => answer(asked.id, bed)));
      // 96/64 litres, -1/64 (floor), 32767/64, and beds repeat
      expect(answers.map((each) => [...each])).to.deep.equal([
        [1500n, true],
        [-16n, true],
        [511984n, true],
        [1500n, true],
      ]);
    });

    it("reads no answer of another model, or without the zk bit", async () => {
      const other = await s.request();
      await s.fulfil(s.answer(other));
      await expect(answer(other.id, 0))
        .to.be.revertedWithCustomError(s.coordinator, "ResultOfOtherModel")
        .withArgs(s.model, model);
      const fake = await s.deploy("FakeCoordinator");
      const unproven = await s.deploy("Greenhouse", await fake.getAddress(), model);
      const result = { output: outputs, model, prover: s.coordinatorAddress, evidence: 4, fulfilledAt: 1, environment: model }; // prettier-ignore
      await send(fake, "set", [result], { from: s.signers.deployer });
      await expect(view(unproven, "answer", [model, 0]))
        .to.be.revertedWithCustomError(unproven, "EvidenceMissing")
        .withArgs(4);
    });
  });

  it("is documented with the types, the example's lines and the vectors' figures", () => {
    const text = readFileSync("docs/wire-format.md", "utf8");
    for (const type of ["uint8", "int8", "uint16", "int16", "uint32", "int32"]) expect(text).to.contain(`\`${type}\``);
    const example = readFileSync("contracts/examples/Greenhouse.sol", "utf8").replaceAll(/\s+/g, " ");
    const blocks = [...text.matchAll(/```solidity\n([^`]*)```/g)].map((block) => block[1] as string);
    expect(blocks).to.have.length.of.at.least(2);
    for (const block of blocks) expect(example).to.contain(block.replaceAll(/\s+/g, " ").trim());
    const borders = { inputs: bordersOf("the example Greenhouse: its inputs"), outputs: bordersOf("the example Greenhouse: its outputs") }; // prettier-ignore
    expect(text).to.contain(`    ${hexlify(describeTensors(borders))}\n`);
    expect(text).to.contain(vectorOf("Greenhouse: its inputs").bytes).and.to.contain(vectorOf("Greenhouse: its outputs").bytes); // prettier-ignore
  });
});
