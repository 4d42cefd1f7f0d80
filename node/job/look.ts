// What a step does before it works: whether this node takes a request at all, and how the request stands now. The answer is
// to go on, to end the job, or to wait for a second at which it pays. Changes nothing.
import type { RequestSeen } from "../chain/codec.ts";
import { NOBODY, priceAt, timeOfPrice, unitOf } from "../chain/request.ts";
import { NodeError } from "../core/errors.ts";
import { close, type Closed, type OpenJob } from "./job.ts";
import type { Ports, ServedModel, Standing } from "./ports.ts";

export interface Waiting {
  /** What has to happen first; the runner looks again at every tick of the chain. */
  readonly waitsFor: string;
  /** By when at the latest; then it does not look before. */
  readonly seconds?: number;
}

/** Why this node does not take the request, whatever becomes of it; undefined: it does. */
export function refusalOf(asked: RequestSeen, model: ServedModel, { policy, chain }: Ports): string | undefined {
  const { request: r } = asked;
  const least = policy.minimumFees[r.token];
  if (least === undefined) return `the fee is in token ${r.token}, which this node does not take`;
  if (r.maxFee < least) {
    return `the fee of at most ${r.maxFee} ${unitOf(r)} is below this node's minimum of ${least}`;
  }
  if (r.consumer !== NOBODY && r.callbackGas > policy.callbackGas) {
    return `its callback may use ${r.callbackGas} gas, this node pays for ${policy.callbackGas}`;
  }
  if (r.prover !== NOBODY && r.prover !== chain.prover) return `only prover ${r.prover} may answer it`;
  const inEvent = r.inputKind === "data" || r.inputKind === "source";
  if (inEvent && asked.input.length !== model.inputLength) {
    return `the input has ${asked.input.length} bytes, the model takes ${model.inputLength}`;
  }
  const missing = r.requiredEvidence & ~policy.evidence;
  if (missing !== 0) return `evidence of bits ${missing} is demanded, which this node cannot provide`;
  return undefined;
}

/** Of a claim and an answer with a short output, without the consumer's call (test/contracts/snapshots/gas.json). */
const GAS = 400_000n;
/** Seconds between looks at what gas costs. */
const GAS_WAIT = 60;

export interface Need {
  /** Seconds that must be left to the deadline. */
  readonly left: number;
  /** Seconds from now to when the price is fixed: by the answer, or by a claim. */
  readonly work: number;
}

export type Looked =
  | { readonly go: true; readonly standing: Standing; readonly now: number }
  | { readonly go: false; readonly outcome: Closed | Waiting };

/** How the request stands, and whether to go on with it now. */
export async function look(job: OpenJob, ports: Ports, need: Need, signal: AbortSignal): Promise<Looked> {
  const { id, request: r } = job.asked;
  const over = (kind: "elsewhere" | "expired" | "refused", text: string): Looked => ({
    go: false,
    outcome: close(job, kind, text),
  });
  const standing = await ports.chain.standing(job.asked, signal);
  // Absence proves nothing: the endpoint may lag. A request whose block left the chain is closed by the follower.
  if (standing.status === "unknown") throw absent("the coordinator does not know the request");
  if (standing.status === "fulfilled") {
    // Ours if a transaction of ours did it: then there is a record of it and progress() tells.
    for (let round = job.round ?? 0; round >= 0; round--) {
      const { kind } = await ports.chain.progress(id, round, signal);
      if (kind === "included") return { go: true, standing, now: await ports.chain.time(signal) };
    }
    const own = standing.by === ports.chain.prover;
    return over(
      "elsewhere",
      `answered ${own ? "by this key, from elsewhere" : `by ${standing.by ?? "another prover"}`}`,
    );
  }
  const { deadline } = r;
  if (standing.status === "expired") {
    return over("expired", `the deadline ${deadline} passed without an answer, or it was cancelled`);
  }
  const now = await ports.chain.time(signal);
  const short = (left: number): Looked =>
    over("expired", `${left} s are left to the deadline, ${Math.ceil(need.left)} s are needed`);
  if (deadline - now < need.left) return short(deadline - now);
  const minimum = ports.policy.minimumFees[r.token] ?? 0n;
  if (standing.status === "claimed") {
    const { claimer, end } = standing;
    if (claimer === ports.chain.prover) return { go: true, standing, now };
    // A claim that ends with the deadline leaves no second to anybody else.
    const taken = `claimed by ${claimer} to ${end}`;
    if (deadline - (end + 1) < need.left) return over("elsewhere", taken);
    if (priceAt(r, end - r.claimPeriod) < minimum) return over("elsewhere", `${taken}, at too low a price`);
    if (now <= end) return wait(`the end of the claim by ${claimer}`, end + 1 - now);
    return { go: true, standing, now };
  }
  const gas = ports.policy.coverGas && r.token === NOBODY ? GAS + BigInt(r.callbackGas) : 0n;
  const cost = gas === 0n ? 0n : gas * (await ports.chain.gasPrice(signal));
  if (cost > r.maxFee) return wait(`gas that its fee covers; now it costs ${cost} wei`, GAS_WAIT);
  const least = cost > minimum ? cost : minimum;
  const pays = timeOfPrice(r, least);
  if (pays === undefined) return over("refused", `it never pays ${least} ${unitOf(r)}`);
  if (deadline - pays < Math.max(0, need.left - need.work))
    return over("refused", `it pays ${least} ${unitOf(r)} too late`);
  // Before the start it may be cancelled.
  const begin = Math.max(r.start, pays - Math.floor(need.work));
  if (now < begin) return wait(now < r.start ? "its start" : `a price of ${least}`, begin - now);
  return { go: true, standing, now };
}

const wait = (waitsFor: string, seconds: number): Looked => ({ go: false, outcome: { waitsFor, seconds } });

export const absent = (what: string): NodeError =>
  new NodeError("chain", what, { retry: true, mend: "Check that the endpoint is in step with the chain." });
