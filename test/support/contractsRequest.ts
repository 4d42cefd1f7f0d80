// A Request in TypeScript, written from the specification and apart from the node's codec and the contracts: its fields, its
// EIP-712 digest by ethers, and its price. Contracts and node are held against it.
import { TypedDataEncoder, type TypedDataDomain, type TypedDataField } from "ethers";

/** The flat struct of types/Request.sol, all 22 fields. Amounts in the token's smallest unit, times in Unix seconds. */
export interface Terms {
  readonly requester: string;
  readonly payer: string;
  readonly consumer: string;
  readonly prover: string;
  readonly model: string;
  readonly inputKind: number;
  readonly inputHash: string;
  readonly originHash: string;
  readonly token: string;
  readonly minFee: bigint;
  readonly maxFee: bigint;
  readonly minCollateral: bigint;
  readonly start: number;
  readonly rampEnd: number;
  readonly deadline: number;
  readonly submitBy: number;
  readonly claimPeriod: number;
  readonly callbackGas: number;
  readonly requiredEvidence: number;
  readonly allowDevelopmentKeys: boolean;
  readonly nonce: bigint;
  readonly readAt: number;
}

export const INPUT_KIND = { data: 0, reference: 1, source: 2, private: 3 } as const;
export const STATUS = { unknown: 0n, open: 1n, claimed: 2n, fulfilled: 3n, expired: 4n } as const;

const field = (type: string, ...names: string[]): TypedDataField[] => names.map((name) => ({ name, type }));

export const REQUEST_TYPES: Record<"Request", TypedDataField[]> = {
  Request: [
    ...field("address", "requester", "payer", "consumer", "prover"),
    ...field("bytes32", "model"),
    ...field("uint8", "inputKind"),
    ...field("bytes32", "inputHash", "originHash"),
    ...field("address", "token"),
    ...field("uint96", "minFee", "maxFee", "minCollateral"),
    ...field("uint32", "start", "rampEnd", "deadline", "submitBy", "claimPeriod", "callbackGas", "requiredEvidence"),
    ...field("bool", "allowDevelopmentKeys"),
    ...field("uint64", "nonce"),
    ...field("uint40", "readAt"),
  ],
};

export function domainOf(coordinator: string, chainId: bigint): TypedDataDomain {
  return { name: "Glassbox", version: "1", chainId, verifyingContract: coordinator };
}

export function requestIdOf(coordinator: string, chainId: bigint, terms: Terms): string {
  return TypedDataEncoder.hash(domainOf(coordinator, chainId), REQUEST_TYPES, terms);
}

/** What an answer or a claim costs at `time`. */
export function priceOf({ minFee, maxFee, start, rampEnd }: Terms, time: number): bigint {
  if (time >= rampEnd) return maxFee;
  if (time <= start) return minFee;
  return minFee + ((maxFee - minFee) * BigInt(time - start)) / BigInt(rampEnd - start);
}
