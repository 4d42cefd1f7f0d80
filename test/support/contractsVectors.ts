// Writes test/vectors/claim.json: run it with node when the claim changes, which takes a new version of its domains.
// c is an arbitrary field element here; sponge.json says how a circuit derives it from the words.
import { writeFileSync } from "node:fs";
import { getAddress, getBytes, hexlify, id, toBeHex } from "ethers";
import { R } from "../../node/core/field.ts";
import { claimFacts, type ClaimText } from "./contractsClaim.ts";

export interface ClaimVector {
  readonly name: string;
  readonly domain: ClaimText["domain"];
  /** Integers are decimal strings, bytes are hex. */
  readonly chainId: string;
  readonly contract: string;
  readonly requestId: string;
  readonly modelId: string;
  readonly prover: string;
  readonly c: string;
  readonly input: string;
  readonly output: string;
  readonly inputHash: string;
  readonly outputHash: string;
  readonly words: readonly string[];
  readonly r: string;
  readonly v: string;
}

/** `length` bytes that look like chance: keccak256 of name and block number, one after the other. */
export function bytesOf(name: string, length: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(length / 32) * 32);
  for (let at = 0; at < bytes.length; at += 32) bytes.set(getBytes(id(`${name}.${at / 32}`)), at);
  return bytes.subarray(0, length);
}

function textOf(name: string, inputLength: number, outputLength: number, over: Partial<ClaimText> = {}): ClaimText {
  return {
    domain: "claim",
    chainId: 31337n,
    contract: getAddress(id(`${name}.contract`).slice(0, 42)),
    requestId: id(`${name}.request`),
    modelId: id(`${name}.model`),
    prover: getAddress(id(`${name}.prover`).slice(0, 42)),
    c: BigInt(id(`${name}.c`)) % R,
    input: bytesOf(`${name}.input`, inputLength),
    output: bytesOf(`${name}.output`, outputLength),
    ...over,
  };
}

const CASES: readonly (readonly [string, number, number, Partial<ClaimText>?])[] = [
  ["one byte each", 1, 1],
  ["last byte of a word missing", 30, 30],
  ["one whole word each", 31, 31],
  ["one byte in the second word", 32, 32],
  ["two whole words", 62, 62],
  ["one byte in the third word", 63, 63],
  ["digits: 8x8 pixels, ten int16", 64, 20],
  ["28x28 pixels, ten int16", 784, 20],
  ["28x28 pixels, one byte", 784, 1],
  ["long output", 1, 784],
  ["all zeros", 62, 31, { input: new Uint8Array(62), output: new Uint8Array(31) }],
  ["all ones", 63, 32, { input: new Uint8Array(63).fill(255), output: new Uint8Array(32).fill(255) }],
  ["zeros moved from input to output", 31, 62, { input: new Uint8Array(31), output: new Uint8Array(62) }],
  ["sample of a registration", 64, 20, { domain: "sample", requestId: toBeHex(0, 32) }],
  ["c is zero, chain is 1", 64, 20, { c: 0n, chainId: 1n }],
  ["c is the largest, chain id of 53 bits", 64, 20, { c: R - 1n, chainId: 2n ** 53n - 1n }],
];

export function claimVectors(): ClaimVector[] {
  return CASES.map(([name, inputLength, outputLength, over]) => {
    const text = textOf(name, inputLength, outputLength, over);
    const facts = claimFacts(text);
    return {
      name,
      domain: text.domain,
      chainId: text.chainId.toString(),
      contract: text.contract,
      requestId: text.requestId,
      modelId: text.modelId,
      prover: text.prover,
      c: text.c.toString(),
      input: hexlify(text.input),
      output: hexlify(text.output),
      inputHash: facts.inputHash,
      outputHash: facts.outputHash,
      words: facts.words.map(String),
      r: facts.signals.r.toString(),
      v: facts.signals.v.toString(),
    };
  });
}

export const CLAIM_VECTORS = new URL("../vectors/claim.json", import.meta.url);

if (import.meta.main) writeFileSync(CLAIM_VECTORS, `${JSON.stringify(claimVectors(), null, 2)}\n`);
