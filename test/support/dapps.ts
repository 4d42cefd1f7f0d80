// What contracts ask: the request of a transaction that a dapp made, ready to be answered; the spelling of queries to
// sources. Proofs are the caller's (by trapdoor, or of a compiled model).
import { AbiCoder, type ContractTransactionResponse, getBytes, type Result, type Signer } from "ethers";
import { type Asked, type Stage } from "./contracts.ts";
import type { Terms } from "./contractsRequest.ts";

const coder = AbiCoder.defaultAbiCoder();
const NUMBERS = ["inputKind", "start", "rampEnd", "deadline", "submitBy", "claimPeriod", "callbackGas", "requiredEvidence", "readAt"]; // prettier-ignore

/** The only request that `sent` made, as it is stored, with the input that the event shows. */
export async function askedIn(s: Stage, sent: ContractTransactionResponse): Promise<Asked> {
  const receipt = await sent.wait();
  const events = receipt?.logs.map((log) => s.coordinator.interface.parseLog(log)) ?? [];
  const [event, ...others] = events.filter((e) => e?.name === "Requested");
  if (event === undefined || event === null || others.length > 0) throw new Error("not one event Requested");
  const fields = (event.args[3] as Result).toObject() as Record<string, unknown>;
  for (const name of NUMBERS) fields[name] = Number(fields[name]);
  return { id: event.args[0] as string, r: fields as unknown as Terms, input: getBytes(event.args[4] as string), sent };
}

export interface SourceCall {
  readonly target: string;
  readonly data?: string;
  readonly gas?: number;
  /** [word, signed, decimals] */
  readonly fields: readonly (readonly [number, boolean, number])[];
}

const CALLS = "tuple(address, bytes, uint32, tuple(uint16, bool, uint8)[])[]";

export function staticcallQuery(model: string, clamp: boolean, calls: readonly SourceCall[]): string {
  const list = calls.map(({ target, data = "0x", gas = 50_000, fields }) => [target, data, gas, fields]);
  return coder.encode(["bytes32", "bool", CALLS], [model, clamp, list]);
}

export function chainlinkQuery(model: string, clamp: boolean, feeds: readonly (readonly [string, number])[]): string {
  return coder.encode(["bytes32", "bool", "tuple(address, uint32)[]"], [model, clamp, feeds]);
}

export function twapQuery(
  model: string,
  clamp: boolean,
  pool: string,
  agos: readonly number[],
  changes: boolean,
): string {
  return coder.encode(["bytes32", "bool", "address", "uint32[]", "bool"], [model, clamp, pool, agos, changes]);
}

/** What a request of kind Source sends. */
export function originOf(source: string, query: string): string {
  return coder.encode(["address", "bytes"], [source, query]);
}

/** What a ClassifierGate's issuer signs of an account. */
export interface Attestation {
  readonly gate: string;
  readonly chainId: bigint;
  readonly account: string;
  /** keccak256 of the input, or the commitment to it. */
  readonly data: string;
  /** Unix seconds. */
  readonly issuedAt: number;
}

export function signAttestation(by: Pick<Signer, "signTypedData">, attestation: Attestation): Promise<string> {
  const { gate, chainId, ...message } = attestation;
  const domain = { name: "ClassifierGate", version: "1", chainId, verifyingContract: gate };
  const fields = [["account", "address"], ["data", "bytes32"], ["issuedAt", "uint64"]] as const; // prettier-ignore
  return by.signTypedData(domain, { Attestation: fields.map(([name, type]) => ({ name, type })) }, message);
}
