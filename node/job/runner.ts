// Runs steps: takes a message, loads its job, runs the step of its state, stores what came of it, and decides on errors: try
// again later, or close with a reason. Knows neither chain nor models; time and limits come from policy and clock.
import { asNodeError, NodeError } from "../core/errors.ts";
import type { Clock, Log } from "../core/ports.ts";
import { close, type Job, OPEN_STATES, type OpenJob, type OpenState } from "./job.ts";
import type { Ports } from "./ports.ts";
import type { Waiting } from "./look.ts";
import { isWaiting, runStep } from "./steps.ts";
import { type Message, queueOf, type Store } from "./store.ts";

export interface RunnerOptions {
  readonly store: Store;
  readonly ports: Ports;
  readonly log: Log;
  readonly clock: Clock;
  /** Which states this process works on; a machine that only proves takes "inferred". Default: all. */
  readonly states?: readonly OpenState[];
  /** Jobs at work at once, per state. Proving defaults to 1: a proof takes all cores. */
  readonly concurrency?: Partial<Readonly<Record<OpenState, number>>>;
  /** Named points for fault tests: "<state>:loaded", "<state>:stepped" (before the store), "<state>:stored". */
  readonly fault?: (point: string) => void;
  /** Told about every change that was stored. */
  readonly onStored?: (job: Job) => void;
}

export interface Runner {
  start(): Promise<void>;
  /** Stops the work on these jobs, whose outcome would be dropped anyway. */
  cancel(ids: readonly number[]): void;
  /** What is at work now. */
  active(): readonly { readonly id: number; readonly state: OpenState; readonly since: number }[];
  /** Aborts the steps at work and resolves when they have ended; what they had not stored is done again later. */
  stop(): Promise<void>;
}

/** Seconds: then it looks whether the request is still there. */
const LONGEST_WAIT = 600;

const CONCURRENCY: Readonly<Record<OpenState, number>> = {
  accepted: 1,
  inferred: 1,
  proved: 4,
  submitted: 4,
  settled: 4,
};

export function openRunner(options: RunnerOptions): Runner {
  const { store, ports, log, clock, fault, onStored, states = OPEN_STATES } = options;
  const working = new Map<
    number,
    { readonly state: OpenState; readonly since: number; readonly stop: AbortController }
  >();
  const stopping = new AbortController();

  async function handle(message: Message): Promise<void> {
    const job = await store.load(message.job);
    // Stale: the job went on since the message was sent.
    if (job === undefined || job.state === "closed" || job.version !== message.version) return;
    fault?.(`${job.state}:loaded`);
    const journal = log.child({ job: job.id, request: job.asked.id, state: job.state });
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, stopping.signal]);
    const since = clock.now();
    working.set(job.id, { state: job.state, since, stop });
    let next: Job;
    let delayMs = 0;
    try {
      const outcome = await runStep(job, ports, signal);
      if (isWaiting(outcome)) return await wait(job, outcome, journal);
      next = outcome;
      if (next.attempts > job.attempts) delayMs = ports.policy.backoffMs(next.attempts);
    } catch (thrown) {
      // A cancelled job is closed in the store already. On shutdown the message goes back to the queue.
      if (stop.signal.aborted) return journal.info({}, "dropped: the job was closed meanwhile");
      if (stopping.signal.aborted) throw thrown;
      [next, delayMs] = afterError(job, asNodeError(thrown));
    } finally {
      working.delete(job.id);
    }
    fault?.(`${job.state}:stepped`);
    if (!(await store.put(next, delayMs))) return journal.info({}, "dropped: the job changed meanwhile");
    fault?.(`${job.state}:stored`);
    report(journal, next, clock.now() - since, delayMs);
    onStored?.({ ...next, version: next.version + 1 });
  }

  /** Until the next tick; or, with a time, asleep: a job is not looked at again and again for a price that is hours away. */
  async function wait(job: OpenJob, { waitsFor, seconds }: Waiting, journal: Log): Promise<void> {
    journal.debug({ waitsFor, seconds }, "waiting");
    if (seconds !== undefined) await store.put(job, 1000 * Math.min(seconds, LONGEST_WAIT));
  }

  function afterError(job: OpenJob, error: NodeError): [Job, number] {
    const attempts = job.attempts + 1;
    const text = error.mend === undefined ? error.message : `${error.message}. ${error.mend}`;
    log.warn(
      { job: job.id, state: job.state, attempts, code: error.code, retry: error.retry, error: text },
      "a step failed",
    );
    const tried: OpenJob = { ...job, attempts, trouble: text };
    if (!error.retry) return [close(tried, "failed", text), 0];
    if (attempts >= ports.policy.maxAttempts) return [close(tried, "failed", `${text} (${attempts} attempts)`), 0];
    const delayMs = ports.policy.backoffMs(attempts);
    // The chain may be down, so this is by the machine's clock; the step itself goes by the chain's.
    if ((clock.now() + delayMs) / 1000 > job.asked.request.deadline) {
      return [close(tried, "expired", `no time is left for another try: ${text}`), 0];
    }
    return [tried, delayMs];
  }

  async function startWorker(queue: string): Promise<void> {
    const polling = { pollingIntervalSeconds: 1, notifyPollingIntervalSeconds: 1 };
    const worker = { id: "" };
    worker.id = await store.boss.work<Message>(queue, polling, async ([message]) => {
      // pg-boss pauses after each message unless it is told that there may be more.
      store.boss.notifyWorker(worker.id);
      if (message !== undefined) await handle(message.data);
    });
  }

  return {
    async start() {
      await store.wake(OPEN_STATES);
      for (const state of states) {
        const workers = options.concurrency?.[state] ?? CONCURRENCY[state];
        for (let i = 0; i < workers; i++) await startWorker(queueOf(state));
      }
    },
    cancel: (ids) => ids.forEach((id) => working.get(id)?.stop.abort()),
    active: () => [...working].map(([id, { state, since }]) => ({ id, state, since })),
    async stop() {
      stopping.abort(new NodeError("aborted", "the node stops"));
      await Promise.all(states.map((state) => store.boss.offWork(queueOf(state), { wait: true })));
    },
  };
}

function report(journal: Log, job: Job, ms: number, delayMs: number): void {
  const took = Math.round(ms);
  if (job.state !== "closed")
    return journal.info({ next: job.state, took, ...(delayMs > 0 ? { delayMs } : {}) }, "stored");
  const { kind, text } = job.reason;
  const well = kind === "fulfilled" || kind === "refused" || kind === "reorged" || kind === "elsewhere";
  journal[well ? "info" : "warn"]({ kind, reason: text, took }, "closed");
}
