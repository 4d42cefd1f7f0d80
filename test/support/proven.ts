// A compiled model on the chain of contracts.ts: registered with a proof of a sample, and answering requests and contracts
// with real Groth16 proofs. In process, without a node.
import { hexlify, keccak256, toBeHex } from "ethers";
import fs from "node:fs";
import path from "node:path";
import { compile, type CompileOptions } from "../../node/app/compile.ts";
import { type OpenModel, openModel } from "../../node/app/model.ts";
import { describeTensors } from "../../node/core/described.ts";
import type { Hex } from "../../node/core/domain.ts";
import { byteLengthOf } from "../../node/core/tensor.ts";
import type { Prover } from "../../node/proof/prover.ts";
import { type Answer, type Asked, modelFacts, send, type Stage, ZERO_ID } from "./contracts.ts";
import { claimFacts, type ClaimText } from "./contractsClaim.ts";
import { INPUT_KIND } from "./contractsRequest.ts";
import { silentStep } from "./packages.ts";
import { bytesOfWords, keyWords, proofWords } from "./trapdoor.ts";

/** The arguments of a fulfilment, or of a check without a request. */
export interface Shown {
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  readonly c: bigint;
  readonly proof: readonly bigint[];
}

export interface Proven {
  readonly id: string;
  readonly open: OpenModel;
  /** For the prover of the stage. */
  answer(asked: Asked): Promise<Answer>;
  /** For a contract that checks in its own transaction. */
  direct(contract: string, input: Uint8Array, salt?: bigint): Promise<Shown>;
}

/** Compiles `onnx`, calibrated with `rows`, and opens the package. */
export async function compiledHere(
  folder: string,
  name: string,
  onnx: Uint8Array,
  rows: readonly (readonly number[])[],
  options: Partial<CompileOptions> = {},
): Promise<OpenModel> {
  const [source, calibration] = [path.join(folder, `${name}.onnx`), path.join(folder, `${name}.json`)];
  fs.writeFileSync(source, onnx);
  fs.writeFileSync(calibration, JSON.stringify({ x: rows }));
  const given = { source, calibration, name, out: path.join(folder, name), keyCache: path.join(folder, "keys") };
  const { package: pack } = await compile({ ...given, keys: true, ...options }, silentStep);
  return openModel(pack.folder, { keys: true });
}

/** Registers an open model in the publisher's series, with a proof of `sample` (input bytes). */
export async function provenModel(s: Stage, open: OpenModel, prover: Prover, sample: Uint8Array): Promise<Proven> {
  const { manifest, digest, vkey } = open.package;
  if (vkey === undefined) throw new Error(`${manifest.name} has no key`);
  const isPrivate = open.claim !== "public";
  const digests = Object.entries({
    sourceDigest: manifest.files.source?.sha256,
    quantizedDigest: manifest.files.quantized?.sha256,
    circuitDigest: manifest.files.circuit?.sha256,
    manifestDigest: digest,
  }).map(([name, value]) => [name, `0x${value ?? ""}`]);
  const facts = modelFacts({
    ...(Object.fromEntries(digests) as object),
    inputLength: byteLengthOf(open.inputs),
    outputLength: byteLengthOf(open.outputs),
    keyKind: 0,
    inputKinds: isPrivate ? 1 << INPUT_KIND.private : modelFacts().inputKinds,
    tensors: hexlify(describeTensors(open)),
  });
  const chainId = (await s.ethers.provider.getNetwork()).chainId;

  type About = Pick<ClaimText, "domain" | "contract" | "requestId" | "modelId" | "prover">;
  async function prove(about: About, input: Uint8Array, salt?: bigint): Promise<Shown> {
    const shown = isPrivate ? new Uint8Array(0) : input;
    const challengeOf = (c: bigint, output: Uint8Array): bigint => {
      const inputHash = isPrivate ? (toBeHex(c, 32) as Hex) : (keccak256(input) as Hex);
      return claimFacts({ ...about, chainId, c, input: shown, output, inputHash }).signals.r;
    };
    const { output, signals, proof } = await open.prove(prover, input, challengeOf, salt === undefined ? {} : { salt });
    return { input: shown, output, c: signals.c, proof: proofWords(proof) };
  }

  const { publisher, prover: payee } = s.signers;
  const key = bytesOfWords(keyWords(vkey));
  const { id } = s.registration({ facts, key });
  const about = { domain: "sample", contract: s.registryAddress, requestId: ZERO_ID, modelId: id } as const;
  const shown = await prove({ ...about, prover: publisher.address }, sample, isPrivate ? 1n : undefined);
  await (await send(s.registry, "register", [s.series, facts, key, shown], { from: publisher })).wait();

  return {
    id,
    open,
    async answer({ id: requestId, r, input }) {
      const about = { domain: "claim", contract: s.coordinatorAddress, requestId, modelId: id } as const;
      const { proof: words, ...rest } = await prove({ ...about, prover: payee.address }, input);
      return { id: requestId, r, ...rest, words, prover: payee.address };
    },
    direct: (contract, input, salt) =>
      prove(
        { domain: "direct", contract: s.coordinatorAddress, requestId: ZERO_ID, modelId: id, prover: contract },
        input,
        salt,
      ),
  };
}
