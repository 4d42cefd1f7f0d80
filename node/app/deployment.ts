// Where the contracts are: a small JSON file that `npm start` and `glassbox deploy` write and every command reads.
import fs from "node:fs";
import path from "node:path";
import { parseAddress } from "../chain/codec.ts";
import type { Address } from "../core/domain.ts";
import { asNodeError, NodeError } from "../core/errors.ts";

export interface Deployment {
  readonly rpcUrl: string;
  readonly chainId: number;
  readonly registry: Address;
  readonly coordinator: Address;
  /** The RequestRelay, where one is known. */
  readonly relay?: Address | undefined;
  /** The block that the registry was created in: nothing of ours is older. */
  readonly block: number;
}

export function writeDeployment(file: string, deployment: Deployment): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, `${JSON.stringify(deployment, null, 2)}\n`);
}

export function readDeployment(file: string): Deployment {
  const wrong = (why: string, cause?: unknown): NodeError =>
    new NodeError("input", `the deployment file ${file} ${why}`, {
      mend: "Give --rpc and --coordinator, or --deployment with a file that `glassbox deploy` or `npm start -- --keep` wrote.",
      cause,
    });
  let json: unknown;
  try {
    json = JSON.parse(fs.readFileSync(file, "utf8"));
  } catch (cause) {
    throw wrong(`cannot be read (${asNodeError(cause).message})`, cause);
  }
  const { rpcUrl, chainId, registry, coordinator, relay, block } = (json ?? {}) as Partial<
    Record<keyof Deployment, unknown>
  >;
  if (typeof rpcUrl !== "string" || typeof registry !== "string" || typeof coordinator !== "string") {
    throw wrong("lacks rpcUrl, registry or coordinator");
  }
  if (!Number.isSafeInteger(chainId) || !Number.isSafeInteger(block)) throw wrong("lacks chainId or block");
  return {
    rpcUrl,
    chainId: chainId as number,
    registry: parseAddress(registry),
    coordinator: parseAddress(coordinator),
    ...(typeof relay === "string" ? { relay: parseAddress(relay) } : {}),
    block: block as number,
  };
}
