// openClient: a coordinator as a dapp, a page or a script uses it. Requests of all kinds, their handles, signed requests,
// accounts, estimates. Wiring of the other files; keeps the models that were read, which never change.
import {
  approveCall,
  approvedCall,
  authoriseCall,
  type Call,
  depositCall,
  type Payment,
  requestCall,
  withdrawCall,
} from "../chain/calls.ts";
import { connect } from "../chain/client.ts";
import { decodeRequested, parseAddress, parseId, TOPICS } from "../chain/codec.ts";
import { type Drafted, draftRequest, NOBODY, type Request, requestId, type Terms } from "../chain/request.ts";
import type { Address, Hex, ModelId, RequestId } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import type { Clock } from "../core/ports.ts";
import { addressOf, type Context, type Receipt, send, type Wallet } from "./context.ts";
import { type Estimate, estimate, type EstimateOptions } from "./estimate.ts";
import { type Inference, inferenceOf, type Wait } from "./inference.ts";
import { type Given, inputFrom } from "./given.ts";
import { type Manifests, manifestsOf, type Model, readModel } from "./model.ts";
import type { Secret } from "./private.ts";
import { type Endpoint, rpcOf } from "./provider.ts";
import type { Verify } from "./result.ts";
import { type SignedPayment, type SignedRequest, signedCall, signPayment, signRequest } from "./signed.ts";

export interface ClientOptions {
  readonly rpc: Endpoint;
  readonly coordinator: string;
  /** For what changes something; a Signer of ethers 6 with a provider. */
  readonly signer?: Wallet;
  /** Manifests of models, by their ids, or how to get one: they name inputs and outputs. Checked against the registry. */
  readonly manifests?: Readonly<Record<string, Uint8Array | string>> | Manifests;
  /** Blocks on top of an event before it counts. Default 0. */
  readonly confirmations?: number;
  /** Milliseconds between looks at the chain. Default 2,000. */
  readonly pollMs?: number;
  /** Blocks per eth_getLogs at most. Default 10,000. */
  readonly maxRange?: number;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

/** What is not said gets usual terms. Times in seconds, amounts in the token's smallest unit. */
export interface AskOptions extends Omit<Partial<Terms>, "requester" | "model" | "from" | "now"> {
  /** Default: what `estimate` says. */
  readonly fee?: Terms["fee"];
  readonly signal?: AbortSignal | undefined;
}

export interface InferOptions extends AskOptions {
  /** direct: with the transaction. account: from the payer's account at the coordinator. Default direct. */
  readonly payment?: Payment | undefined;
  /** Of a token and a direct payment: first approve maxFee, if that is not done yet. */
  readonly approve?: boolean | undefined;
  /** How far results are checked. Default "proof"; "chain" if the input is not known here. */
  readonly verify?: Verify | undefined;
  readonly onSent?: ((transaction: Hex) => void) | undefined;
}

export interface Client {
  readonly chainId: bigint;
  readonly coordinator: Address;
  readonly registry: Address;
  model(id: string, wait?: Wait): Promise<Model>;
  /** Asks, pays, and comes back once the request is in a block. */
  infer(model: string, given: Given, options?: InferOptions): Promise<Inference & { readonly secret?: Secret }>;
  /** A request that was made before, by anybody. `fromBlock`: where to look for it from. */
  open(id: string, options?: Wait & { readonly fromBlock?: number; readonly verify?: Verify }): Promise<Inference>;
  estimate(model: string, options?: EstimateOptions): Promise<Estimate>;
  /** A request for somebody else to send; its payer's account pays, or `pay` does. */
  sign(model: string, given: Given, options?: AskOptions): Promise<SignedRequest>;
  /** Signs the payment of a signed request, for RequestRelay at `relay`. The wallet must be the payer's. */
  pay(
    signed: SignedRequest,
    how: { readonly kind: SignedPayment["kind"]; readonly relay: string } & Wait,
  ): Promise<SignedPayment>;
  /** Sends what another signed. */
  relay(
    signed: SignedRequest,
    options?: Wait & { readonly payment?: SignedPayment; readonly verify?: Verify },
  ): Promise<Inference>;
  /** What an account holds at the coordinator; default: the wallet's, of the native coin. */
  balance(options?: Wait & { readonly token?: string; readonly account?: string }): Promise<bigint>;
  deposit(
    amount: bigint,
    options?: Wait & { readonly token?: string; readonly account?: string; readonly approve?: boolean },
  ): Promise<Receipt>;
  /** Without an amount: all. */
  withdraw(
    options?: Wait & { readonly amount?: bigint; readonly token?: string; readonly to?: string },
  ): Promise<Receipt>;
  /** Lets `consumer` make requests that the wallet's account pays, up to `amount` in all. */
  authorise(consumer: string, amount: bigint, options?: Wait & { readonly token?: string }): Promise<Receipt>;
}

const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        reject(new NodeError("aborted", "stopped on request", { cause: signal?.reason }));
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", stop);
        resolve();
      }, ms);
      if (signal?.aborted === true) stop();
      else signal?.addEventListener("abort", stop, { once: true });
    }),
};

/** @throws NodeError "input" (addresses), "chain" (no such contract there, no answer) */
export async function openClient(options: ClientOptions): Promise<Client> {
  const { confirmations = 0, pollMs = 2_000, maxRange = 10_000, clock = systemClock, manifests = {} } = options;
  const given = { rpc: rpcOf(options.rpc), coordinator: parseAddress(options.coordinator), maxRange };
  const chain = await connect({ ...given, ...(options.signal === undefined ? {} : { signal: options.signal }) });
  const context: Context = { chain, wallet: options.signer, clock, pollMs, maxRange, confirmations };
  const manifestOf = typeof manifests === "function" ? manifests : manifestsOf(manifests);
  const models = new Map<ModelId, Promise<Model>>();

  /** Read once: what an id names never changes, but for what no answer depends on. */
  function modelOf(id: string, signal?: AbortSignal): Promise<Model> {
    const known = parseId(id) as ModelId;
    const reading = models.get(known) ?? readModel(chain, known, manifestOf, signal);
    models.set(known, reading);
    reading.catch(() => models.delete(known));
    return reading;
  }

  async function draft(id: string, given: Given, options: AskOptions) {
    const { signal, ...terms } = options;
    const model = await modelOf(id, signal);
    const { from, input, secret, ...fixed } = await inputFrom(context, model, given, signal);
    const callbackGas = terms.callback?.gas;
    const fee = terms.fee ?? (await estimate(context, model, { token: terms.token, callbackGas, signal })).fee;
    if (fee === undefined) {
      throw new NodeError("usage", "it is not said what to pay, and nothing was paid in this token lately", {
        mend: "Give a fee.",
      });
    }
    const [requester, { time: now }] = await Promise.all([addressOf(context), chain.head(signal)]);
    const drafted = draftRequest({ ...terms, ...fixed, fee, requester, model: model.id, from, now });
    return { model, drafted, input, secret };
  }

  /** Sends `call`, which makes the request, and opens its handle. */
  async function make(
    what: { readonly model: Model; readonly drafted: Drafted; readonly input: Uint8Array | undefined },
    call: Call,
    verify: Verify | undefined,
    { signal, onSent }: Pick<InferOptions, "signal" | "onSent">,
  ): Promise<Inference> {
    const { model, drafted, input } = what;
    const receipt = await send(context, "make the request", call, { signal, onSent });
    const log = receipt.logs.find(
      ({ address, topics }) =>
        address.toLowerCase() === chain.coordinator.toLowerCase() && topics[0] === TOPICS.requested,
    );
    if (log === undefined) {
      throw new NodeError("chain", `the transaction ${receipt.hash} left no request`, {
        mend: "The endpoint is broken: look at the transaction in an explorer.",
      });
    }
    const { id, request, input: shown } = decodeRequested(log);
    const known = input ?? (request.inputKind === "source" ? shown : undefined);
    return handle(model, id, drafted.request, request, receipt, known, verify);
  }

  function handle(
    model: Model,
    id: RequestId,
    asked: Request,
    request: Request,
    { hash, block }: Pick<Receipt, "hash" | "block">,
    input: Uint8Array | undefined,
    verify: Verify | undefined,
  ): Inference {
    const provable = input !== undefined || request.inputKind === "private";
    const facts = { model, id, asked, request, transaction: hash, block, input };
    return inferenceOf(context, { ...facts, verify: verify ?? (provable ? "proof" : "chain") });
  }

  async function approve(token: Address, amount: bigint, signal?: AbortSignal): Promise<void> {
    const owner = await addressOf(context);
    const { to, data } = approvedCall(token, owner, chain.coordinator);
    const approved = BigInt((await chain.rpc.request("eth_call", [{ to, data }, "latest"], signal)) as Hex);
    if (approved < amount) await send(context, "approve", approveCall(token, chain.coordinator, amount), { signal });
  }

  const tokenOf = (token: string | undefined): Address => (token === undefined ? NOBODY : parseAddress(token));
  const accountOf = async (account: string | undefined): Promise<Address> =>
    account === undefined ? addressOf(context) : parseAddress(account);

  return {
    chainId: chain.chainId,
    coordinator: chain.coordinator,
    registry: chain.registry,
    model: (id, { signal } = {}) => modelOf(id, signal),
    async infer(id, given, { payment = "direct", approve: mayApprove = false, verify, onSent, ...ask } = {}) {
      const { signal } = ask;
      const { secret, ...what } = await draft(id, given, ask);
      const { token, maxFee } = what.drafted.request;
      if (mayApprove && payment === "direct" && token !== NOBODY) await approve(token, maxFee, signal);
      const made = await make(what, requestCall(chain.coordinator, what.drafted, payment), verify, { signal, onSent });
      return secret === undefined ? made : { ...made, secret };
    },
    async open(text, { signal, fromBlock = 0, verify } = {}) {
      const id = parseId(text) as RequestId;
      const seen = await chain.requested(id, fromBlock, signal);
      if (seen === undefined || requestId(chain, seen.request) !== id) {
        throw new NodeError("input", `the chain has no request ${id} from block ${fromBlock} on`, {
          mend: "Check the id, and that fromBlock is not after it.",
        });
      }
      const { request, input, block, transaction: hash } = seen;
      const shown = request.inputKind === "data" || request.inputKind === "source" ? input : undefined;
      const model = await modelOf(request.model, signal);
      return handle(model, id, request, request, { hash, block: block.number }, shown, verify);
    },
    estimate: async (id, options = {}) => estimate(context, await modelOf(id, options.signal), options),
    async sign(id, given, options = {}) {
      const { drafted } = await draft(id, given, options);
      return signRequest(context, drafted, options.signal);
    },
    pay: (signed, { kind, relay, signal }) => signPayment(context, kind, parseAddress(relay), signed.request, signal),
    async relay(signed, { signal, payment, verify } = {}) {
      const model = await modelOf(signed.request.model, signal);
      const input = signed.request.inputKind === "data" ? signed.input : undefined;
      return make({ model, drafted: signed, input }, signedCall(context, signed, payment), verify, { signal });
    },
    balance: async ({ token, account, signal } = {}) =>
      chain.balanceOf(await accountOf(account), tokenOf(token), signal),
    async deposit(amount, { token: name, account, approve: mayApprove = false, signal } = {}) {
      const token = tokenOf(name);
      if (mayApprove && token !== NOBODY) await approve(token, amount, signal);
      const call = depositCall(chain.coordinator, token, await accountOf(account), amount);
      return send(context, "deposit", call, { signal });
    },
    async withdraw({ amount = 2n ** 256n - 1n, token, to, signal } = {}) {
      const call = withdrawCall(chain.coordinator, tokenOf(token), await accountOf(to), amount);
      return send(context, "withdraw", call, { signal });
    },
    authorise: (consumer, amount, { token, signal } = {}) =>
      send(context, "authorise", authoriseCall(chain.coordinator, parseAddress(consumer), tokenOf(token), amount), {
        signal,
      }),
  };
}
