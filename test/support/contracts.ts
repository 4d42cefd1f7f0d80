// A chain with the contracts on it, one series and one ceremony model in it, and the acts of the market (register, ask,
// claim, answer, expire, cancel, deposit, withdraw) as functions with overrides. Proofs come from the trapdoor, so no
// circuit is needed; everything but the time of blocks is the same in every run, and a test that cares for time sets it.
import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import {
  AbiCoder,
  Contract,
  ZeroAddress,
  ZeroHash,
  id as keccakOfText,
  keccak256,
  toBeHex,
  type BaseContract,
  type BytesLike,
  type ContractTransactionResponse,
} from "ethers";
import { network } from "hardhat";
import type { Hex, Proof } from "../../node/core/domain.ts";
import { claimFacts, type ClaimText } from "./contractsClaim.ts";
import { INPUT_KIND, REQUEST_TYPES, domainOf, requestIdOf, type Terms } from "./contractsRequest.ts";
import { bytesOf } from "./contractsVectors.ts";
import { shadowed } from "./shadowTally.ts";
import { TRAPDOOR, bytesOfWords, keyWords, proofWords, prove, verifyingKeyOf, type Trapdoor } from "./trapdoor.ts";

/** First second of the chain. */
export const START = Date.UTC(2030, 0, 1) / 1000;
export const DEADLINE = START + 86_400;
export const CLAIM_PERIOD = 3_600;
export const FEE = 10n ** 15n;
export const CHAIN_ID = 31337n;
export const ZERO_ID = ZeroHash;
/** The token that stands for the native coin. */
export const NATIVE = ZeroAddress;
export const NOBODY = ZeroAddress;
export const ALL = 2n ** 256n - 1n;
export const SERIES_NAME = "digits";

export interface ModelFacts {
  readonly sourceDigest: string;
  readonly quantizedDigest: string;
  readonly circuitDigest: string;
  readonly manifestDigest: string;
  readonly inputLength: number;
  readonly outputLength: number;
  readonly keyKind: number;
  readonly inputKinds: number;
  readonly collateralBps: number;
  readonly royaltyBps: number;
  readonly tensors: string;
  readonly manifestURI: string;
}

/** One uint8 tensor in; one tensor out, of int16 with 8 bits behind the point, or of uint8 if the length is odd. */
export function tensorsOf(inputLength: number, outputLength: number): string {
  const word = (value: number): string => value.toString(16).padStart(8, "0");
  const output = outputLength % 2 === 0 ? `90f801${word(outputLength / 2)}` : `080001${word(outputLength)}`;
  return `0x0101080001${word(inputLength)}${output}`;
}

/** What a publisher declares; its tensors follow its lengths. */
export function modelFacts(over: Partial<ModelFacts> = {}): ModelFacts {
  const { inputLength = 64, outputLength = 20 } = over;
  return {
    sourceDigest: keccakOfText("source"),
    quantizedDigest: keccakOfText("quantized"),
    circuitDigest: keccakOfText("circuit"),
    manifestDigest: keccakOfText("manifest"),
    inputLength,
    outputLength,
    keyKind: 1,
    inputKinds: (1 << INPUT_KIND.data) | (1 << INPUT_KIND.reference) | (1 << INPUT_KIND.source),
    collateralBps: 2_000,
    royaltyBps: 0,
    tensors: tensorsOf(inputLength, outputLength),
    manifestURI: "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi/manifest.json",
    ...over,
  };
}

export const MODEL = modelFacts();
export const INPUT = bytesOf("input", MODEL.inputLength);
export const OUTPUT = bytesOf("output", MODEL.outputLength);
/** What a circuit would commit to; any field element will do here. */
export const C = 0x1234_5678_9abc_def0n ** 3n;
const TOKEN = ["function balanceOf(address) view returns (uint256)"];
const NOTHING = new Uint8Array(0);

const hashOf = (types: readonly string[], values: readonly unknown[]): string =>
  keccak256(AbiCoder.defaultAbiCoder().encode(types, values));

export function seriesIdOf(creator: string, name: string = SERIES_NAME): string {
  return hashOf(["bytes32", "address", "string"], [keccakOfText("glassbox.series.v1"), creator, name]);
}

export function modelIdOf(series: string, facts: ModelFacts, key: Hex): string {
  const { sourceDigest, quantizedDigest, circuitDigest, manifestDigest, keyKind, inputLength, outputLength } = facts;
  const { inputKinds, collateralBps, royaltyBps, tensors } = facts;
  return hashOf(
    [...Array<string>(7).fill("bytes32"), "uint8", "uint32", "uint32", "uint8", "uint16", "uint16", "bytes32"],
    [
      ...[keccakOfText("glassbox.model.v1"), series, sourceDigest, quantizedDigest, circuitDigest, manifestDigest],
      ...[keccak256(key), keyKind, inputLength, outputLength, inputKinds, collateralBps, royaltyBps],
      keccak256(tensors),
    ],
  );
}

export interface Registration {
  readonly facts: ModelFacts;
  readonly trapdoor: Trapdoor;
  readonly key: Hex;
  readonly from: HardhatEthersSigner;
  readonly series: string;
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

/** A request to be drafted: any of its terms, and what its hashes are of. */
export interface Draft extends Terms {
  /** The model's input, as the prover has it. */
  readonly input: Uint8Array;
  /** What Reference, Source and Private send in its place: URI, or abi.encode(source, query). */
  readonly origin: BytesLike;
}

export interface Asking extends Draft {
  readonly from: HardhatEthersSigner;
  readonly payment: "direct" | "account";
  /** Native coin that is sent along: maxFee, if it is paid in it and directly. */
  readonly value: bigint;
}

/** A request that was made, as it is stored, with the input that an answer brings. */
export interface Asked {
  readonly id: string;
  readonly r: Terms;
  readonly input: Uint8Array;
  readonly sent: ContractTransactionResponse;
}

/** The arguments of fulfil. */
export interface Answer {
  readonly id: string;
  readonly r: Terms;
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  readonly c: bigint;
  readonly words: readonly bigint[];
  readonly prover: string;
}

/** What `answer` may be told: another text of the claim, another key, other blinding. */
export type AnswerOver = Partial<ClaimText> & {
  readonly trapdoor?: Trapdoor;
  readonly blinding?: { readonly a: bigint; readonly b: bigint };
};

export type Sent = Promise<ContractTransactionResponse>;

const SIGNERS = ["deployer", "publisher", "requester", "prover", "stranger", "payer", "rival"] as const;
export type Signers = Readonly<Record<(typeof SIGNERS)[number], HardhatEthersSigner>>;

export async function openChain(chainNumber = Number(CHAIN_ID)) {
  const connection = await network.create({ override: { chainId: chainNumber, initialDate: new Date(START * 1000) } });
  const { ethers, networkHelpers } = connection;
  const second = await shadowed(connection.provider);
  const chainId = BigInt(chainNumber);
  let nonce = 0n;

  async function stage() {
    const all = await ethers.getSigners();
    const signers = Object.fromEntries(SIGNERS.map((name, i) => [name, all[i]])) as unknown as Signers;
    const { publisher, requester, prover, stranger } = signers;
    const deploy = async (name: string, ...args: unknown[]): Promise<BaseContract> => {
      const contract = (await ethers.deployContract(name, args, signers.deployer)) as BaseContract;
      await contract.waitForDeployment();
      return contract;
    };
    const registry = await deploy("ModelRegistry");
    const registryAddress = await registry.getAddress();
    const validator = await deploy("SignatureValidator");
    const coordinator = await deploy("InferenceCoordinator", registryAddress, await validator.getAddress());
    const coordinatorAddress = await coordinator.getAddress();
    const verifier = await deploy("Groth16Verifier");
    const relay = await deploy("RequestRelay", coordinatorAddress);
    const series = seriesIdOf(publisher.address);
    await (await send(registry, "createSeries", [SERIES_NAME, 3], { from: publisher })).wait();

    /** What register is called with: series, facts, key, sample; and the id that is to come of it. */
    function registration(over: Partial<Registration> = {}) {
      const { facts = MODEL, trapdoor = TRAPDOOR, from = publisher, series = seriesIdOf(from.address) } = over;
      const key = over.key ?? bytesOfWords(keyWords(verifyingKeyOf(trapdoor)));
      const id = modelIdOf(series, facts, key);
      const c = over.sample?.c ?? C;
      const isPrivate = facts.inputKinds === 1 << INPUT_KIND.private;
      const claim: ClaimText = {
        domain: "sample",
        chainId,
        contract: registryAddress,
        requestId: ZERO_ID,
        modelId: id,
        prover: from.address,
        c,
        input: over.sample?.input ?? (isPrivate ? NOTHING : bytesOf("sample input", facts.inputLength)),
        output: over.sample?.output ?? bytesOf("sample output", facts.outputLength),
        ...(isPrivate ? { inputHash: toBeHex(c, 32) as Hex } : {}),
        ...over.sample,
      };
      const proof = over.sent?.proof ?? prove(trapdoor, claimFacts(claim).signals);
      const sample = { input: claim.input, output: claim.output, c: claim.c, ...over.sent, proof: proofWords(proof) };
      return { id, from, args: [series, facts, key, sample] as const };
    }
    function register(over: Partial<Registration> = {}): Sent {
      const { args, from } = registration(over);
      return send(registry, "register", args, { from });
    }
    /** Registers a model of other facts in the publisher's series. */
    async function another(over: Partial<ModelFacts>): Promise<string> {
      const facts = modelFacts(over);
      await (await register({ facts })).wait();
      return registration({ facts }).id;
    }

    const model = registration().id;
    await (await register()).wait();

    /** A flat fee in the native coin, from now to DEADLINE, claims of an hour, the input in calldata; a fresh nonce. */
    function draft(over: Partial<Draft> = {}): Terms {
      const { input = INPUT, origin = NOTHING, ...terms } = over;
      const inputKind = terms.inputKind ?? INPUT_KIND.data;
      const hashes: Readonly<Record<number, string>> = {
        [INPUT_KIND.source]: ZeroHash,
        [INPUT_KIND.private]: toBeHex(C, 32),
      };
      const maxFee = terms.maxFee ?? FEE;
      return {
        requester: requester.address,
        payer: terms.requester ?? requester.address,
        consumer: NOBODY,
        prover: NOBODY,
        model,
        inputKind,
        inputHash: hashes[inputKind] ?? keccak256(input),
        originHash: inputKind === INPUT_KIND.data ? ZeroHash : keccak256(origin),
        token: NATIVE,
        minFee: maxFee,
        maxFee,
        minCollateral: 0n,
        start: START,
        rampEnd: terms.start ?? START,
        deadline: DEADLINE,
        submitBy: DEADLINE,
        claimPeriod: CLAIM_PERIOD,
        callbackGas: 0,
        requiredEvidence: 1,
        allowDevelopmentKeys: false,
        nonce: terms.nonce ?? ++nonce,
        readAt: 0,
        ...terms,
      };
    }
    const idOf = (r: Terms): string => requestIdOf(coordinatorAddress, chainId, r);
    const sentInput = (r: Terms, { input = INPUT, origin = NOTHING }: Partial<Draft>): BytesLike =>
      r.inputKind === INPUT_KIND.data ? input : origin;

    /** What came of a request: for a Source, the coordinator filled two fields in. */
    async function made(r: Terms, input: Uint8Array, sent: ContractTransactionResponse): Promise<Asked> {
      if (r.inputKind !== INPUT_KIND.source) return { id: idOf(r), r, input, sent };
      const receipt = await sent.wait();
      const read = receipt?.logs.map((log) => coordinator.interface.parseLog(log)).find((e) => e?.name === "Requested");
      if (read === undefined || read === null) throw new Error("the request left no event Requested");
      const { inputHash, readAt } = read.args[3] as { inputHash: string; readAt: bigint };
      const stored = { ...r, inputHash, readAt: Number(readAt) };
      return { id: idOf(stored), r: stored, input, sent };
    }

    /** Makes a request: of the requester, with the fee in the transaction. */
    async function request(over: Partial<Asking> = {}): Promise<Asked> {
      const { from = requester, payment = "direct", value, ...rest } = over;
      const r = draft({ requester: from.address, ...rest });
      const due = payment === "direct" && r.token === NATIVE ? r.maxFee : 0n;
      const args = [r, sentInput(r, rest), payment === "direct" ? 1 : 0];
      const sent = await send(coordinator, "request", args, { from, value: value ?? due });
      return made(r, rest.input ?? INPUT, sent);
    }

    const sign = (r: Terms, by: HardhatEthersSigner = requester): Promise<string> =>
      by.signTypedData(domainOf(coordinatorAddress, chainId), REQUEST_TYPES, r);

    /** Sends a request that the requester signed, from a stranger; the payer's account pays. */
    async function requestFor(
      over: Partial<Draft> & { readonly from?: HardhatEthersSigner; readonly signature?: BytesLike } = {},
    ): Promise<Asked> {
      const { from = stranger, signature, ...rest } = over;
      const r = draft(rest);
      const args = [r, sentInput(r, rest), signature ?? (await sign(r))];
      return made(r, rest.input ?? INPUT, await send(coordinator, "requestFor", args, { from }));
    }

    /** A valid answer to a request, or to whatever the overrides say it is about. */
    function answer({ r, input = INPUT }: Pick<Asked, "r"> & Partial<Asked>, over: AnswerOver = {}): Answer {
      const { trapdoor = TRAPDOOR, blinding = { a: 7n, b: 11n }, ...text } = over;
      const isPrivate = r.inputKind === INPUT_KIND.private;
      const id = idOf(r);
      const claim: ClaimText = {
        domain: "claim",
        chainId,
        contract: coordinatorAddress,
        requestId: id,
        modelId: r.model,
        prover: prover.address,
        c: isPrivate ? BigInt(r.inputHash) : C,
        input: isPrivate ? NOTHING : input,
        output: OUTPUT,
        ...(isPrivate ? { inputHash: r.inputHash as Hex } : {}),
        ...text,
      };
      const words = proofWords(prove(trapdoor, claimFacts(claim).signals, blinding));
      return { id, r, input: claim.input, output: claim.output, c: claim.c, words, prover: claim.prover };
    }
    const answerArgs = ({ input, output, c, words }: Answer) => ({ input, output, c, proof: words });
    const fulfil = (a: Answer, from: HardhatEthersSigner = prover, gasLimit?: bigint): Sent =>
      send(coordinator, "fulfil", [a.r, answerArgs(a), a.prover], {
        from,
        ...(gasLimit === undefined ? {} : { gasLimit }),
      });
    const fulfilBatch = (answers: readonly Answer[], from: HardhatEthersSigner = prover): Sent =>
      send(
        coordinator,
        "fulfilBatch",
        [answers.map((a) => a.r), answers.map(answerArgs), answers[0]?.prover ?? prover.address],
        { from },
      );

    /** Claims with `value` in the transaction, or from the prover's account. */
    const claim = ({ r }: Pick<Asked, "r">, from: HardhatEthersSigner = prover, value = 0n): Sent =>
      send(coordinator, "claim", [r], { from, value });
    const expire = ({ r }: Pick<Asked, "r">, from = stranger): Sent => send(coordinator, "expire", [r], { from });
    const cancel = ({ r }: Pick<Asked, "r">, from = requester): Sent => send(coordinator, "cancel", [r], { from });
    const retry = ({ r }: Pick<Asked, "r">, from = stranger): Sent => send(coordinator, "retryCallback", [r], { from });

    const deposit = (from: HardhatEthersSigner, amount: bigint, token = NATIVE, account: string = from.address): Sent =>
      send(coordinator, "deposit", [token, account, amount], { from, value: token === NATIVE ? amount : 0n });
    const withdraw = (from: HardhatEthersSigner, to: string = from.address, amount = ALL, token = NATIVE): Sent =>
      send(coordinator, "withdraw", [token, to, amount], { from });
    const authorise = (from: HardhatEthersSigner, consumer: string, amount: bigint, token = NATIVE): Sent =>
      send(coordinator, "authorise", [consumer, token, amount], { from });
    const balanceOf = (account: string, token = NATIVE): Promise<bigint> =>
      view(coordinator, "balanceOf", [account, token]) as Promise<bigint>;
    const statusOf = ({ r }: Pick<Asked, "r">): Promise<unknown> => view(coordinator, "statusOf", [r]);
    const resultOf = ({ id }: Pick<Asked, "id">): Promise<Record<string, unknown>> =>
      view(coordinator, "resultOf", [id]) as Promise<Record<string, unknown>>;

    /** What the coordinator holds of `token` beyond what the signers (and `others`) can withdraw: the escrow. */
    async function books(token = NATIVE, others: readonly string[] = []) {
      const held =
        token === NATIVE
          ? await ethers.provider.getBalance(coordinatorAddress)
          : ((await view(new Contract(token, TOKEN, ethers.provider), "balanceOf", [coordinatorAddress])) as bigint);
      const names = new Map<string, string>(others.map((other) => [other, other]));
      for (const name of SIGNERS) names.set(signers[name].address, name);
      const accounts: (readonly [string, bigint])[] = [];
      for (const [address, name] of names) accounts.push([name, await balanceOf(address, token)]);
      const owed = Object.fromEntries(accounts.filter(([, amount]) => amount > 0n));
      const escrow = accounts.reduce((rest, [, amount]) => rest - amount, held);
      return { escrow, owed };
    }

    return {
      ...{
        ethers,
        deploy,
        signers,
        registry,
        registryAddress,
        coordinator,
        coordinatorAddress,
        validator,
        verifier,
        relay,
      },
      ...{ series, model, registration, register, another, draft, idOf, request, sign, requestFor, answer, answerArgs },
      ...{ fulfil, fulfilBatch, claim, expire, cancel, retry, deposit, withdraw, authorise, balanceOf, statusOf },
      ...{ resultOf, books },
    };
  }

  return {
    connection,
    ethers,
    /** The state above, restored at each call. */
    stage: () => {
      nonce = 0n;
      return networkHelpers.loadFixture(stage);
    },
    /** The next block has this time. */
    at: (time: number) => networkHelpers.time.setNextBlockTimestamp(time),
    helpers: networkHelpers,
    /** The same chain on another EVM implementation. */
    second,
  };
}

export type Chain = Awaited<ReturnType<typeof openChain>>;
export type Stage = Awaited<ReturnType<Chain["stage"]>>;

export function send(
  contract: BaseContract,
  name: string,
  args: readonly unknown[],
  { from, ...options }: { readonly from: HardhatEthersSigner; readonly value?: bigint; readonly gasLimit?: bigint },
): Sent {
  return contract
    .connect(from)
    .getFunction(name)
    .send(...args, options);
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
