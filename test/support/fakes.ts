// Hand-written stand-ins for time, log and the model's side of a node, with gates that a test opens. No chain here.
import { keccak256 } from "ethers";
import type { RequestSeen } from "../../node/chain/codec.ts";
import { draftRequest, NOBODY, type Request } from "../../node/chain/request.ts";
import type { Progress } from "../../node/chain/submit.ts";
import type { Address, ModelId, RequestId } from "../../node/core/domain.ts";
import { NodeError } from "../../node/core/errors.ts";
import { R } from "../../node/core/field.ts";
import type { Clock, Log, LogFields } from "../../node/core/ports.ts";
import { fingerprint, wordsOfBytes } from "../../node/core/tensor.ts";
import type { Input, Job } from "../../node/job/job.ts";
import type {
  Infer,
  Inputs,
  Item,
  JobChain,
  Models,
  Policy,
  Proving,
  ServedModel,
  Standing,
} from "../../node/job/ports.ts";
import { prove, type Trapdoor } from "./trapdoor.ts";

/** Something that a test holds closed until it says so. */
export interface Gate {
  /** Resolves once somebody waits at the gate. */
  readonly reached: Promise<void>;
  open(): void;
  pass(signal?: AbortSignal): Promise<void>;
}

export function gate(): Gate {
  let reach: () => void = () => undefined;
  let open: () => void = () => undefined;
  const reached = new Promise<void>((resolve) => (reach = resolve));
  const opened = new Promise<void>((resolve) => (open = resolve));
  return {
    reached,
    open,
    async pass(signal) {
      reach();
      await new Promise<void>((resolve, reject) => {
        signal?.addEventListener("abort", () => reject(new NodeError("aborted", "stopped at a gate")), { once: true });
        void opened.then(resolve);
      });
    },
  };
}

export interface FakeClock extends Clock {
  /** Moves on, and wakes who slept until then. */
  advance(ms: number): void;
}

export function fakeClock(start = Date.now()): FakeClock {
  let now = start;
  let sleepers: { readonly until: number; readonly wake: () => void }[] = [];
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal?.addEventListener("abort", () => reject(new NodeError("aborted", "stopped while asleep")), {
          once: true,
        });
        sleepers.push({ until: now + ms, wake: resolve });
      }),
    advance(ms) {
      now += ms;
      const due = sleepers.filter(({ until }) => until <= now);
      sleepers = sleepers.filter(({ until }) => until > now);
      for (const { wake } of due) wake();
    },
  };
}

/** Sleeps take no time at all: for loops that only wait for a chain that mines at once. */
export function hastyClock(): Clock {
  return { now: () => Date.now(), sleep: () => new Promise((resolve) => setImmediate(resolve)) };
}

export interface Line extends LogFields {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
}

export interface MemoryJournal extends Log {
  readonly lines: readonly Line[];
}

export function memoryJournal(): MemoryJournal {
  const lines: Line[] = [];
  const of = (base: LogFields): Log => {
    const at =
      (level: Line["level"]) =>
      (fields: LogFields, message: string): void =>
        void lines.push({ ...base, ...fields, level, message });
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      child: (fields) => of({ ...base, ...fields }),
    };
  };
  return { ...of({}), lines };
}

/** A model whose output is its input's first bytes, complemented. */
export const FAKE_MODEL = { inputLength: 64, outputLength: 20 } as const;

export function answerTo(input: Uint8Array): { readonly output: Uint8Array; readonly c: bigint } {
  const output = Uint8Array.from(input.subarray(0, FAKE_MODEL.outputLength), (byte) => 255 - byte);
  return { output, c: BigInt(keccak256(Uint8Array.of(...input, ...output))) % R };
}

/** The first `length` bytes of a seeded input; another seed is another input. */
export function inputOf(seed: number, length: number = FAKE_MODEL.inputLength): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (seed * 131 + i * 7) & 255);
}

export function fakeModels(...ids: readonly ModelId[]): Models {
  const served = new Map<string, ServedModel>(
    ids.map((id): [string, ServedModel] => [id, { id, name: "fake", ...FAKE_MODEL, estimateMs: 1000 }]),
  );
  return { served: async (id) => served.get(id) };
}

export interface Counted {
  /** Calls so far. */
  calls: number;
}

export function fakeInfer(at?: (call: number, signal: AbortSignal) => Promise<void>): Infer & Counted {
  const infer = {
    calls: 0,
    async run(_model: ServedModel, { bytes }: Input, signal: AbortSignal) {
      infer.calls++;
      await at?.(infer.calls, signal);
      return answerTo(bytes);
    },
  };
  return infer;
}

/** Real proofs, by the key's trapdoor. */
export function trapdoorProving(
  trapdoor: Trapdoor,
  at?: (call: number, signal: AbortSignal) => Promise<void>,
): Proving & Counted {
  const proving: Proving & Counted = {
    calls: 0,
    async prove({ input, output, c, r }, signal) {
      proving.calls++;
      await at?.(proving.calls, signal);
      const signals = { c, v: fingerprint([...wordsOfBytes(input.bytes), ...wordsOfBytes(output)], r, R), r };
      return { proof: prove(trapdoor, signals), signals };
    },
  };
  return proving;
}

export function policyOf(over: Partial<Policy> = {}): Policy {
  return {
    minimumFees: { [NOBODY]: 1n },
    coverGas: false,
    claim: "never",
    claimSeconds: 0,
    collateralPercent: 100,
    callbackGas: 500_000,
    marginSeconds: 10,
    maxAttempts: 5,
    backoffMs: () => 0,
    evidence: 17,
    ...over,
  };
}

export const idOf = (n: number): RequestId => `0x${n.toString(16).padStart(64, "0")}` as RequestId;

/** Inputs by reference or in private: none. */
export function noInputs(): Inputs {
  return {
    get: async () => {
      throw new NodeError("input", "no such input");
    },
  };
}

/** The chain as a job sees it, in variables that the test sets. */
export interface FakeJobChain extends JobChain {
  now: number;
  gas: bigint;
  stands: Standing;
  collateralBps: number;
  state: Progress;
  claimState: Progress;
  /** Answers that were submitted, and collaterals of claims that were made. */
  readonly sent: Item[];
  readonly claims: bigint[];
  /** Thrown by submit instead of sending. */
  refuse: Error | undefined;
}

export const PROVER = `0x${"99".repeat(20)}` as Address;

export function fakeJobChain({ request }: RequestSeen): FakeJobChain {
  const chain: FakeJobChain = {
    prover: PROVER,
    now: request.deadline - 3600,
    gas: 0n,
    stands: { status: "open" },
    collateralBps: 0,
    state: { kind: "none" },
    claimState: { kind: "none" },
    sent: [],
    claims: [],
    refuse: undefined,
    time: async () => chain.now,
    gasPrice: async () => chain.gas,
    standing: async () => chain.stands,
    modelOf: async () => ({ collateralBps: chain.collateralBps }),
    challenge: ({ c }) => (c * 3n + 1n) % R,
    async claim(_asked, collateral) {
      chain.claims.push(collateral);
      return true;
    },
    claimProgress: async () => chain.claimState,
    async submit(item) {
      if (chain.refuse !== undefined) throw chain.refuse;
      chain.sent.push(item);
    },
    progress: async () => chain.state,
  };
  return chain;
}

export function requestOf(over: Partial<Request> = {}): Request {
  const bytes = inputOf(1);
  const { request } = draftRequest({
    requester: `0x${"11".repeat(20)}` as Address,
    model: `0x${"33".repeat(32)}` as ModelId,
    from: { kind: "data", bytes },
    now: 2_000_000_000 - 7200,
    within: 7200,
    fee: 1000n,
    allowDevelopmentKeys: true,
    nonce: 7n,
  });
  return { ...request, ...over };
}

export function requestSeen({ request, ...over }: Over = {}): RequestSeen {
  return {
    id: idOf(1),
    request: requestOf(request),
    input: inputOf(1),
    block: { number: 5, hash: `0x${"55".repeat(32)}` },
    transaction: `0x${"66".repeat(32)}`,
    ...over,
  };
}

type Over = Partial<Omit<RequestSeen, "request">> & { readonly request?: Partial<Request> };

/** Collects the jobs that a runner stores; `until` resolves with the first one, past or future, that fits. */
export function watch(): {
  readonly onStored: (job: Job) => void;
  until(fits: (job: Job) => boolean): Promise<Job>;
  readonly all: Job[];
} {
  const all: Job[] = [];
  const waiting = new Set<{ readonly fits: (job: Job) => boolean; readonly resolve: (job: Job) => void }>();
  return {
    all,
    onStored(job) {
      all.push(job);
      for (const entry of waiting) if (entry.fits(job) && waiting.delete(entry)) entry.resolve(job);
    },
    async until(fits) {
      const known = all.find(fits);
      return known ?? new Promise((resolve) => waiting.add({ fits, resolve }));
    },
  };
}
