// The prover's threads and who does what: each takes the next task that is ready, first one whose part of the key it holds
// already. A failure or an abort ends all threads, and with them every secret in their memory. Knows no cryptography.
import { NodeError } from "../core/errors.ts";
import type { Reply, Task } from "./messages.ts";
import { startThread, type Thread } from "./threads.ts";

export interface Answer<T> {
  readonly value: T;
  /** Milliseconds of the thread. */
  readonly took: number;
}

export interface Pool {
  readonly size: number;
  /** To be done by any one thread; `of` names what a thread keeps for tasks of the same kind. */
  run<T>(task: Task, of?: string): Promise<Answer<T>>;
  /** The same, before whatever else waits. */
  first<T>(task: Task): Promise<Answer<T>>;
  /** To be done by each thread, before anything that is given to it later. */
  all<T>(task: Task): Promise<readonly Answer<T>[]>;
  /** Ends the threads at once; what they were doing fails with `reason`. */
  end(reason: NodeError): Promise<void>;
}

/** The sum whose points every thread has: the one that takes longest where all values are of full size. */
const SHARED = "sum b";

interface Job {
  readonly task: Task;
  readonly of: string | undefined;
  readonly resolve: (answer: Answer<unknown>) => void;
  readonly reject: (reason: NodeError) => void;
}

interface Member {
  readonly thread: Thread;
  /** What it was given to do alone, ahead of the common queue. */
  readonly own: Job[];
  readonly keeps: Set<string>;
  busy: Job | undefined;
}

export function openPool(size: number): Pool {
  const queue: Job[] = [];
  let over: NodeError | undefined;
  let next = 0;

  const members: readonly Member[] = Array.from({ length: size }, () => {
    const member: Member = {
      thread: startThread({
        message: (message) => heard(member, message as Reply),
        failed: (cause) => void end(died(cause)),
      }),
      own: [],
      keeps: new Set(),
      busy: undefined,
    };
    return member;
  });

  /**
   * The next job for `member`: its own, then one that it has the points for, then one that nobody has them for. Those of the
   * sum that all share come behind these, to even the work out; another thread's points are loaded a second time only then.
   */
  function take(member: Member): Job | undefined {
    if (member.own.length > 0) return member.own.shift();
    const held = ({ of }: Job): boolean => of === undefined || member.keeps.has(of);
    const free = ({ of }: Job): boolean => !members.some(({ keeps }) => of !== undefined && keeps.has(of));
    const orders: readonly ((job: Job) => boolean)[] = [
      (job) => job.of !== SHARED && held(job),
      (job) => job.of !== SHARED && free(job),
      (job) => job.of === SHARED,
      () => true,
    ];
    for (const order of orders) {
      const found = queue.findIndex(order);
      if (found >= 0) return queue.splice(found, 1)[0];
    }
    return undefined;
  }

  function give(member: Member): void {
    if (member.busy !== undefined) return;
    const job = take(member);
    if (job === undefined) return;
    member.busy = job;
    if (job.of !== undefined) member.keeps.add(job.of);
    member.thread.post({ id: ++next, task: job.task }, transferOf(job.task));
  }

  function heard(member: Member, reply: Reply): void {
    const job = member.busy;
    if (job === undefined) return;
    member.busy = undefined;
    if ("failure" in reply) {
      const { code, message, ...details } = reply.failure;
      const { mend, ...rest } = details;
      const failure = new NodeError(code, message, mend === undefined ? rest : { mend, ...rest });
      job.reject(failure);
      void end(failure);
      return;
    }
    // Work first, then the news: what waits for this result must not keep a thread waiting.
    give(member);
    job.resolve(reply);
    give(member);
  }

  async function end(reason: NodeError): Promise<void> {
    if (over === undefined) {
      over = reason;
      const jobs = [
        ...queue.splice(0),
        ...members.flatMap(({ own, busy }) => [...own.splice(0), ...(busy ? [busy] : [])]),
      ];
      for (const job of jobs) job.reject(reason);
    }
    await Promise.all(members.map(({ thread }) => thread.end()));
  }

  const add = <T>(task: Task, to: Job[], of?: string, first = false): Promise<Answer<T>> => {
    if (over !== undefined) return Promise.reject(over);
    const answer = new Promise<Answer<unknown>>((resolve, reject) => {
      const job = { task, of, resolve, reject };
      if (first) to.unshift(job);
      else to.push(job);
    });
    // A task may be abandoned when another has failed; its own failure is then the same and nobody's news.
    answer.catch(() => undefined);
    for (const member of members) give(member);
    return answer as Promise<Answer<T>>;
  };

  return {
    size,
    run: (task, of) => add(task, queue, of),
    first: (task) => add(task, queue, undefined, true),
    all: <T>(task: Task) => Promise.all(members.map(({ own }) => add<T>(task, own))),
    end,
  };
}

function died(cause: unknown): NodeError {
  return new NodeError("environment", "a thread of the prover died", {
    mend: "Try again; if it dies each time, give the machine more memory or prove with fewer threads.",
    retry: true,
    cause,
  });
}

/** What a thread may have for itself: the polynomials, which nobody else needs. */
function transferOf(task: Task): readonly ArrayBuffer[] {
  return task.do === "join" ? [task.a, task.b, task.c].map(({ buffer }) => buffer as ArrayBuffer) : [];
}
