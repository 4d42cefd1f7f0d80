// The codec against the vectors that the contracts are held to, and against the contracts themselves.
import fs from "node:fs";
import { expect } from "chai";
import {
  bytesOf,
  challenge,
  keyBytes,
  keyHash,
  keyOfBytes,
  parseAddress,
  parseId,
  proofOfWords,
  proofWords,
  requestId,
} from "../../../node/chain/codec.ts";
import type { Address, Hex, ModelId, Signals } from "../../../node/core/domain.ts";
import { NodeError } from "../../../node/core/errors.ts";
import type { ClaimVector } from "../../support/contractsVectors.ts";
import { stage, WALLETS } from "../../support/chain.ts";
import { embeddedChain } from "../../support/chainEmbedded.ts";
import { inputOf } from "../../support/fakes.ts";
import { prove, TRAPDOOR, verifyingKeyOf } from "../../support/trapdoor.ts";

const VECTORS = JSON.parse(fs.readFileSync("test/vectors/claim.json", "utf8")) as readonly ClaimVector[];

function claimIn(vector: ClaimVector) {
  return {
    chainId: BigInt(vector.chainId),
    contract: vector.contract as Address,
    request: vector.requestId as Hex,
    model: vector.modelId as ModelId,
    prover: vector.prover as Address,
    c: BigInt(vector.c),
    input: bytesOf(vector.input),
    output: bytesOf(vector.output),
  };
}

describe("the challenge", () => {
  for (const vector of VECTORS) {
    it(`equals the vector "${vector.name}"`, () => {
      expect(challenge(vector.domain, claimIn(vector))).to.equal(BigInt(vector.r));
    });
  }
  it("changes with every part of the claim", () => {
    const claim = claimIn(VECTORS[0] as ClaimVector);
    const other = claimIn(VECTORS[1] as ClaimVector);
    const seen = new Set([challenge("claim", claim), challenge("sample", claim)]);
    for (const part of ["contract", "request", "model", "prover", "c", "input", "output"] as const) {
      seen.add(challenge("claim", { ...claim, [part]: other[part] }));
    }
    seen.add(challenge("claim", { ...claim, chainId: claim.chainId + 1n }));
    expect(seen.size).to.equal(10);
  });
});

describe("keys and proofs as bytes", () => {
  const key = verifyingKeyOf(TRAPDOOR);
  it("a key survives its 704 bytes", () => {
    expect(keyBytes(key)).to.have.length(704);
    expect(keyOfBytes(keyBytes(key))).to.deep.equal(key);
  });
  it("one IC point more or less is refused", () => {
    expect(() => keyBytes({ ...key, ic: key.ic.slice(1) })).to.throw(NodeError, /3 IC points/);
    expect(() => keyBytes({ ...key, ic: [...key.ic, ...key.ic.slice(0, 1)] })).to.throw(NodeError, /5 IC points/);
    expect(() => keyOfBytes(keyBytes(key).subarray(1))).to.throw(NodeError, /703 bytes/);
  });
  it("a proof survives its eight words", () => {
    const signals: Signals = { c: 1n, v: 2n, r: 3n };
    const proof = prove(TRAPDOOR, signals);
    expect(proofOfWords(proofWords(proof))).to.deep.equal(proof);
    expect(() => proofOfWords(proofWords(proof).slice(1))).to.throw(NodeError, /7 words/);
    expect(() => proofOfWords([...proofWords(proof), 0n])).to.throw(NodeError, /9 words/);
  });
});

describe("text from people", () => {
  it("takes an address in lower case or with its checksum, and refuses a wrong checksum", () => {
    const address = WALLETS[0].address;
    expect(parseAddress(address.toLowerCase())).to.equal(address);
    expect(() => parseAddress(address.replace("F", "f"))).to.throw(NodeError, /is not an address/);
    expect(() => parseAddress(address.slice(0, -1))).to.throw(NodeError);
  });
  it("takes an id of 32 bytes and no other", () => {
    expect(parseId(`0x${"AB".repeat(32)}`)).to.equal(`0x${"ab".repeat(32)}`);
    for (const text of ["", "0x", `0x${"ab".repeat(31)}`, `0x${"ab".repeat(33)}`, "ab".repeat(32)]) {
      expect(() => parseId(text)).to.throw(NodeError, /is not an id/);
    }
  });
});

describe("what the contracts say", () => {
  it("is what the codec says: ids, key, request, result and the nearest absences", async () => {
    const chain = await embeddedChain();
    const staged = await stage(chain.rpc);
    const { client, model } = staged;
    const first = await staged.ask({ seed: 3 });
    const second = await staged.ask({ seed: 3 });
    const common = { chainId: client.chainId, coordinator: client.coordinator, requester: first.requester, model };
    expect(first.requester).to.equal(WALLETS[1].address);
    expect(first.id).to.equal(requestId({ ...common, nonce: 0n, input: inputOf(3) }));
    expect(second.id).to.equal(requestId({ ...common, nonce: 1n, input: inputOf(3) }));
    expect(first.input).to.deep.equal(inputOf(3));

    const record = await client.modelOf(model);
    expect(record).to.include({ keyKind: "development", retired: false, inputLength: 64, outputLength: 20 });
    expect(record?.keyHash).to.equal(keyHash(verifyingKeyOf(TRAPDOOR)));
    expect(await client.keyOf(model)).to.deep.equal(verifyingKeyOf(TRAPDOOR));
    expect(await client.requestOf(first.id)).to.include({ status: "open", fee: 10n ** 15n, deadline: first.deadline });
    expect(await client.requested(first.id, 0)).to.deep.equal(first);

    const unknown = `0x${"1".repeat(64)}` as typeof first.id;
    expect(await client.requestOf(unknown)).to.equal(undefined);
    expect(await client.result(first.id)).to.equal(undefined);
    expect(await client.fulfilled(first.id, 0)).to.equal(undefined);
    expect(await client.modelOf(unknown as unknown as ModelId)).to.equal(undefined);
    expect(await client.keyOf(unknown as unknown as ModelId)).to.equal(undefined);
    await chain.close();
  });
});
