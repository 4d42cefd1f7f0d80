// What anyone can check again about one answer, from the chain and from the model's package: the three questions, each as a
// list of checks that were really done. Reads only. A check that lacks its material is "absent", never "ok".
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { buildCircuit } from "../circuit/build.ts";
import { claimOf } from "../circuit/claim.ts";
import { challenge, keccak, keyHash, modelId } from "../chain/codec.ts";
import type { ClaimSeen, FulfilmentSeen, InputReadSeen, RequestSeen } from "../chain/codec.ts";
import type { ChainClient, ModelRecord, ResultRecord, SeriesRecord } from "../chain/client.ts";
import { inputBytes, priceAt, requestId, unitOf } from "../chain/request.ts";
import { describeTensors } from "../core/described.ts";
import { privateCommitment } from "../core/commitment.ts";
import { Evidence, type InputKind, type ModelId, type RequestId, type VerifyingKey } from "../core/domain.ts";
import { asNodeError, NodeError, throwIfAborted } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import { R } from "../core/field.ts";
import { byteLengthOf, decodeTensors, encodeTensors, fingerprint, wordsOfBytes } from "../core/tensor.ts";
import { emitOnnx } from "../model/emit.ts";
import { outputsOf } from "../model/evaluate.ts";
import { bordersOf, type Graph } from "../model/ir.ts";
import { openRunner } from "../model/run.ts";
import { sha256 } from "../proof/files.ts";
import { loadPackage, type ModelPackage, readGraph } from "../proof/package.ts";
import { makeDevelopmentKey } from "../proof/setup.ts";
import { verifyProof } from "../proof/verify.ts";
import { soundVerifyingKey } from "../proof/vkey.ts";

export type Question = "model" | "environment" | "output";

export const QUESTIONS: Readonly<Record<Question, string>> = {
  model: "Who verified the model?",
  environment: "Who checked the environment it ran in?",
  output: "Who proved the output was created the right way?",
};

export interface Check {
  readonly question: Question;
  readonly name: string;
  /** absent: what it takes was not given or does not exist. */
  readonly outcome: "ok" | "failed" | "absent";
  readonly detail: string;
}

export interface AuditReport {
  readonly request: RequestId;
  readonly model: ModelId;
  readonly asked: RequestSeen;
  readonly result: ResultRecord;
  readonly record: ModelRecord;
  readonly series: SeriesRecord;
  /** The last claim of the request, if there was one. */
  readonly claim: ClaimSeen | undefined;
  /** What it was paid. */
  readonly price: bigint | undefined;
  /** Of input that the coordinator read from another contract. */
  readonly origin: InputReadSeen | undefined;
  readonly checks: readonly Check[];
  readonly answers: Readonly<Record<Question, string>>;
  /** No check failed. */
  readonly passed: boolean;
}

export interface AuditOptions extends LongCall {
  readonly client: ChainClient;
  readonly request: RequestId;
  /** First block to search for the request's events. */
  readonly fromBlock: number;
  /** The model's package, to derive everything again from; without it the chain alone is checked. */
  readonly folder?: string;
  /** Quantizes the package's source again: digest of the quantized ONNX that comes out; undefined without calibration data. */
  readonly requantize?: (model: ModelPackage, call: LongCall) => Promise<string | undefined>;
  /** Text of the prover's environment statement. */
  readonly statement?: string;
  /** Brings an input of which only hash and URI are on chain. */
  readonly fetchInput?: (asked: RequestSeen, length: number, call: LongCall) => Promise<Uint8Array>;
  /** What opens the commitment to a private input, if the requester showed it. */
  readonly opening?: { readonly salt: bigint; readonly input: Uint8Array };
}

/** @throws NodeError "input" if there is no such request or no result yet; what fails to hold is in the report. */
export async function audit(options: AuditOptions): Promise<AuditReport> {
  const { client, request, fromBlock, signal } = options;
  const asked = await client.requested(request, fromBlock, signal);
  if (asked === undefined) {
    throw new NodeError("input", `the coordinator ${client.coordinator} has no request ${request}`, {
      mend: "Check the id, the chain and --from-block.",
    });
  }
  const model = asked.request.model;
  const result = await client.resultOf(request, signal);
  const record = await client.modelOf(model, signal);
  const key = await client.keyOf(model, signal);
  const series = record && (await client.seriesOf(record.series, signal));
  if (result === undefined || record === undefined || key === undefined || series === undefined) {
    throw new NodeError("input", `request ${request} has no result to audit`, {
      mend: "It is still open, or it expired: look at it again when it is fulfilled.",
    });
  }
  const from = asked.block.number;
  const seen = await client.fulfilled(request, from, signal);
  const claim = asked.request.claimPeriod === 0 ? undefined : await client.claimed(request, from, signal);
  const origin = asked.request.inputKind === "source" ? await client.inputRead(request, from, signal) : undefined;
  const checks: Check[] = [];
  const facts: Facts = { ...options, asked, result, record, series, key, model, seen, claim, origin };
  for (const part of [checkModel, checkEnvironment, checkOutput]) {
    await part(facts, ledger(checks, options));
  }
  return {
    ...{ request, model, asked, result, record, series, claim, origin, checks },
    price: seen?.price,
    answers: answersOf(facts, checks),
    passed: checks.every(({ outcome }) => outcome !== "failed"),
  };
}

interface Facts extends AuditOptions {
  readonly asked: RequestSeen;
  readonly result: ResultRecord;
  readonly record: ModelRecord;
  readonly series: SeriesRecord;
  readonly key: VerifyingKey;
  readonly model: ModelId;
  readonly seen: FulfilmentSeen | undefined;
  readonly claim: ClaimSeen | undefined;
  readonly origin: InputReadSeen | undefined;
}

/** Runs a check: a returned text is its detail, `false` and anything thrown is a failure, undefined is absence. */
type Ledger = (
  question: Question,
  name: string,
  work: () => Promise<readonly [holds: boolean, detail: string] | undefined>,
  absent?: string,
) => Promise<boolean>;

function ledger(checks: Check[], { signal, onProgress }: LongCall): Ledger {
  return async (question, name, work, absent = "not given") => {
    throwIfAborted(signal);
    onProgress?.({ what: name });
    let done: readonly [boolean, string] | undefined;
    try {
      done = await work();
    } catch (thrown) {
      const error = asNodeError(thrown);
      if (error.code === "aborted" || error.code === "chain") throw error;
      done = [false, error.message];
    }
    const outcome = done === undefined ? "absent" : done[0] ? "ok" : "failed";
    checks.push({ question, name, outcome, detail: done?.[1] ?? absent });
    return outcome === "ok";
  };
}

async function checkModel(facts: Facts, check: Ledger): Promise<void> {
  const { record, key, model, folder, signal } = facts;
  await check("model", "model id", async () => [
    modelId(record) === model,
    "the id is the hash of series, digests, key, lengths, tensors and terms that the registry records",
  ]);
  await check("model", "verifying key", async () => {
    await soundVerifyingKey(key);
    return [
      keyHash(key) === record.keyHash,
      "the registry's key has the recorded hash, valid points, gamma other than delta",
    ];
  });
  const without = "no package given: digests on chain were not compared with files";
  let pack: ModelPackage | undefined;
  let graph: Graph | undefined;
  await check(
    "model",
    "package",
    async () => {
      if (folder === undefined) return undefined;
      pack = await loadPackage(folder, { keys: false, ...(signal && { signal }) });
      const { source, quantized, circuit } = pack.manifest.files;
      const holds =
        pack.digest === record.manifestDigest &&
        source?.sha256 === record.sourceDigest &&
        quantized?.sha256 === record.quantizedDigest &&
        circuit?.sha256 === record.circuitDigest;
      return [
        holds,
        `manifest, source, quantized ONNX and circuit have the digests on chain (${pack.digest.slice(0, 16)}…)`,
      ];
    },
    without,
  );
  if (pack === undefined) return;
  const found = pack;
  await check("model", "key and lengths", async () => {
    const { vkey, manifest } = found;
    const { inputs, outputs } = manifest;
    const differs = [
      vkey !== undefined && keyHash(vkey) === record.keyHash ? [] : ["the verifying key"],
      manifest.key?.kind === record.keyKind ? [] : [`the kind of key (here ${manifest.key?.kind ?? "none"})`],
      byteLengthOf(inputs) === record.inputLength ? [] : ["the input's length"],
      byteLengthOf(outputs) === record.outputLength ? [] : ["the output's length"],
      Buffer.from(describeTensors(manifest)).equals(record.tensors) ? [] : ["the tensors' types, scales and shapes"],
      (manifest.choices.claim === "private-input") === record.inputKinds.includes("private")
        ? []
        : ["whether its input is private"],
    ].flat();
    return differs.length === 0
      ? [
          true,
          `the package has the key on chain, it calls it a ${record.keyKind} key too, and lengths and tensors agree`,
        ]
      : [false, `the registry records another than the package: ${differs.join(", ")}`];
  });
  await check("model", "quantized ONNX derived again", async () => {
    graph = await readGraph(found);
    const { inputs, outputs } = found.manifest;
    const described = isDeepStrictEqual(bordersOf(graph), { inputs, outputs });
    if (!described) return [false, "the manifest describes other inputs or outputs than the integer graph has"];
    return [sha256(emitOnnx(graph)) === record.quantizedDigest, "the integer graph emits the same file, byte for byte"];
  });
  await check(
    "model",
    "quantization done again",
    async () => {
      const digest = await facts.requantize?.(found, facts);
      if (digest === undefined) return undefined;
      return [
        digest === record.quantizedDigest,
        "source and calibration give the same quantized ONNX file, byte for byte",
      ];
    },
    "calibration data not given: the step from the float model was not done again",
  );
  const derived = graph;
  if (derived !== undefined) await withTemporary((temporary) => deriveKey(facts, check, derived, found, temporary));
}

async function deriveKey(
  facts: Facts,
  check: Ledger,
  graph: Graph,
  { manifest }: ModelPackage,
  temporary: string,
): Promise<void> {
  const { record, signal, onProgress } = facts;
  const call: LongCall = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
  const r1cs = path.join(temporary, "circuit.r1cs");
  const same = await check("model", "circuit derived again", async () => {
    const { sha256: digest, constraints } = await buildCircuit(graph, {
      claim: manifest.choices.claim,
      file: r1cs,
      ...call,
    });
    return [digest === record.circuitDigest, `${constraints} constraints, byte for byte those of the digest on chain`];
  });
  await check(
    "model",
    "key derived again",
    async () => {
      const { key } = manifest;
      if (!same || key?.kind !== "development") return undefined;
      const { vkey } = await makeDevelopmentKey({
        r1cs,
        zkey: path.join(temporary, "key.zkey"),
        seed: key.seed,
        ...call,
      });
      return [keyHash(vkey) === record.keyHash, "the development key is the one of this circuit and the stated seed"];
    },
    "a ceremony's key: check its transcript with `glassbox ceremony verify` and the powers of tau",
  );
}

async function withTemporary<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-audit-"));
  try {
    return await use(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function checkEnvironment({ result, statement }: Facts, check: Ledger): Promise<void> {
  const declared = !/^0x0+$/.test(result.environment);
  await check(
    "environment",
    "environment statement",
    async () => {
      if (!declared || statement === undefined) return undefined;
      return [
        `0x${sha256(statement)}` === result.environment,
        "the given statement has the digest that the prover declared",
      ];
    },
    declared
      ? `the prover declared ${result.environment}; the statement's text was not given`
      : "the prover declared no environment",
  );
  await check("environment", "attested hardware", async () => undefined, "none: no attested hardware took part");
}

async function checkOutput(facts: Facts, check: Ledger): Promise<void> {
  const { client, request, asked, result, record, model, seen, claim, folder, signal } = facts;
  const { inputKind, inputHash } = asked.request;
  await check("output", "request", async () => [
    requestId(client, asked.request) === request,
    "the id is the digest of the request's terms, on this chain and coordinator",
  ]);
  await check("output", "result and event", async () => {
    if (seen === undefined) return [false, "the coordinator has a result but no Fulfilled event"];
    const same =
      Buffer.from(seen.output).equals(result.output) &&
      seen.prover === result.prover &&
      seen.model === model &&
      result.model === model &&
      seen.evidence === result.evidence;
    return [same, `the stored result is that of the event in transaction ${seen.transaction}`];
  });
  await check("output", "price", async () => {
    const due = claim === undefined ? priceAt(asked.request, result.fulfilledAt) : claim.price;
    const how =
      claim === undefined ? "the request's price at the second of the answer" : `locked by ${claim.prover}'s claim`;
    return [seen?.price === due, `${due} ${unitOf(asked.request)}, ${how}`];
  });
  let input: Uint8Array | undefined;
  await check(
    "output",
    "input",
    async () => {
      if (inputKind === "private") {
        const { opening } = facts;
        if (opening === undefined) return undefined;
        const opens = privateCommitment(opening.salt, opening.input) === BigInt(inputHash);
        if (!opens) return [false, "the salt and input that were shown do not open the commitment on chain"];
        input = opening.input;
        return [input.length === record.inputLength, ORIGINS[inputKind](facts)];
      }
      const brought =
        inputKind === "reference"
          ? await facts.fetchInput?.(asked, record.inputLength, facts).catch(unlessAway)
          : asked.input;
      if (brought === undefined) return undefined;
      if (keccak(brought) !== inputHash) return [false, "the bytes have another hash than the request names"];
      input = brought;
      return [await originHolds(facts), ORIGINS[inputKind](facts)];
    },
    inputKind === "private"
      ? "private: on chain is a commitment to it, and what opens it was not given"
      : "what the URI names was not fetched",
  );
  await check("output", "evidence bits", async () => {
    const expected =
      Evidence.zk |
      (record.keyKind === "development" ? Evidence.developmentKey : 0) |
      (inputKind === "source" ? Evidence.chainInput : 0);
    return [result.evidence === expected, `the result claims what there is: ${expected}`];
  });
  await check(
    "output",
    "proof",
    async () => {
      if (seen === undefined) return [false, "there is no proof to check"];
      if (input === undefined && inputKind !== "private") return undefined;
      return [
        await proofHolds(facts, seen, input),
        inputKind === "private"
          ? "v and r computed here from the output, c is the request's commitment; the proof holds under the key on chain"
          : "c, v and r computed here from the bytes; the proof holds under the key on chain",
      ];
    },
    "without the input's bytes its fingerprint cannot be computed",
  );
  await check(
    "output",
    "model run again",
    async () => {
      if (folder === undefined || input === undefined) return undefined;
      const pack = await loadPackage(folder, { keys: false, ...(signal && { signal }) });
      const { inputs, outputs } = pack.manifest;
      const graph = await readGraph(pack);
      const runner = await openRunner(new Uint8Array(fs.readFileSync(pack.path("quantized"))), graph);
      try {
        const tensors = await runner.run(decodeTensors(inputs, input));
        const again = encodeTensors(outputs, outputsOf(graph, tensors));
        return [
          Buffer.from(again).equals(result.output),
          "onnxruntime on this machine gives the same output, byte for byte",
        ];
      } finally {
        await runner.close();
      }
    },
    folder === undefined ? "no package given" : "the input's bytes are not at hand",
  );
}

/** What is not there now is absent, not wrong. */
function unlessAway(thrown: unknown): undefined {
  const error = asNodeError(thrown);
  if (!error.retry) throw error;
}

/** Where the input came from, in words. */
const ORIGINS: Readonly<Record<InputKind, (facts: Facts) => string>> = {
  data: () => "the event's input has the hash that the request names; the requester chose it",
  reference: ({ asked }) =>
    `what ${Buffer.from(asked.input).toString("utf8")} holds has the hash on chain; the requester chose it`,
  source: ({ asked, origin }) =>
    `the coordinator read it from contract ${origin?.source ?? "?"} at block ${asked.request.readAt}`,
  private: () => "the salt and input that were shown open the commitment on chain; the requester chose them",
};

async function originHolds({ asked, origin }: Facts): Promise<boolean> {
  const { inputKind, originHash } = asked.request;
  if (inputKind !== "source") return true;
  return origin !== undefined && keccak(inputBytes({ kind: "source", ...origin })) === originHash;
}

async function proofHolds(
  { client, request, model, asked, key }: Facts,
  seen: FulfilmentSeen,
  input: Uint8Array | undefined,
): Promise<boolean> {
  const { output, c, prover } = seen;
  const { chainId, coordinator: contract } = client;
  const shown = asked.request.inputKind === "private" ? undefined : input;
  const r = challenge("claim", { chainId, contract, request, model, prover, c, input: shown, output });
  // Of a private input the request names c; the fingerprint is of the output alone.
  const own =
    shown === undefined
      ? { c: BigInt(asked.request.inputHash), v: fingerprint(wordsOfBytes(output), r, R) }
      : claimOf(shown, output, r);
  return own.c === c && (await verifyProof(key, { c, v: own.v, r }, seen.proof));
}

function answersOf(facts: Facts, checks: readonly Check[]): Record<Question, string> {
  const { record, series, result, folder, asked, seen, claim } = facts;
  const failed = (question: Question): string | undefined => {
    const names = checks.filter((c) => c.question === question && c.outcome === "failed").map(({ name }) => name);
    return names.length === 0 ? undefined : `NOT AS CLAIMED: ${names.join(", ")}`;
  };
  const key =
    record.keyKind === "development"
      ? "its key is a DEVELOPMENT key, so whoever likes can forge proofs for it"
      : "its publisher says that its key comes from a ceremony, which this audit did not check";
  const derived =
    folder === undefined
      ? "nobody derived the circuit from the model file here"
      : "you: this audit derived the circuit from the model file";
  const royalty = record.royaltyBps === 0 ? "" : `; ${record.royaltyBps / 100} % of each price are its publisher's`;
  const state = [
    ...(record.retired ? ["it is retired"] : []),
    ...(record.successor === undefined ? [] : [`its publisher names ${record.successor} instead`]),
  ];
  const proved = checks.some(({ name, outcome }) => name === "proof" && outcome === "ok");
  const unit = unitOf(asked.request);
  return {
    model:
      failed("model") ??
      `Published by ${series.owner} as version ${record.version} of "${series.name}"${royalty}; ${[derived, key, ...state].join("; ")}.`,
    environment:
      failed("environment") ??
      (/^0x0+$/.test(result.environment)
        ? "Nobody: the prover declared no environment, and no attested hardware took part."
        : `Nobody but the prover: self-declared as ${result.environment.slice(0, 18)}…; no attested hardware took part.`),
    output:
      failed("output") ??
      `${result.prover} proved it with a zero-knowledge proof${claim === undefined ? "" : " after a claim"}, ` +
        `for ${seen?.price} ${unit}; the chain verified it${proved ? ", and this audit did again" : ""}.`,
  };
}
