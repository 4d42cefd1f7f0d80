// ProverDirectory: what a prover publishes is its own, counts from then on, and stays readable; and the node's reader of it.
import { expect } from "chai";
import { id as keccakOfText, ZeroHash } from "ethers";
import type { BaseContract } from "ethers";
import { MAX_ENDPOINT_BYTES, proverEntries, proverEntry, publishCall } from "../../node/chain/directory.ts";
import { bytesOf } from "../../node/chain/codec.ts";
import type { Rpc } from "../../node/chain/rpc.ts";
import type { Address } from "../../node/core/domain.ts";
import { refusalOf } from "../support/keys.ts";
import { type Chain, openChain, send, type Stage, START, view } from "../support/contracts.ts";

const KEY = keccakOfText("key");
const NEWER = keccakOfText("newer key");
const ENDPOINT = "https://prover.example/private";

describe("ProverDirectory", function () {
  this.timeout(20_000);
  let chain: Chain;
  let s: Stage;
  let directory: BaseContract;
  before(async () => {
    chain = await openChain();
  });
  beforeEach(async () => {
    s = await chain.stage();
    directory = await s.deploy("ProverDirectory");
  });
  const publish = (key: string, endpoint: string, from = s.signers.prover) =>
    send(directory, "publish", [key, endpoint], { from });
  const entryOf = async (prover: string): Promise<unknown[]> => [
    ...((await view(directory, "entryOf", [prover])) as unknown[]),
  ];

  it("has nothing of who published nothing", async () => {
    const { prover } = s.signers;
    expect(await entryOf(prover.address)).to.deep.equal([ZeroHash, 0n, ""]);
    expect(await view(directory, "entryCount", [prover.address])).to.equal(0n);
    await expect(directory.getFunction("entryAt").staticCall(prover.address, 0))
      .to.be.revertedWithCustomError(directory, "NothingAt")
      .withArgs(prover.address, 0);
  });

  it("puts in force what its sender publishes, under the sender's address alone", async () => {
    const { prover, rival } = s.signers;
    await chain.at(START + 100);
    await expect(publish(KEY, ENDPOINT)).to.emit(directory, "Published").withArgs(prover.address, 0, KEY, ENDPOINT);
    expect(await entryOf(prover.address)).to.deep.equal([KEY, BigInt(START + 100), ENDPOINT]);
    await publish(NEWER, "", rival);
    expect(await entryOf(prover.address)).to.deep.equal([KEY, BigInt(START + 100), ENDPOINT]);
    expect((await entryOf(rival.address))[0]).to.equal(NEWER);
  });

  it("counts the last, keeps the ones before, and takes a withdrawal", async () => {
    const { address } = s.signers.prover;
    await publish(KEY, ENDPOINT);
    await publish(NEWER, "http://127.0.0.1:8080");
    expect((await entryOf(address))[0]).to.equal(NEWER);
    await expect(publish(ZeroHash, "")).to.emit(directory, "Published").withArgs(address, 2, ZeroHash, "");
    expect(await entryOf(address)).to.deep.equal([ZeroHash, 0n, ""]);
    expect(await view(directory, "entryCount", [address])).to.equal(3n);
    const keys = [];
    for (let k = 0; k < 3; k++) keys.push(((await view(directory, "entryAt", [address, k])) as unknown[])[0]);
    expect(keys).to.deep.equal([KEY, NEWER, ZeroHash]);
    await expect(directory.getFunction("entryAt").staticCall(address, 3)).to.be.revertedWithCustomError(
      directory,
      "NothingAt",
    );
    await publish(KEY, ENDPOINT);
    expect((await entryOf(address))[0]).to.equal(KEY);
  });

  it("takes an endpoint of 256 bytes and not of 257, and none without a key", async () => {
    await publish(KEY, "x".repeat(MAX_ENDPOINT_BYTES));
    expect(await view(directory, "MAX_ENDPOINT_LENGTH")).to.equal(BigInt(MAX_ENDPOINT_BYTES));
    await expect(publish(KEY, "x".repeat(MAX_ENDPOINT_BYTES + 1)))
      .to.be.revertedWithCustomError(directory, "EndpointTooLong")
      .withArgs(257);
    await expect(publish(ZeroHash, "x")).to.be.revertedWithCustomError(directory, "EndpointWithoutKey").withArgs("x");
  });

  it("knows its interfaces by ERC-165", async () => {
    const supports = (id: string): Promise<unknown> => view(directory, "supportsInterface", [id]);
    const names = ["publish", "entryOf", "entryAt", "entryCount"];
    const own = names.reduce((sum, name) => sum ^ BigInt(directory.getFunction(name).fragment.selector), 0n);
    expect(await supports(`0x${own.toString(16).padStart(8, "0")}`)).to.equal(true);
    expect(await supports("0x01ffc9a7")).to.equal(true);
    expect(await supports("0xffffffff")).to.equal(false);
  });

  it("is read and written by the node as typed values", async () => {
    const { prover } = s.signers;
    const at = (await directory.getAddress()) as Address;
    const who = prover.address as Address;
    const rpc: Rpc = {
      name: "hardhat",
      request: (method, params) => chain.ethers.provider.send(method, [...params]) as Promise<unknown>,
    };
    expect(await proverEntry(rpc, at, who)).to.equal(undefined);
    const calls = [
      publishCall(at, bytesOf(KEY), ENDPOINT),
      publishCall(at, bytesOf(NEWER)),
      publishCall(at, undefined),
    ];
    const found = [];
    for (const { to, data } of calls) {
      await prover.sendTransaction({ to: to ?? null, data });
      found.push(await proverEntry(rpc, at, who));
    }
    expect(found[0]).to.deep.include({ encryptionKey: bytesOf(KEY), endpoint: ENDPOINT });
    expect(found[1]).to.deep.include({ encryptionKey: bytesOf(NEWER), endpoint: "" });
    expect(found[2]).to.equal(undefined);
    const all = await proverEntries(rpc, at, who);
    expect(all.map(({ encryptionKey }) => encryptionKey)).to.deep.equal([bytesOf(KEY), bytesOf(NEWER), undefined]);
    expect(all.every(({ publishedAt }) => publishedAt >= START)).to.equal(true);

    publishCall(at, bytesOf(KEY), "x".repeat(MAX_ENDPOINT_BYTES));
    const wrong = [[bytesOf(KEY), "x".repeat(MAX_ENDPOINT_BYTES + 1)] as const, [undefined, "x"] as const];
    for (const [key, endpoint] of wrong) {
      expect((await refusalOf(() => publishCall(at, key, endpoint))).message).to.match(/does not take this endpoint/);
    }
    const nowhere = await refusalOf(() => proverEntry(rpc, who, who));
    expect([nowhere.code, nowhere.message]).to.deep.equal(["chain", `there is no prover directory at ${who}`]);
  });
});
