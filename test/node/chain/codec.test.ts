// The codec against the vectors that the contracts are held to, and against the contracts themselves.
import fs from "node:fs";
import { expect } from "chai";
import { AbiCoder, id as hashOf, keccak256 } from "ethers";
import {
  bytesOf,
  challenge,
  keyBytes,
  keyHash,
  keyOfBytes,
  modelId,
  parseAddress,
  parseId,
  proofOfWords,
  proofWords,
  seriesId,
  wordOf,
} from "../../../node/chain/codec.ts";
import type { ModelRecord } from "../../../node/chain/client.ts";
import { requestId } from "../../../node/chain/request.ts";
import { R } from "../../../node/core/field.ts";
import type { Address, Hex, ModelId, SeriesId, Signals } from "../../../node/core/domain.ts";
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
  it("takes c for the hash of an input that is private", () => {
    const { input: _input, ...claim } = claimIn(VECTORS[0] as ClaimVector);
    const bytes = bytesOf(wordOf(claim.c)); // the hash would be of these; c itself is what counts
    expect(challenge("claim", { ...claim, input: undefined })).not.to.equal(
      challenge("claim", { ...claim, input: bytes }),
    );
    const text = AbiCoder.defaultAbiCoder().encode(
      ["bytes32", "uint256", "address", "bytes32", "bytes32", "address", "uint256", "uint256", "bytes32"],
      [
        hashOf("glassbox.claim.v1"),
        claim.chainId,
        claim.contract,
        claim.request,
        claim.model,
        claim.prover,
        claim.c,
        claim.c,
        keccak256(claim.output),
      ],
    );
    expect(challenge("claim", { ...claim, input: undefined })).to.equal(BigInt(keccak256(text)) % R);
  });
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
    expect(first.request.requester).to.equal(WALLETS[1].address);
    for (const { id, request } of [first, second]) expect(id).to.equal(requestId(client, request));
    expect(first.id).not.to.equal(second.id);
    expect(first.input).to.deep.equal(inputOf(3));

    const record = await client.modelOf(model);
    expect(record).to.include({ keyKind: "development", retired: false, inputLength: 64, outputLength: 20 });
    expect(record?.keyHash).to.equal(keyHash(verifyingKeyOf(TRAPDOOR)));
    expect(await client.keyOf(model)).to.deep.equal(verifyingKeyOf(TRAPDOOR));
    expect(await client.statusOf(first.request)).to.equal("open");
    expect(await client.claimOf(first.request)).to.equal(undefined);
    expect(await client.seriesOf(record!.series)).to.deep.equal({
      owner: WALLETS[0].address,
      pendingOwner: undefined,
      keyKinds: ["development", "ceremony"],
      versions: 1,
      name: "fake",
    });
    expect(record).to.include({ version: 1, successor: undefined, registrant: WALLETS[0].address });
    expect(modelId(record as ModelRecord)).to.equal(model);
    expect(record!.series).to.equal(seriesId(WALLETS[0].address as Address, "fake"));
    expect(await client.requested(first.id, 0)).to.deep.equal(first);

    const unknown = `0x${"1".repeat(64)}` as typeof first.id;
    expect(await client.statusOf({ ...first.request, nonce: first.request.nonce ^ 1n })).to.equal("unknown");
    expect(await client.resultOf(first.id)).to.equal(undefined);
    expect(await client.claimed(first.id, 0)).to.equal(undefined);
    expect(await client.seriesOf(unknown as unknown as SeriesId)).to.equal(undefined);
    expect(await client.fulfilled(first.id, 0)).to.equal(undefined);
    expect(await client.modelOf(unknown as unknown as ModelId)).to.equal(undefined);
    expect(await client.keyOf(unknown as unknown as ModelId)).to.equal(undefined);
    await chain.close();
  });
});
