// A compiled model opened for use: run it on a claim's bytes, and prove one claim about it. The node serves through this,
// and so does every command. What is loaded here was checked by proof/package.ts.
import fs from "node:fs";
import { bindingOf, claimOf } from "../circuit/claim.ts";
import { type MakeWitness, prepareWitness } from "../circuit/witness.ts";
import { keyHash } from "../chain/codec.ts";
import type { ClaimForm, Proof, Signals } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import { type BorderTensor, byteLengthOf, decodeTensors, encodeTensors } from "../core/tensor.ts";
import { toIntegers } from "../model/border.ts";
import { parseSample, readDataset } from "../model/dataset.ts";
import { outputsOf } from "../model/evaluate.ts";
import { bordersOf, type Graph } from "../model/ir.ts";
import { openRunner } from "../model/run.ts";
import { loadPackage, type ModelPackage, readGraph } from "../proof/package.ts";
import type { Prover } from "../proof/prover.ts";

/** What running and proving need of a package. */
export interface Parts {
  readonly name: string;
  readonly graph: Graph;
  readonly onnx: Uint8Array;
  readonly claim: ClaimForm;
  /** Path of the proving key. */
  readonly zkey: string;
}

/** What serving needs besides: how the registry names the model. */
export interface Package extends Parts {
  readonly keyHash: string;
  readonly quantizedDigest: string;
  readonly circuitDigest: string;
}

export interface ProveOptions extends LongCall {
  /** Of the commitment to the input, where the model's claim has a private one. */
  readonly salt?: bigint;
}

export interface Session {
  readonly claim: ClaimForm;
  readonly graph: Graph;
  readonly onnx: Uint8Array;
  readonly inputs: readonly BorderTensor[];
  readonly outputs: readonly BorderTensor[];
  /** Runs the quantized ONNX file on a claim's input bytes. */
  infer(input: Uint8Array): Promise<{ readonly output: Uint8Array; readonly tensors: readonly Float64Array[] }>;
  /**
   * Answers and proves. `challengeOf` gives r for c and the output, as the contract will compute it. @throws NodeError
   * "input" for a salt that is missing or not wanted
   */
  prove(
    prover: Prover,
    input: Uint8Array,
    challengeOf: (c: bigint, output: Uint8Array) => bigint,
    options?: ProveOptions,
  ): Promise<Answer>;
  close(): Promise<void>;
}

export interface OpenModel extends Session {
  readonly package: ModelPackage;
}

export interface Answer {
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  readonly signals: Signals;
  readonly proof: Proof;
  readonly witnessMs: number;
  readonly proveMs: number;
}

/** @throws NodeError "integrity" if graph and quantized ONNX do not belong together */
export async function openSession({ name, graph, onnx, claim: form, zkey }: Parts): Promise<Session> {
  const { inputs, outputs } = bordersOf(graph);
  const length = byteLengthOf(inputs);
  const runner = await openRunner(onnx, graph);
  let witness: Promise<MakeWitness> | undefined;

  async function infer(bytes: Uint8Array): Promise<{ output: Uint8Array; tensors: readonly Float64Array[] }> {
    if (bytes.length !== length) {
      throw new NodeError("input", `${name} takes ${length} bytes, not ${bytes.length}`, {
        mend: "`glassbox inspect` prints the shapes and types of the model's inputs.",
      });
    }
    const tensors = await runner.run(decodeTensors(inputs, bytes));
    return { tensors, output: encodeTensors(outputs, outputsOf(graph, tensors)) };
  }

  return {
    claim: form,
    graph,
    onnx,
    inputs,
    outputs,
    infer,
    async prove(prover, bytes, challengeOf, { salt, ...call } = {}) {
      const { tensors, output: answer } = await infer(bytes);
      const r = challengeOf(bindingOf(bytes, answer, salt), answer);
      const claim = { ...claimOf(bytes, answer, r, salt), r };
      const started = performance.now();
      const make = await (witness ??= prepareWitness(graph, form));
      const wtns = make(tensors, r, salt);
      const made = performance.now();
      const { proof, signals } = await prover.prove({ zkey, wtns }, call);
      if (signals.c !== claim.c || signals.v !== claim.v || signals.r !== r) {
        throw new NodeError("integrity", `${name}: the circuit's signals are not those of the claim`, {
          mend: "Key, circuit and model belong to different compilations; compile the model again.",
        });
      }
      const [witnessMs, proveMs] = [made - started, performance.now() - made];
      return { input: bytes, output: answer, signals, proof, witnessMs, proveMs };
    },
    close: () => runner.close(),
  };
}

async function partsOf(pack: ModelPackage): Promise<Parts> {
  return {
    name: pack.manifest.name,
    graph: await readGraph(pack),
    onnx: new Uint8Array(fs.readFileSync(pack.path("quantized"))),
    claim: pack.manifest.choices.claim,
    zkey: pack.path("zkey"),
  };
}

/** @throws NodeError of loadPackage and openSession */
export async function openModel(folder: string, options: { readonly keys: boolean } & LongCall): Promise<OpenModel> {
  const pack = await loadPackage(folder, options);
  return { ...(await openSession(await partsOf(pack))), package: pack };
}

/** A package as the node serves it. @throws NodeError "input" for a package without a key */
export async function servedPackage(folder: string, call: LongCall = {}): Promise<Package> {
  const pack = await loadPackage(folder, { keys: true, ...call });
  const { quantized, circuit } = pack.manifest.files;
  if (pack.vkey === undefined || quantized === undefined || circuit === undefined) {
    throw new NodeError("internal", `${folder} was loaded without its key`);
  }
  const digests = { quantizedDigest: quantized.sha256, circuitDigest: circuit.sha256 };
  return { ...(await partsOf(pack)), keyHash: keyHash(pack.vkey), ...digests };
}

/**
 * Input bytes from what a user gives: 0x-hex of the bytes themselves; real values as JSON, {"name": [...], ...} or a list for
 * the only input; or a data file of real values with the number of the sample behind a "#" ("test.npz#7"; without one, the
 * first).
 */
export async function inputOf(
  inputs: readonly BorderTensor[],
  text: string,
  place: (typed: string) => string,
): Promise<Uint8Array> {
  if (/^0x([0-9a-fA-F]{2})+$/.test(text)) return new Uint8Array(Buffer.from(text.slice(2), "hex"));
  const spell = (reals: Float64Array): Uint8Array => encodeTensors(inputs, toIntegers(inputs, reals));
  if (/^\s*[[{]/.test(text)) return spell(parseSample(text, inputs));
  const [file, number = "0"] = text.split("#") as [string, string?];
  const data = await readDataset(place(file), inputs, { single: true, classes: false });
  const sample = data.samples[Number(number)];
  if (!/^\d+$/.test(number) || sample === undefined) {
    throw new NodeError("input", `${file} has no sample ${number}`, {
      mend: `It has ${data.samples.length}: name one from 0 to ${data.samples.length - 1} behind a #.`,
    });
  }
  return spell(sample);
}
