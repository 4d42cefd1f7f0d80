// What an answer costs whoever sends it, and what such answers were paid lately: what a fee should cover. Figures of gas are
// from test/contracts/snapshots, to which a test holds them.
import { decodeFulfilled, decodeRequested, type RawLog, TOPICS } from "../chain/codec.ts";
import { NOBODY } from "../chain/request.ts";
import type { Address, Hex } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import { type Context, logsOf } from "./context.ts";
import type { Model } from "./model.ts";

/** Gas of a fulfilment that no batch makes cheaper: measured, for who is credited for the first time. */
export const FULFIL_GAS = {
  base: 316_000n,
  /** Calldata, hash and fingerprint. */
  inputByte: 24n,
  /** The same, and the event. */
  outputByte: 40n,
  /** A new slot of storage: outputs of more than 32 bytes take one for their length and one for each 32. */
  slot: 22_300n,
  /** Around a consumer's call. */
  callback: 20_000n,
} as const;

/** Of a fulfilment without a callback, for lengths in bytes; the input's is 0 if it is private. */
export function fulfilGas(input: number, output: number): bigint {
  const slots = output > 32 ? 1 + Math.ceil(output / 32) : 0;
  const { base, inputByte, outputByte, slot } = FULFIL_GAS;
  return base + inputByte * BigInt(input) + outputByte * BigInt(output) + slot * BigInt(slots);
}

export interface Estimate {
  /** Of a single fulfilment, with the callback. */
  readonly gas: bigint;
  /** Wei per gas: the newest block's base fee, and a tip. */
  readonly gasPrice: bigint;
  /** Wei: gas * gasPrice. On a rollup the posting of data comes on top. */
  readonly cost: bigint;
  /** Prices of the model's newest answers in the token; undefined if there were none. */
  readonly recent:
    { readonly count: number; readonly lowest: bigint; readonly median: bigint; readonly highest: bigint } | undefined;
  /**
   * A fee that a prover may like: half more than the cost and the royalty, or the median if that is more. In a token it is the
   * median, as nothing here knows what the token is worth. Undefined if there is neither.
   */
  readonly fee: bigint | undefined;
}

export interface EstimateOptions {
  /** Default: the native coin. */
  readonly token?: Address | undefined;
  /** Gas of the consumer's call. */
  readonly callbackGas?: number | undefined;
  /** Of how many blocks prices count, for requests made and answered in them; default: one eth_getLogs. */
  readonly blocks?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const BPS = 10_000n;

export async function estimate(context: Context, model: Model, options: EstimateOptions = {}): Promise<Estimate> {
  const { token = NOBODY, callbackGas = 0, blocks = context.maxRange, signal } = options;
  const { inputLength, outputLength, royaltyBps } = model.record;
  const shown = model.isPrivate ? 0 : inputLength;
  const called = callbackGas === 0 ? 0n : FULFIL_GAS.callback + BigInt(callbackGas);
  const gas = fulfilGas(shown, outputLength) + called;
  const [gasPrice, prices] = await Promise.all([
    gasPriceOf(context, signal),
    recentPrices(context, model, token, blocks, signal),
  ]);
  const cost = gas * gasPrice;
  const covering = token === NOBODY ? (cost * 3n * BPS) / (2n * (BPS - BigInt(royaltyBps))) : 0n;
  const median = prices[Math.floor(prices.length / 2)];
  const recent =
    median === undefined
      ? undefined
      : { count: prices.length, lowest: prices[0] as bigint, median, highest: prices.at(-1) as bigint };
  const fee = median !== undefined && median > covering ? median : covering;
  return { gas, gasPrice, cost, recent, fee: fee === 0n && token !== NOBODY ? undefined : fee };
}

async function gasPriceOf({ chain }: Context, signal?: AbortSignal): Promise<bigint> {
  const block = (await chain.rpc.request("eth_getBlockByNumber", ["latest", false], signal)) as { baseFeePerGas?: Hex };
  const price = BigInt((await chain.rpc.request("eth_gasPrice", [], signal)) as Hex);
  const base = BigInt(block.baseFeePerGas ?? "0x0");
  return price > base ? price : base;
}

/** Of the model's answers in the last `blocks`, in `token`, rising. */
async function recentPrices(
  context: Context,
  { id }: Model,
  token: Address,
  blocks: number,
  signal?: AbortSignal,
): Promise<readonly bigint[]> {
  const head = (await context.chain.head(signal)).number;
  const from = Math.max(0, head - blocks + 1);
  try {
    const [made, fulfilled] = (await Promise.all(
      [TOPICS.requested, TOPICS.fulfilled].map((topic) => logsOf(context, [topic, null, id], from, head, signal)),
    )) as [readonly RawLog[], readonly RawLog[]];
    // The event of an answer does not say in what it was paid.
    const tokens = new Map(made.map(decodeRequested).map(({ id, request }) => [id, request.token]));
    const paid = fulfilled.map(decodeFulfilled).filter((answer) => tokens.get(answer.id) === token);
    return paid.map(({ price }) => price).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  } catch (error) {
    // Endpoints that give no logs of that many blocks: an estimate without prices is still one.
    if (error instanceof NodeError && error.code === "chain") return [];
    throw error;
  }
}
