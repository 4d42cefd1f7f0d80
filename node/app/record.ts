// deployments/<chain id>.json: what was deployed on a chain, for ever. It vouches for itself: each address is a hash of factory,
// salt and creation code, so a file that was altered, or of other code, is found out without a chain.
import fs from "node:fs";
import path from "node:path";
import { addressFor, CREATEX } from "../chain/createx.ts";
import type { Placed } from "../chain/deploy.ts";
import { SALT } from "../chain/deployments.ts";
import type { Address, Hex } from "../core/domain.ts";
import { asNodeError, NodeError } from "../core/errors.ts";

export interface Recorded {
  readonly address: Address;
  /** The block that made it; 0 where nobody remembers. */
  readonly block: number;
  /** keccak256 of code and arguments: what the address is made of. */
  readonly initCodeHash: Hex;
}

export interface DeploymentRecord {
  readonly chainId: number;
  /** CreateX. */
  readonly factory: Address;
  readonly salt: Hex;
  readonly compiler: { readonly version: string; readonly settings: unknown };
  /** Nothing of ours on the chain is older. */
  readonly block: number;
  readonly contracts: Readonly<Record<string, Recorded>>;
}

export function recordOf(
  chainId: number,
  compiler: DeploymentRecord["compiler"],
  placed: readonly Placed[],
): DeploymentRecord {
  const contracts = Object.fromEntries(
    placed.map(({ name, address, block, initCodeHash }) => [name, { address, block, initCodeHash }]),
  );
  return {
    chainId,
    factory: CREATEX,
    salt: SALT,
    compiler,
    block: Math.min(...placed.map(({ block }) => block)),
    contracts,
  };
}

export const recordFile = (root: string, chainId: number): string => path.join(root, "deployments", `${chainId}.json`);

export function writeRecord(file: string, record: DeploymentRecord): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
}

/** @throws NodeError "input" if it cannot be read, "integrity" if an address is not what its code hash makes it */
export function readRecord(file: string): DeploymentRecord {
  let record: DeploymentRecord;
  try {
    record = JSON.parse(fs.readFileSync(file, "utf8")) as DeploymentRecord;
    if (!Number.isSafeInteger(record.chainId) || !Number.isSafeInteger(record.block))
      throw new Error("no chainId or block");
    for (const [name, { address, initCodeHash }] of Object.entries(record.contracts)) {
      if (addressFor(record.salt, initCodeHash, record.factory) === address) continue;
      throw new NodeError("integrity", `${file} puts ${name} where its code does not belong`, {
        mend: "Get the file again from where it was published; do not use these addresses.",
      });
    }
  } catch (cause) {
    if (cause instanceof NodeError) throw cause;
    throw new NodeError("input", `${file} is no record of a deployment (${asNodeError(cause).message})`, {
      mend: "`glassbox deploy` writes one.",
      cause,
    });
  }
  return record;
}

/** The compiler that made an artifact, of the build information that Hardhat keeps beside it. */
export function compilerOf(
  artifacts: string,
  { buildInfoId }: { readonly buildInfoId?: string },
): DeploymentRecord["compiler"] {
  const file = path.join(artifacts, "build-info", `${buildInfoId}.json`);
  const { solcLongVersion, input } = JSON.parse(fs.readFileSync(file, "utf8")) as {
    readonly solcLongVersion: string;
    readonly input: { readonly settings: Readonly<Record<string, unknown>> };
  };
  // Where imports are found and what solc prints does not decide what it makes.
  const { outputSelection: _, remappings: __, ...settings } = input.settings;
  return { version: solcLongVersion, settings };
}
