// A thread of the prover, or for making keys: one engine, one task at a time, answers with the result or with the error. Runs
// wherever threads.ts can start it.
import { asNodeError } from "../core/errors.ts";
import { type Engine, openEngine } from "./engine.ts";
import { type KeyEngine, openKeyEngine } from "./keyengine.ts";
import type { Reply, Request, Task } from "./messages.ts";
import { instantiate } from "./module.ts";
import { selfTest } from "./selftest.ts";
import { openSource, type SourceSpec } from "./source.ts";
import { parent } from "./threads.ts";

let engine: Engine | undefined;
let keys: KeyEngine | undefined;

const say = parent((message) => {
  const { id, task } = message as Request;
  const began = performance.now();
  let reply: Reply;
  try {
    reply = { id, value: answer(task), took: performance.now() - began };
  } catch (thrown) {
    const { code, message: text, mend, retry, facts } = asNodeError(thrown);
    reply = { id, failure: { code, message: text, mend, retry, facts } };
  }
  say(reply, "value" in reply ? buffersOf(reply.value) : []);
});

function answer(task: Task): unknown {
  if (task.do === "start") {
    engine = openEngine(instantiate(task.module), task.cacheBytes);
    return undefined;
  }
  if (task.do === "test") return selfTest(instantiate(task.module));
  if (task.do === "start keys") {
    keys = openKeyEngine(instantiate(task.module), task.width);
    return undefined;
  }
  if (task.do === "keys") return keys?.(task.task);
  if (engine === undefined) throw new Error("the thread was not started");
  switch (task.do) {
    case "key":
      return engine.key(openSource(task.key));
    case "witness":
      return readOnce(task.witness, engine);
    case "coset":
      return engine.coset(task.of);
    case "join":
      return engine.join(task.a, task.b, task.c);
    case "scalars":
      engine.scalars(task.scalars);
      // If it came as a copy.
      if (task.scalars.buffer instanceof ArrayBuffer) task.scalars.fill(0);
      return undefined;
    case "sum":
      return engine.sum(task.of, task.plan, task.from, task.to);
    case "wipe":
      return engine.wipe();
  }
}

/** A witness that came by message is this thread's own copy, and is cleared. */
function readOnce(spec: SourceSpec, { witness }: Engine): unknown {
  const source = openSource(spec);
  try {
    return witness(source);
  } finally {
    source.close();
    if (spec.kind === "bytes" && spec.bytes.buffer instanceof ArrayBuffer) spec.bytes.fill(0);
  }
}

/** Buffers that are given away instead of copied: nobody would wipe what a copy leaves here. */
function buffersOf(value: unknown): ArrayBuffer[] {
  if (value instanceof Uint8Array) return value.buffer instanceof ArrayBuffer ? [value.buffer] : [];
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return [];
  return Object.values(value).flatMap(buffersOf);
}
