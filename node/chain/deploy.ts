// Puts the contracts where node/chain/deployments.ts says that they are, as far as they are not there yet, and compares what
// is there with what was compiled. What is done is read off the chain: a run that broke off is continued by the next.
import { keccak256 } from "ethers";
import type { Address, Hex } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import { CREATEX, CREATEX_CODE_HASH, CREATEX_COST, CREATEX_SIGNER, createxAbi, PRESIGNED } from "./createx.ts";
import { type ContractName, type Planned, SALT } from "./deployments.ts";
import { quantity } from "./follow.ts";
import type { Rpc } from "./rpc.ts";
import { settle, type Wait } from "./write.ts";

export interface Placed extends Planned {
  /** The block that made it; 0 where the endpoint has forgotten. */
  readonly block: number;
  /** Undefined where it was there before. */
  readonly gas: bigint | undefined;
}

const codeAt = async (rpc: Rpc, address: Address, signal?: AbortSignal, block = "latest"): Promise<Hex> =>
  (await rpc.request("eth_getCode", [address, block], signal)) as Hex;

export interface Deployed {
  readonly registry: Address;
  readonly coordinator: Address;
  readonly relay: Address;
  readonly directory: Address;
  /** Nothing of ours is older. */
  readonly block: number;
  readonly placed: readonly Placed[];
}

/**
 * Puts all of the table on a chain: sends what is missing, one after the other.
 * @param onPlaced told of each contract, as soon as it is there
 * @throws NodeError "chain"
 */
export async function deploy(
  plan: readonly Planned[],
  rpc: Rpc,
  wait: Wait,
  onPlaced?: (placed: Placed) => void,
): Promise<Deployed> {
  const placed = await deployAll(plan, rpc, wait, onPlaced);
  const at = (name: ContractName): Address => placed.find((each) => each.name === name)?.address as Address;
  return {
    registry: at("ModelRegistry"),
    coordinator: at("InferenceCoordinator"),
    relay: at("RequestRelay"),
    directory: at("ProverDirectory"),
    block: Math.min(...placed.map(({ block }) => block)),
    placed,
  };
}

/** As `deploy`, of a part of the table. */
export async function deployAll(
  plan: readonly Planned[],
  rpc: Rpc,
  wait: Wait,
  onPlaced: (placed: Placed) => void = () => undefined,
): Promise<readonly Placed[]> {
  const placed: Placed[] = [];
  const missing = await absent(plan, rpc, wait.signal);
  if (missing.length > 0) await ensureCreateX(rpc, wait);
  for (const each of plan) {
    placed.push(missing.includes(each) ? await place(each, rpc, wait) : await found(each, rpc, wait.signal));
    onPlaced(placed.at(-1) as Placed);
  }
  return placed;
}

/** Those that have no code at their address. */
async function absent(plan: readonly Planned[], rpc: Rpc, signal?: AbortSignal): Promise<readonly Planned[]> {
  const codes = await Promise.all(plan.map(({ address }) => codeAt(rpc, address, signal)));
  return plan.filter((_, i) => codes[i] === "0x");
}

async function place(what: Planned, rpc: Rpc, wait: Wait): Promise<Placed> {
  const data = createxAbi.encodeFunctionData("deployCreate2", [SALT, what.initCode]) as Hex;
  const receipt = await settle(`deploy:${what.name}:${what.address}`, { to: CREATEX, data }, wait);
  if ((await codeAt(rpc, what.address, wait.signal)) === "0x") {
    throw new NodeError("chain", `${what.name} is not at ${what.address}, though its transaction succeeded`, {
      retry: true,
      mend: "The endpoint lags behind, or is not of one chain: run the command again.",
      facts: { hash: receipt.hash },
    });
  }
  return { ...what, block: receipt.block.number, gas: receipt.gasUsed };
}

async function found(what: Planned, rpc: Rpc, signal?: AbortSignal): Promise<Placed> {
  return { ...what, block: await firstBlock(rpc, what.address, signal), gas: undefined };
}

/** The first block with code at `address`, by bisection; 0 where the endpoint does not keep old states. */
async function firstBlock(rpc: Rpc, address: Address, signal?: AbortSignal): Promise<number> {
  let last = Number(await rpc.request("eth_blockNumber", [], signal));
  let before = -1;
  try {
    while (last - before > 1) {
      const middle = Math.floor((last + before) / 2);
      if ((await codeAt(rpc, address, signal, quantity(middle))) === "0x") before = middle;
      else last = middle;
    }
    return last;
  } catch (error) {
    if (signal?.aborted) throw error;
    return 0;
  }
}

/** Chains that have no CreateX get it by the transaction that its author signed for all chains. */
async function ensureCreateX(rpc: Rpc, wait: Wait): Promise<void> {
  const { signal, clock, pollMs = 250 } = wait;
  if ((await codeAt(rpc, CREATEX, signal)) === "0x") {
    const balance = BigInt((await rpc.request("eth_getBalance", [CREATEX_SIGNER, "latest"], signal)) as string);
    if (balance < CREATEX_COST) {
      await settle("fund:CreateX", { to: CREATEX_SIGNER, data: "0x", value: CREATEX_COST - balance }, wait);
    }
    const hash = await rpc.request("eth_sendRawTransaction", [PRESIGNED], signal).catch((cause: unknown) => {
      throw new NodeError("chain", "the chain has no CreateX and does not take its signed creation", {
        mend: "The chain may insist on replay-protected transactions, or on a gas price above 100 gwei. See createx.rocks.",
        cause,
      });
    });
    while ((await rpc.request("eth_getTransactionReceipt", [hash], signal)) === null) await clock.sleep(pollMs, signal);
  }
  if (keccak256(await codeAt(rpc, CREATEX, signal)) === CREATEX_CODE_HASH) return;
  throw new NodeError("chain", `the contract at ${CREATEX} is not CreateX`, {
    mend: "On this chain addresses cannot be the usual ones; the contracts can still be deployed singly.",
  });
}

/** What Hardhat writes into artifacts/, as far as it is needed here. */
export interface Artifact {
  readonly bytecode: string;
  readonly deployedBytecode: string;
  /** Which run of the compiler made it. */
  readonly buildInfoId?: string;
  /** Where the code differs by the constructor's arguments: byte positions. */
  readonly immutableReferences?: Readonly<
    Record<string, readonly { readonly start: number; readonly length: number }[]>
  >;
}

export type Comparison = "equal" | "differs" | "absent";

/** Compares the code on the chain with what was compiled, all but the immutables, for each contract of the plan. */
export async function compareAll(
  plan: readonly Planned[],
  compiledOf: (name: ContractName) => Artifact,
  rpc: Rpc,
  signal?: AbortSignal,
): Promise<readonly (Planned & { readonly outcome: Comparison })[]> {
  return Promise.all(
    plan.map(async (each) => {
      const code = await codeAt(rpc, each.address, signal);
      const compiled = compiledOf(each.name);
      const same = masked(code, compiled) === masked(compiled.deployedBytecode, compiled);
      return { ...each, outcome: code === "0x" ? "absent" : same ? "equal" : "differs" } as const;
    }),
  );
}

function masked(code: string, { immutableReferences = {} }: Artifact): string {
  return Object.values(immutableReferences)
    .flat()
    .reduce((text, { start, length }) => {
      const [from, to] = [2 + 2 * start, 2 + 2 * (start + length)];
      return text.slice(0, from) + "0".repeat(2 * length) + text.slice(to);
    }, code.toLowerCase());
}
