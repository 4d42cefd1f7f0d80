// The table of steps: each takes a job and returns the next one, or says what it waits for. A step stores nothing and may
// run any number of times on the same job: whatever it does to the outside is idempotent (see chain/submit.ts).
import { refusalOf as refusalIn } from "../chain/refusal.ts";
import { collateralAt, lastClaim, priceAt } from "../chain/request.ts";
import { asNodeError, NodeError, throwIfAborted } from "../core/errors.ts";
import {
  type Accepted,
  backToProved,
  close,
  type Closed,
  type Inferred,
  type Input,
  inputOf,
  type Job,
  type JobIn,
  nextRound,
  type OpenJob,
  type OpenState,
  type Proved,
  type Settled,
  type Submitted,
} from "./job.ts";
import { absent, look, type Looked, type Need, refusalOf, type Waiting } from "./look.ts";
import type { Ports, ServedModel } from "./ports.ts";

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

export const CLAIM_SENT = "its claim to be in a block";

/** Looked at again after some seconds: nothing on the chain tells that it came. */
const NOT_BROUGHT: Waiting = { waitsFor: "its private input", seconds: 5 };

/** For what is left to do but to send or to wait. */
const NO_WORK: Need = { left: 0, work: 0 };

/** Admission, the input, then the model. */
async function infer(job: Accepted, ports: Ports, signal: AbortSignal): Promise<Outcome> {
  const { asked } = job;
  const model = await ports.models.served(asked.request.model, signal);
  if (model === undefined) return notServed(job);
  const refused = refusalOf(asked, model, ports);
  if (refused !== undefined) return close(job, "refused", refused);
  const looked = await look(job, ports, needOf(job, model, ports), signal);
  if (!looked.go) return looked.outcome;
  const { inputKind } = asked.request;
  const brought = inputKind === "reference" || inputKind === "private";
  const input: Input | undefined = brought ? await ports.inputs.get(asked, model, signal) : { bytes: asked.input };
  if (input === undefined) return NOT_BROUGHT;
  const { output, c } = await ports.infer.run(model, input, signal);
  throwIfAborted(signal);
  return { ...job, state: "inferred", ...(inputKind === "reference" ? { input } : {}), output, c };
}

/** A claim where the policy wants one, then the proof. */
async function prove(job: Inferred, ports: Ports, signal: AbortSignal): Promise<Outcome> {
  const { id, request } = job.asked;
  const model = await ports.models.served(request.model, signal);
  if (model === undefined) return notServed(job);
  const looked = await look(job, ports, needOf(job, model, ports), signal);
  if (!looked.go) return looked.outcome;
  const secret = request.inputKind === "private";
  const input = secret ? await ports.inputs.get(job.asked, model, signal) : inputOf(job);
  if (input === undefined) return NOT_BROUGHT;
  const waiting = await claim(job, model, looked, ports, signal);
  if (waiting !== undefined) return waiting;
  const { output, c } = job;
  const shown = secret ? undefined : input.bytes;
  const r = ports.chain.challenge({ request: id, model: request.model, input: shown, output, c });
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
  const { id, request } = job.asked;
  const { output, c, proof, prover, round = 0 } = job;
  const pending = await ports.chain.progress(id, round, signal);
  if (pending.kind !== "none") return { ...job, state: "submitted" }; // sent before a crash
  const looked = await look(job, ports, NO_WORK, signal);
  if (!looked.go) return looked.outcome;
  const input = request.inputKind === "private" ? new Uint8Array() : inputOf(job).bytes;
  try {
    await ports.chain.submit(
      { id, round, fulfilment: { request, answer: { input, output, c, proof }, prover } },
      signal,
    );
  } catch (thrown) {
    // Between our look and the estimate the request may have been answered or claimed, or have run out.
    const late = await look(job, ports, NO_WORK, signal);
    if (!late.go) return late.outcome;
    throw passing(thrown);
  }
  return { ...job, state: "submitted" };
}

async function awaitInclusion(job: Submitted, ports: Ports, signal: AbortSignal): Promise<Outcome> {
  const progress = await ports.chain.progress(job.asked.id, job.round ?? 0, signal);
  if (progress.kind === "none") return retrySubmission(job, ports, "the transaction was given up", signal);
  if (progress.kind === "pending") {
    // Out of time and nothing mined: the nonce is looked after by the sender, the job has no more to do.
    const looked = await look(job, ports, NO_WORK, signal);
    const over = !looked.go && "state" in looked.outcome;
    return over ? looked.outcome : { waitsFor: `transaction ${progress.hash} to be included` };
  }
  const { ok, hash, block, gasUsed } = progress.receipt;
  const { status } = await ports.chain.standing(job.asked, signal);
  if (ok && status === "fulfilled") return { ...job, state: "settled", receipt: { hash, block, gasUsed } };
  if (ok && progress.confirmed) {
    return retrySubmission(job, ports, `transaction ${hash} left the request out`, signal, nextRound);
  }
  const looked = await look(job, ports, NO_WORK, signal);
  const over = !looked.go && "state" in looked.outcome;
  const what = ok ? "which left the request out, to be confirmed" : "which was reverted, to be confirmed as such";
  return over ? looked.outcome : { waitsFor: `transaction ${hash}, ${what}` };
}

async function awaitConfirmation(job: Settled, ports: Ports, signal: AbortSignal): Promise<Outcome> {
  const progress = await ports.chain.progress(job.asked.id, job.round ?? 0, signal);
  if (progress.kind === "none") return retrySubmission(job, ports, "the transaction left the chain", signal);
  if (progress.kind === "pending" || !progress.receipt.ok) return submittedAgain(job);
  const { hash, block, gasUsed } = progress.receipt;
  if (!progress.confirmed) return { waitsFor: `confirmations of block ${block.number}` };
  const settled: Settled = { ...job, receipt: { hash, block, gasUsed } };
  return close(settled, "fulfilled", `answered in transaction ${hash}, block ${block.number}`);
}

function submittedAgain({ receipt: _receipt, ...job }: Settled): Submitted {
  return { ...job, state: "submitted" };
}

async function retrySubmission(
  job: Submitted | Settled,
  ports: Ports,
  trouble: string,
  signal: AbortSignal,
  back: (job: Submitted | Settled, trouble: string) => Proved = backToProved,
): Promise<Outcome> {
  const looked = await look(job, ports, NO_WORK, signal);
  if (!looked.go && "state" in looked.outcome) return looked.outcome;
  if (job.attempts + 1 >= ports.policy.maxAttempts) {
    return close(job, "failed", `${trouble}; ${job.attempts + 1} attempts were made`);
  }
  return back(job, trouble);
}

/** Whether this node would claim the request before proving; it may turn out that it cannot pay for it. */
function wantsClaim({ asked: { request: r } }: OpenJob, model: ServedModel, { policy }: Ports): boolean {
  const seconds = model.estimateMs / 1000;
  // A claim that ends before the proof is there would cost the collateral.
  if (policy.claim === "never" || r.claimPeriod < seconds + policy.marginSeconds) return false;
  return policy.claim === "always" || seconds >= policy.claimSeconds;
}

function needOf(job: OpenJob, model: ServedModel, ports: Ports): Need {
  const seconds = model.estimateMs / 1000;
  return { left: ports.policy.marginSeconds + seconds, work: wantsClaim(job, model, ports) ? 0 : seconds };
}

/** Undefined: go on and prove, with a claim of ours or without. */
async function claim(
  job: Inferred,
  model: ServedModel,
  { standing, now }: Looked & { readonly go: true },
  ports: Ports,
  signal: AbortSignal,
): Promise<Waiting | undefined> {
  if (standing.status !== "open" || !wantsClaim(job, model, ports)) return undefined;
  const { id, request: r } = job.asked;
  if (now >= lastClaim(r)) return undefined; // the next block would refuse it
  const sent = await ports.chain.claimProgress(id, signal);
  if (sent.kind !== "none") return { waitsFor: CLAIM_SENT };
  const record = await ports.chain.modelOf(r.model, signal);
  if (record === undefined) throw absent("the registry does not know the model");
  const price = priceAt(r, now);
  const limit = price * BigInt(ports.policy.collateralPercent);
  if (collateralAt(r, price, record.collateralBps) * 100n > limit) return undefined;
  // It goes with the price, which may rise while the claim is on its way.
  const collateral = collateralAt(r, r.maxFee, record.collateralBps);
  try {
    return (await ports.chain.claim(job.asked, collateral, signal)) ? { waitsFor: CLAIM_SENT } : undefined;
  } catch (thrown) {
    // Another job of this node may have used the account up, or it is too late: then without a claim.
    const refusal = refusalIn(asNodeError(thrown).cause)?.name;
    if (refusal === "BalanceTooLow" || refusal === "ClaimTooLate") return undefined;
    throw passing(thrown);
  }
}

/** What the state of the next block mends is tried again. */
function passing(thrown: unknown): NodeError {
  const error = asNodeError(thrown, "chain");
  const { code, message, mend, facts } = error;
  const name = facts["refusal"];
  if (typeof name !== "string" || !PASSING.has(name)) return error;
  return new NodeError(code, message, { ...(mend === undefined ? {} : { mend }), facts, cause: thrown, retry: true });
}
const PASSING = new Set(["NotStarted", "RequestNotOpen", "ClaimedByOther", "RequestUnknown", "GasTooLow"]);

const notServed = (job: OpenJob): Closed =>
  close(job, "refused", `model ${job.asked.request.model} is not among this node's packages`);
