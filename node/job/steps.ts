// The table of steps: each takes a job and returns the next one, or says what it waits for. A step stores nothing and may
// run any number of times on the same job: whatever it does to the outside is idempotent (see chain/submit.ts).
import type { RequestRecord } from "../chain/client.ts";
import { explained } from "../chain/refusal.ts";
import type { Fulfilment } from "../chain/write.ts";
import { NodeError, throwIfAborted } from "../core/errors.ts";
import {
  type Accepted,
  backToProved,
  close,
  type Closed,
  type Inferred,
  type Job,
  type JobIn,
  type OpenJob,
  type OpenState,
  type Proved,
  type Settled,
  type Submitted,
} from "./job.ts";
import type { Ports, ServedModel } from "./ports.ts";

export interface Waiting {
  /** What has to happen first; the runner looks again at every tick of the chain. */
  readonly waitsFor: string;
}

export type Outcome = Job | Waiting;
export type Step<S extends OpenState> = (job: JobIn<S>, ports: Ports, signal: AbortSignal) => Promise<Outcome>;

export const STEPS: { readonly [S in OpenState]: Step<S> } = {
  accepted: infer,
  inferred: prove,
  proved: submit,
  submitted: awaitInclusion,
  settled: awaitConfirmation,
};

export function runStep(job: OpenJob, ports: Ports, signal: AbortSignal): Promise<Outcome> {
  const step = STEPS[job.state] as Step<OpenState>;
  return step(job, ports, signal);
}

export const isWaiting = (outcome: Outcome): outcome is Waiting => "waitsFor" in outcome;

/** Admission, then the model. */
async function infer(job: Accepted, ports: Ports, signal: AbortSignal): Promise<Outcome> {
  const model = await ports.models.served(job.request.model, signal);
  if (model === undefined) return notServed(job);
  const refused = await admit(job, model, ports, signal);
  if (refused !== undefined) return refused;
  const { output, c } = await ports.infer.run(model, job.request.input, signal);
  throwIfAborted(signal);
  return { ...job, state: "inferred", output, c };
}

async function prove(job: Inferred, ports: Ports, signal: AbortSignal): Promise<Outcome> {
  const model = await ports.models.served(job.request.model, signal);
  if (model === undefined) return notServed(job);
  const over = await unlessOpen(job, ports, ports.policy.marginSeconds + model.estimateMs / 1000, signal);
  if (over !== undefined) return over;
  const { output, c } = job;
  const { id, input } = job.request;
  const r = ports.chain.challenge({ request: id, model: job.request.model, input, output, c });
  const { proof, signals } = await ports.proving.prove({ model, input, output, c, r }, signal);
  throwIfAborted(signal);
  if (signals.r !== r || signals.c !== c) {
    throw new NodeError("internal", "the prover answered with signals of another claim", {
      mend: "Report this, with the model's package: witness and claim disagree.",
      facts: { request: id },
    });
  }
  return { ...job, state: "proved", prover: ports.chain.prover, proof, signals };
}

async function submit(job: Proved, ports: Ports, signal: AbortSignal): Promise<Outcome> {
  const pending = await ports.chain.progress(job.request.id, signal);
  if (pending.kind !== "none") return { ...job, state: "submitted" }; // sent before a crash
  const over = await unlessOpen(job, ports, 0, signal);
  if (over !== undefined) return over;
  const { output, c, proof, prover, request } = job;
  const fulfilment: Fulfilment = { request: request.id, input: request.input, output, c, proof, prover };
  try {
    await ports.chain.submit(fulfilment, signal);
  } catch (thrown) {
    // Between our look and the estimate the request may have been answered or have run out.
    const late = await unlessOpen(job, ports, 0, signal);
    if (late !== undefined) return late;
    throw explained(thrown, "fulfil");
  }
  return { ...job, state: "submitted" };
}

async function awaitInclusion(job: Submitted, ports: Ports, signal: AbortSignal): Promise<Outcome> {
  const progress = await ports.chain.progress(job.request.id, signal);
  if (progress.kind === "none") return retrySubmission(job, ports, "the transaction was given up", signal);
  if (progress.kind === "pending") {
    // Out of time and nothing mined: the nonce is looked after by the sender, the job has no more to do.
    const over = await unlessOpen(job, ports, 0, signal);
    return over ?? { waitsFor: `transaction ${progress.hash} to be included` };
  }
  const { ok, hash, block, gasUsed } = progress.receipt;
  if (!ok) {
    const over = await unlessOpen(job, ports, 0, signal);
    return over ?? { waitsFor: `transaction ${hash}, which was reverted, to be confirmed as such` };
  }
  return { ...job, state: "settled", receipt: { hash, block, gasUsed } };
}

async function awaitConfirmation(job: Settled, ports: Ports, signal: AbortSignal): Promise<Outcome> {
  const progress = await ports.chain.progress(job.request.id, signal);
  if (progress.kind === "none") return retrySubmission(job, ports, "the transaction left the chain", signal);
  if (progress.kind === "pending" || !progress.receipt.ok) {
    const { receipt: _receipt, ...rest } = job;
    return { ...rest, state: "submitted" };
  }
  const { hash, block, gasUsed } = progress.receipt;
  if (!progress.confirmed) return { waitsFor: `confirmations of block ${block.number}` };
  const settled: Settled = { ...job, receipt: { hash, block, gasUsed } };
  return close(settled, "fulfilled", `answered in transaction ${hash}, block ${block.number}`);
}

async function retrySubmission(job: Submitted | Settled, ports: Ports, trouble: string, signal: AbortSignal) {
  const over = await unlessOpen(job, ports, 0, signal);
  if (over !== undefined) return over;
  if (job.attempts + 1 >= ports.policy.maxAttempts) {
    return close(job, "failed", `${trouble}; ${job.attempts + 1} attempts were made`);
  }
  return backToProved(job, trouble);
}

/** Everything that is checked before any work. Undefined: admitted. */
async function admit(
  job: Accepted,
  model: ServedModel,
  ports: Ports,
  signal: AbortSignal,
): Promise<Closed | undefined> {
  const { request } = job;
  const { policy } = ports;
  if (request.fee < policy.minimumFee) {
    return close(job, "refused", `the fee of ${request.fee} wei is below this node's minimum of ${policy.minimumFee}`);
  }
  if (request.input.length !== model.inputLength) {
    const text = `the input has ${request.input.length} bytes, the model takes ${model.inputLength}`;
    return close(job, "refused", text);
  }
  const missing = request.requiredEvidence & ~policy.evidence;
  if (missing !== 0) {
    return close(job, "refused", `evidence of bits ${missing} is demanded, which this node cannot provide`);
  }
  const over = await unlessOpen(job, ports, policy.marginSeconds + model.estimateMs / 1000, signal);
  if (over !== undefined) return over;
  const record = await ports.chain.modelOf(request.model, signal);
  if (record === undefined) throw absent("the registry does not know the model");
  if (record.retired) return close(job, "refused", "the model is retired");
  return undefined;
}

const notServed = (job: OpenJob): Closed =>
  close(job, "refused", `model ${job.request.model} is not among this node's packages`);

const absent = (what: string): NodeError =>
  new NodeError("chain", what, { retry: true, mend: "Check that the endpoint is in step with the chain." });

/** Closes the job unless the chain still waits for an answer and leaves `neededSeconds` to give it. */
async function unlessOpen(
  job: OpenJob,
  ports: Ports,
  neededSeconds: number,
  signal: AbortSignal,
): Promise<Closed | undefined> {
  const { id, deadline } = job.request;
  const record: RequestRecord | undefined = await ports.chain.requestOf(id, signal);
  // Absence proves nothing: the endpoint may lag. A request whose block left the chain is closed by the follower.
  if (record === undefined) throw absent("the coordinator does not know the request");
  if (record.status === "fulfilled") {
    // Ours if a transaction of ours did it: then there is a record of it and progress() tells.
    const by = await ports.chain.answeredBy(id, signal);
    const own = (await ports.chain.progress(id, signal)).kind === "included";
    if (own) return undefined;
    const who = by === ports.chain.prover ? "by this key, from elsewhere" : `by ${by ?? "another prover"}`;
    return close(job, "elsewhere", `answered ${who}`);
  }
  if (record.status === "expired") return close(job, "expired", `the deadline ${deadline} passed without an answer`);
  const left = deadline - (await ports.chain.time(signal));
  if (left < neededSeconds) {
    const text = `${left} s are left to the deadline, ${Math.ceil(neededSeconds)} s are needed`;
    return close(job, "expired", text);
  }
  return undefined;
}
