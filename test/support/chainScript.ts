// A chain that a test writes block by block: branches, limits of the provider, outages. Answers only what the follower asks.
import { id as hashOf } from "ethers";
import { coordinatorAbi, hexOf, type RawLog } from "../../node/chain/codec.ts";
import { requestTuple } from "../../node/chain/request.ts";
import { type Rpc, rpcError } from "../../node/chain/rpc.ts";
import type { Address, Hex, ModelId } from "../../node/core/domain.ts";
import { NodeError } from "../../node/core/errors.ts";
import { idOf, inputOf, requestOf } from "./fakes.ts";

export const COORDINATOR = `0x${"c0".repeat(20)}` as Address;
export const MODEL = hashOf("model") as ModelId;
const REQUESTER = `0x${"a1".repeat(20)}` as Address;

export interface Script {
  readonly rpc: Rpc;
  /** Appends a block with the requests of these numbers. `branch` tells siblings apart. */
  add(requests?: readonly number[], branch?: string): void;
  /** Takes the newest blocks away. */
  drop(blocks: number): void;
  /** Called before each answer; may throw, or change the chain. */
  before: (method: string, params: readonly unknown[]) => void;
  /** Blocks per eth_getLogs that the provider allows. */
  limit: number;
  readonly asked: string[];
}

interface ScriptBlock {
  readonly hash: Hex;
  readonly parent: Hex;
  readonly logs: readonly RawLog[];
}

export function requestLog(request: number, blockNumber: number, blockHash: string, logIndex: number): RawLog {
  const struct = requestTuple(requestOf({ requester: REQUESTER, model: MODEL }));
  const values = [idOf(request), MODEL, REQUESTER, struct, hexOf(inputOf(request))];
  return {
    address: COORDINATOR,
    ...coordinatorAbi.encodeEventLog("Requested", values),
    blockNumber: `0x${blockNumber.toString(16)}`,
    blockHash,
    transactionHash: hashOf(`transaction ${request}`),
    logIndex: `0x${logIndex.toString(16)}`,
  };
}

export function scriptedChain(): Script {
  const blocks: ScriptBlock[] = [{ hash: hashOf("genesis") as Hex, parent: `0x${"0".repeat(64)}`, logs: [] }];
  const asked: string[] = [];
  const script: Script = {
    asked,
    before: () => undefined,
    limit: Infinity,
    add(requests = [], branch = "") {
      const number = blocks.length;
      const parent = (blocks.at(-1) as ScriptBlock).hash;
      const hash = hashOf(`${parent} ${branch}`) as Hex;
      blocks.push({ hash, parent, logs: requests.map((request, i) => requestLog(request, number, hash, i)) });
    },
    drop(count) {
      blocks.length -= count;
    },
    rpc: {
      name: "script",
      async request(method, params) {
        asked.push(method);
        script.before(method, params);
        if (method === "eth_getBlockByNumber") return blockJson(params[0] as string);
        if (method === "eth_getLogs") return logsOf(params[0] as { fromBlock: string; toBlock: string });
        throw new NodeError("internal", `the script does not answer ${method}`);
      },
    },
  };

  function blockJson(tag: string): unknown {
    const number = tag === "latest" ? blocks.length - 1 : Number(tag);
    const block = blocks[number];
    if (block === undefined) return null;
    const { hash, parent: parentHash } = block;
    return {
      number: `0x${number.toString(16)}`,
      hash,
      parentHash,
      timestamp: `0x${(1_900_000_000 + number).toString(16)}`,
    };
  }
  function logsOf({ fromBlock, toBlock }: { fromBlock: string; toBlock: string }): RawLog[] {
    const [from, to] = [Number(fromBlock), Number(toBlock)];
    if (to - from + 1 > script.limit) {
      throw rpcError("eth_getLogs", { code: -32005, message: "query returned more than 10000 results" });
    }
    return blocks.slice(from, to + 1).flatMap(({ logs }) => logs);
  }
  return script;
}
