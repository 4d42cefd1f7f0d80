// Calls that take turns, on one thing that can do but one at a time. Relies on nothing.
import { throwIfAborted } from "./errors.ts";

export type Turns = <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T>;

/** Runs calls one after another; a call that is aborted while it waits leaves at once. */
export function takeTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return async (signal, work) => {
    const before = last;
    let leave: () => void = () => undefined;
    const mine = new Promise<void>((resolve) => (leave = resolve));
    last = before.then(() => mine);
    try {
      await endedOrAborted(before, signal);
      throwIfAborted(signal);
      return await work();
    } finally {
      leave();
    }
  };
}

async function endedOrAborted(before: Promise<unknown>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  let stop: () => void = () => undefined;
  const aborted = new Promise<void>((resolve) => (stop = resolve));
  signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([before, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
