// The options of commands that talk to a chain, and what they open: a client to read with, a sender to write with.
import fs from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import { type ChainClient, connect } from "../../chain/client.ts";
import { parseAddress } from "../../chain/codec.ts";
import { openKey, type Signer } from "../../chain/keys.ts";
import { memoryLog, openSender } from "../../chain/submit.ts";
import { httpRpc } from "../../chain/rpc.ts";
import type { Wait } from "../../chain/write.ts";
import type { Address } from "../../core/domain.ts";
import { NodeError } from "../../core/errors.ts";
import { readDeployment } from "../deployment.ts";
import { type DeploymentRecord, readRecord, recordFile } from "../record.ts";
import { silentLog, systemClock } from "../observe.ts";
import { type Context, integerOption, projectFolder } from "./context.ts";

export interface ChainOptions {
  readonly rpc?: string;
  readonly coordinator?: string;
  readonly deployment?: string;
  readonly fromBlock?: number;
}

export interface KeyOptions {
  readonly keyFile?: string;
  readonly passwordFile?: string;
  readonly confirmations: number;
}

export const defaultDeployment = path.join(projectFolder, ".glassbox", "deployment.json");

export function withChain(command: Command): Command {
  return command
    .option("--rpc <url>", "JSON-RPC endpoint of the chain")
    .option("--coordinator <address>", "InferenceCoordinator; it names its registry")
    .option("--deployment <file>", "file with both, as written by `npm start -- --keep` and `glassbox deploy`");
}

export function withKey(command: Command): Command {
  return command
    .option("--key-file <file>", "private key (64 hex digits) or encrypted JSON keystore, readable by you alone")
    .option("--password-file <file>", "password of the keystore")
    .option("--confirmations <n>", "blocks to wait for on top of the transaction's own", integerOption(0), 0);
}

/** A reader of the chain that the options name, and the first block worth searching. */
export async function openClient(
  context: Context,
  options: ChainOptions,
): Promise<{ readonly client: ChainClient; readonly fromBlock: number }> {
  if (options.rpc !== undefined && options.coordinator !== undefined) {
    const coordinator = parseAddress(options.coordinator);
    const client = await connect({ rpc: options.rpc, coordinator, signal: context.signal });
    return { client, fromBlock: options.fromBlock ?? 0 };
  }
  const recorded = options.deployment === undefined ? await recordedAt(options.rpc, context.signal) : undefined;
  if (options.rpc !== undefined && recorded !== undefined) {
    const coordinator = recorded.contracts["InferenceCoordinator"]?.address as Address;
    const client = await connect({ rpc: options.rpc, coordinator, signal: context.signal });
    return { client, fromBlock: options.fromBlock ?? recorded.block };
  }
  const file = options.deployment === undefined ? defaultDeployment : context.path(options.deployment);
  if (options.deployment === undefined && !fs.existsSync(file)) {
    throw new NodeError("usage", "it is not said which chain and which contracts", {
      mend: "Give --rpc (and --coordinator where deployments/ does not know the chain), or --deployment, or start a local chain with `npm start -- --keep`.",
    });
  }
  const known = readDeployment(file);
  const coordinator = options.coordinator === undefined ? known.coordinator : parseAddress(options.coordinator);
  const client = await connect({ rpc: options.rpc ?? known.rpcUrl, coordinator, signal: context.signal });
  if (client.chainId !== BigInt(known.chainId)) {
    throw new NodeError("input", `the endpoint is of chain ${client.chainId}, the deployment of ${known.chainId}`, {
      mend: "Give the RPC endpoint of the deployment's chain.",
    });
  }
  return { client, fromBlock: options.fromBlock ?? known.block };
}

/** What deployments/ has of the endpoint's chain. */
async function recordedAt(rpc: string | undefined, signal: AbortSignal): Promise<DeploymentRecord | undefined> {
  if (rpc === undefined) return undefined;
  const file = recordFile(projectFolder, Number(await httpRpc(rpc).request("eth_chainId", [], signal)));
  return fs.existsSync(file) ? readRecord(file) : undefined;
}

/** The key that the options name. Asked for before anything is sent or read, so that its lack is the first thing said. */
export function openSigner(context: Context, options: KeyOptions): Promise<Signer> {
  if (options.keyFile === undefined) {
    throw new NodeError("usage", "this sends a transaction and no key file is given", {
      mend: "Give --key-file with a file that holds the private key or an encrypted keystore (chmod 600).",
    });
  }
  return openKey({
    keyFile: context.path(options.keyFile),
    passwordFile: options.passwordFile === undefined ? undefined : context.path(options.passwordFile),
  });
}

/** Sends from `signer`. Intents are kept for this one command only. */
export function waitOf(
  context: Context,
  client: Pick<ChainClient, "rpc" | "chainId">,
  signer: Signer,
  options: KeyOptions,
): Wait {
  const sender = openSender({
    rpc: client.rpc,
    chainId: client.chainId,
    signer,
    log: memoryLog(),
    clock: systemClock,
    journal: silentLog,
    confirmations: options.confirmations,
    maxFeePerGas: 500n * 10n ** 9n,
    bumpAfterMs: 60_000,
  });
  return { sender, clock: systemClock, signal: context.signal };
}
