// A chain with the contracts on it and one ceremony model registered, and the five acts (register, request, prove, fulfil,
// refund) as functions with overrides. Proofs come from the trapdoor, so no circuit is needed; everything but the time of
// blocks is the same in every run, and a test that cares for time sets it.
import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { AbiCoder, id as keccakOfText, keccak256, type BaseContract, type ContractTransactionResponse } from "ethers";
import { network } from "hardhat";
import type { Hex, Proof } from "../../node/core/domain.ts";
import { DOMAINS, Evidence, KEY_KIND_CODE } from "../../node/core/domain.ts";
import { claimFacts, type ClaimText } from "./contractsClaim.ts";
import { bytesOf } from "./contractsVectors.ts";
import { TRAPDOOR, bytesOfWords, keyWords, proofWords, prove, verifyingKeyOf, type Trapdoor } from "./trapdoor.ts";

/** First second of the chain. */
export const START = Date.UTC(2030, 0, 1) / 1000;
export const DEADLINE = START + 86_400;
export const FEE = 10n ** 15n;
export const CHAIN_ID = 31337n;
export const ZERO_ID = `0x${"00".repeat(32)}`;

export interface ModelFacts {
  readonly sourceDigest: string;
  readonly quantizedDigest: string;
  readonly circuitDigest: string;
  readonly manifestDigest: string;
  readonly inputLength: number;
  readonly outputLength: number;
  readonly keyKind: number;
  readonly manifestURI: string;
}

export const MODEL: ModelFacts = {
  sourceDigest: keccakOfText("source"),
  quantizedDigest: keccakOfText("quantized"),
  circuitDigest: keccakOfText("circuit"),
  manifestDigest: keccakOfText("manifest"),
  inputLength: 64,
  outputLength: 20,
  keyKind: KEY_KIND_CODE.ceremony,
  manifestURI: "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi/manifest.json",
};

export const INPUT = bytesOf("input", MODEL.inputLength);
export const OUTPUT = bytesOf("output", MODEL.outputLength);
/** What a circuit would commit to; any field element will do here. */
export const C = 0x1234_5678_9abc_def0n ** 3n;

export function modelIdOf(publisher: string, facts: ModelFacts, key: Hex): string {
  const types = [
    "bytes32",
    "address",
    "bytes32",
    "bytes32",
    "bytes32",
    "bytes32",
    "bytes32",
    "uint8",
    "uint32",
    "uint32",
  ];
  const { sourceDigest, quantizedDigest, circuitDigest, manifestDigest, keyKind, inputLength, outputLength } = facts;
  const digests = [sourceDigest, quantizedDigest, circuitDigest, manifestDigest];
  const values = [
    keccakOfText(DOMAINS.model),
    publisher,
    ...digests,
    keccak256(key),
    keyKind,
    inputLength,
    outputLength,
  ];
  return keccak256(AbiCoder.defaultAbiCoder().encode(types, values));
}

export function requestIdOf(
  coordinator: string,
  requester: string,
  nonce: number | bigint,
  model: string,
  input: Uint8Array,
  chainId: bigint = CHAIN_ID,
): string {
  const types = ["bytes32", "uint256", "address", "address", "uint256", "bytes32", "bytes32"];
  const values = [keccakOfText(DOMAINS.request), chainId, coordinator, requester, nonce, model, keccak256(input)];
  return keccak256(AbiCoder.defaultAbiCoder().encode(types, values));
}

export interface Registration {
  readonly facts: ModelFacts;
  readonly trapdoor: Trapdoor;
  readonly key: Hex;
  readonly from: HardhatEthersSigner;
  /** What the sample's proof is about; the rest follows from the registration. */
  readonly sample: Partial<ClaimText>;
  /** What is sent beside the proof, where it differs. */
  readonly sent: {
    readonly input?: Uint8Array;
    readonly output?: Uint8Array;
    readonly c?: bigint;
    readonly proof?: Proof;
  };
}

export interface Asked {
  readonly model: string;
  readonly input: Uint8Array;
  readonly deadline: number | bigint;
  readonly requiredEvidence: number;
  readonly allowDevelopmentKeys: boolean;
  readonly fee: bigint;
  readonly from: HardhatEthersSigner;
}

/** The arguments of fulfil. */
export interface Answer {
  readonly id: string;
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  readonly c: bigint;
  readonly words: readonly bigint[];
  readonly prover: string;
}

export type Sent = Promise<ContractTransactionResponse>;

export async function openChain(chainId = Number(CHAIN_ID)) {
  const connection = await network.create({ override: { chainId, initialDate: new Date(START * 1000) } });
  const { ethers, networkHelpers } = connection;

  async function stage() {
    const [deployer, publisher, requester, prover, stranger] = (await ethers.getSigners()) as [
      HardhatEthersSigner,
      HardhatEthersSigner,
      HardhatEthersSigner,
      HardhatEthersSigner,
      HardhatEthersSigner,
    ];
    const deploy = async (name: string, ...args: unknown[]): Promise<BaseContract> => {
      const contract = (await ethers.deployContract(name, args, deployer)) as BaseContract;
      await contract.waitForDeployment();
      return contract;
    };
    const registry = await deploy("ModelRegistry");
    const registryAddress = await registry.getAddress();
    const coordinator = await deploy("InferenceCoordinator", registryAddress);
    const coordinatorAddress = await coordinator.getAddress();
    const verifier = await deploy("Groth16Verifier");

    /** What register is called with: facts, key, sample; and the id that is to come of it. */
    function registration(over: Partial<Registration> = {}) {
      const { facts = MODEL, trapdoor = TRAPDOOR, from = publisher } = over;
      const key = over.key ?? bytesOfWords(keyWords(verifyingKeyOf(trapdoor)));
      const id = modelIdOf(from.address, facts, key);
      const claim: ClaimText = {
        domain: "sample",
        chainId: BigInt(chainId),
        contract: registryAddress,
        requestId: ZERO_ID,
        modelId: id,
        prover: from.address,
        c: C,
        ...over.sample,
        input: over.sample?.input ?? bytesOf("sample input", facts.inputLength),
        output: over.sample?.output ?? bytesOf("sample output", facts.outputLength),
      };
      const proof = over.sent?.proof ?? prove(trapdoor, claimFacts(claim).signals);
      const { input = claim.input, output = claim.output, c = claim.c } = over.sent ?? {};
      return { id, from, args: [facts, key, { input, output, c, proof: proofWords(proof) }] as const };
    }
    function register(over: Partial<Registration> = {}): Sent {
      const { args, from } = registration(over);
      return send(registry, "register", args, { from });
    }

    const model = registration().id;
    await (await register()).wait();

    async function request(
      over: Partial<Asked> = {},
    ): Promise<{ id: string; asked: Asked; sent: ContractTransactionResponse }> {
      const asked: Asked = {
        model,
        input: INPUT,
        deadline: DEADLINE,
        requiredEvidence: Evidence.zk,
        allowDevelopmentKeys: false,
        fee: FEE,
        from: requester,
        ...over,
      };
      const nonce = (await view(coordinator, "nonceOf", [asked.from.address])) as bigint;
      const id = requestIdOf(coordinatorAddress, asked.from.address, nonce, asked.model, asked.input, BigInt(chainId));
      const { requiredEvidence, allowDevelopmentKeys } = asked;
      const args = [asked.model, asked.input, asked.deadline, { requiredEvidence, allowDevelopmentKeys }];
      const sent = await send(coordinator, "request", args, { from: asked.from, value: asked.fee });
      return { id, asked, sent };
    }

    /** A valid answer to request `id`, or to whatever the overrides say it is about. */
    function answer(
      id: string,
      over: Partial<ClaimText> & { readonly trapdoor?: Trapdoor; readonly blinding?: { a: bigint; b: bigint } } = {},
    ): Answer {
      const { trapdoor = TRAPDOOR, blinding = { a: 7n, b: 11n }, ...text } = over;
      const claim: ClaimText = {
        domain: "claim",
        chainId: BigInt(chainId),
        contract: coordinatorAddress,
        requestId: id,
        modelId: model,
        prover: prover.address,
        c: C,
        input: INPUT,
        output: OUTPUT,
        ...text,
      };
      const words = proofWords(prove(trapdoor, claimFacts(claim).signals, blinding));
      return { id, input: claim.input, output: claim.output, c: claim.c, words, prover: claim.prover };
    }
    function fulfil(a: Answer, from: HardhatEthersSigner = prover): Sent {
      return send(coordinator, "fulfil", [a.id, a.input, a.output, a.c, a.words, a.prover], { from });
    }
    const refund = (id: string, from = stranger): Sent => send(coordinator, "refund", [id], { from });
    const withdraw = (from: HardhatEthersSigner, to: string = from.address): Sent =>
      send(coordinator, "withdraw", [to], { from });
    const credit = (account: string): Promise<unknown> => view(coordinator, "credit", [account]);

    return {
      ethers,
      deploy,
      signers: { deployer, publisher, requester, prover, stranger },
      registry,
      registryAddress,
      coordinator,
      coordinatorAddress,
      verifier,
      model,
      registration,
      register,
      request,
      answer,
      fulfil,
      refund,
      withdraw,
      credit,
    };
  }

  return {
    connection,
    ethers,
    /** The state above, restored at each call. */
    stage: () => networkHelpers.loadFixture(stage),
    /** The next block has this time. */
    at: (time: number) => networkHelpers.time.setNextBlockTimestamp(time),
    helpers: networkHelpers,
  };
}

export type Chain = Awaited<ReturnType<typeof openChain>>;
export type Stage = Awaited<ReturnType<Chain["stage"]>>;

export function send(
  contract: BaseContract,
  name: string,
  args: readonly unknown[],
  { from, value = 0n }: { readonly from: HardhatEthersSigner; readonly value?: bigint },
): Sent {
  return contract
    .connect(from)
    .getFunction(name)
    .send(...args, value === 0n ? {} : { value });
}

export function view(contract: BaseContract, name: string, args: readonly unknown[] = []): Promise<unknown> {
  return contract.getFunction(name).staticCall(...args);
}

/** `bytes` with one bit of byte `at` flipped. */
export function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] as number) ^ 1;
  return copy;
}

/** `words` with word `at` replaced. */
export function withWord(words: readonly bigint[], at: number, change: (word: bigint) => bigint): bigint[] {
  return words.map((word, i) => (i === at ? change(word) : word));
}
