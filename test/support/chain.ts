// The contracts deployed and a trapdoor model registered by the node's own code on any chain, and a node on it: the real
// engine over the fake model. Chains to do it on are in chainEmbedded.ts.
import fs from "node:fs";
import { Wallet } from "ethers";
import { type ChainClient, connect } from "../../node/chain/client.ts";
import { challenge, keyHash, type ModelFacts, modelId, type RequestSeen } from "../../node/chain/codec.ts";
import { signerOf } from "../../node/chain/keys.ts";
import type { Rpc } from "../../node/chain/rpc.ts";
import { draftRequest, type Request, type Terms, ZERO_HASH } from "../../node/chain/request.ts";
import { memoryLog, openSender, type Sender, type SenderOptions } from "../../node/chain/submit.ts";
import { planOf } from "../../node/app/artifacts.ts";
import { type Artifact, deploy } from "../../node/chain/deploy.ts";
import { openSeries, register, request, type Wait } from "../../node/chain/write.ts";
import { describeTensors } from "../../node/core/described.ts";
import type { Address, Digest, ModelId } from "../../node/core/domain.ts";
import { R } from "../../node/core/field.ts";
import { fingerprint, wordsOfBytes } from "../../node/core/tensor.ts";
import { type Engine, type EngineOptions, openEngine } from "../../node/job/engine.ts";
import {
  answerTo,
  FAKE_MODEL,
  fakeInfer,
  fakeModels,
  hastyClock,
  inputOf,
  memoryJournal,
  noInputs,
  policyOf,
  trapdoorProving,
} from "./fakes.ts";
import { prove, TRAPDOOR, verifyingKeyOf } from "./trapdoor.ts";

/** The first accounts of the public development mnemonic, which every embedded chain funds. */
export const WALLETS = [
  "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
  "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
  "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
  "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
].map((key) => new Wallet(key)) as [Wallet, Wallet, Wallet, Wallet];

export function artifact(name: string): Artifact {
  return JSON.parse(fs.readFileSync(`artifacts/contracts/${name}.sol/${name}.json`, "utf8")) as Artifact;
}

export async function senderOf(rpc: Rpc, wallet: Wallet, over: Partial<SenderOptions> = {}): Promise<Sender> {
  return openSender({
    rpc,
    chainId: BigInt((await rpc.request("eth_chainId", [])) as string),
    signer: signerOf(wallet),
    log: memoryLog(),
    clock: hastyClock(),
    journal: memoryJournal(),
    confirmations: 0,
    maxFeePerGas: 10n ** 12n,
    bumpAfterMs: 60_000,
    ...over,
  });
}

export const digest = (n: number): Digest => n.toString(16).padStart(64, "0") as Digest;

export interface Staged {
  readonly rpc: Rpc;
  readonly client: ChainClient;
  readonly model: ModelId;
  readonly publisher: Address;
  /** Sends a request from the second account and waits for its block; what `struct` names is changed after the draft. */
  ask(over?: Over): Promise<RequestSeen>;
}

export type Over = Partial<Terms> & { readonly seed?: number; readonly struct?: Partial<Request> };

/** Deploys and registers through the node's own code. Account 0 publishes, account 1 asks; 2 and 3 are for provers. */
export async function stage(rpc: Rpc): Promise<Staged> {
  const publisher: Wait = { sender: await senderOf(rpc, WALLETS[0]), clock: hastyClock() };
  const deployed = await deploy(planOf("artifacts"), rpc, publisher);
  const client = await connect({ rpc, coordinator: deployed.coordinator });
  const model = await registerFake(client, publisher);
  return {
    rpc,
    client,
    model,
    publisher: publisher.sender.address,
    async ask({ seed = 1, struct, ...over } = {}) {
      // A sender without memory: a test may have thrown out the blocks of the one before.
      const requester: Wait = { sender: await senderOf(rpc, WALLETS[1]), clock: hastyClock() };
      const drafted = draftRequest({
        requester: requester.sender.address,
        model,
        from: { kind: "data", bytes: inputOf(seed) },
        now: (await client.head()).time,
        fee: 10n ** 15n,
        allowDevelopmentKeys: true,
        ...over,
      });
      const asked = { ...drafted, request: { ...drafted.request, ...struct } };
      return (await request(client, asked, { payment: "direct" }, requester)).seen;
    },
  };
}

const BYTE = { type: { bits: 8, signed: false }, exponent: 0 } as const;
const FAKE_TENSORS = {
  inputs: [{ ...BYTE, shape: [1, FAKE_MODEL.inputLength] }],
  outputs: [{ ...BYTE, shape: [1, FAKE_MODEL.outputLength] }],
};

/** Registers a model of which the trapdoor is known; `n` tells several apart. */
export async function registerFake(
  client: ChainClient,
  wait: Wait,
  n = 1,
  policy: Partial<Pick<ModelFacts, "collateralBps" | "royaltyBps" | "inputKinds">> = {},
): Promise<ModelId> {
  const facts = {
    series: await openSeries(client, "fake", ["development", "ceremony"], wait),
    sourceDigest: digest(n),
    quantizedDigest: digest(n + 1),
    circuitDigest: digest(n + 2),
    manifestDigest: digest(n + 3),
    keyKind: "development" as const,
    inputKinds: ["data", "reference", "source"] as const,
    collateralBps: 0,
    royaltyBps: 0,
    tensors: describeTensors(FAKE_TENSORS),
    ...FAKE_MODEL,
    ...policy,
  };
  const key = verifyingKeyOf(TRAPDOOR);
  const prover = wait.sender.address;
  const model = modelId({ ...facts, keyHash: keyHash(key) });
  const input = inputOf(0);
  const { output, c } = answerTo(input);
  const { chainId, registry } = client;
  const r = challenge("sample", { chainId, contract: registry, request: ZERO_HASH, model, prover, c, input, output });
  const v = fingerprint([...wordsOfBytes(input), ...wordsOfBytes(output)], r, R);
  const sample = { input, output, c, proof: prove(TRAPDOOR, { c, v, r }) };
  return (await register(client, { model: facts, manifestURI: "", key, sample }, wait)).id;
}

/** The engine on a staged chain; account 2 proves. In memory unless a place is given. */
export function nodeOn(staged: Pick<Staged, "client" | "model">, over: Partial<EngineOptions> = {}): Promise<Engine> {
  return openEngine({
    client: staged.client,
    signer: signerOf(WALLETS[2]),
    place: { dir: undefined },
    models: fakeModels(staged.model),
    inputs: noInputs(),
    infer: fakeInfer(),
    proving: trapdoorProving(TRAPDOOR),
    policy: policyOf(),
    environment: `0x${"e0".repeat(32)}`,
    log: memoryJournal(),
    clock: hastyClock(),
    confirmations: 0,
    startBlock: 0,
    maxRange: 1000,
    pollMs: 1,
    maxFeePerGas: 10n ** 12n,
    bumpAfterMs: 60_000,
    batchSize: 1,
    batchMs: 0,
    ...over,
  });
}
