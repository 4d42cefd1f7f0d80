// The process that snarkjs runs in (see snarkjs.ts): one request at a time, warm between them. Ends when its parent does.
// What snarkjs would print goes back with the reply.
import { setFlagsFromString } from "node:v8";
import * as snarkjs from "snarkjs";
import type { Reply, Request } from "./snarkjs.ts";

// V8 would run WebAssembly unoptimised until it finds it hot, which took the workers up to seven proofs at twice the time:
// optimised from the second call on instead. (A V8 that lacks the flag says so on stderr and goes on.)
setFlagsFromString("--no-wasm-dynamic-tiering");

/** snarkjs' own words at the start of each phase of a proof, in order. */
const PHASES = [
  "Reading Wtns",
  "Building ABC",
  "Join ABC",
  "Reading A Points",
  "Reading B1 Points",
  "Reading B2 Points",
  "Reading C Points",
  "Reading H Points",
];

let said: string[] = [];
const say = (reply: Reply): void => void process.send?.(reply);
const note = (text: string): void => void said.push(text.trim());
const logger = {
  debug: (text: string): void => {
    const done = PHASES.indexOf(text);
    if (done >= 0) say({ kind: "step", done, total: PHASES.length });
  },
  info: (): void => undefined,
  warn: note,
  error: note,
};
// eslint-disable-next-line no-console -- snarkjs prints why a ceremony does not hold; this process has no other output
console.log = (...args: unknown[]) => note(args.join(" "));

function answer(request: Request): Promise<unknown> {
  switch (request.act) {
    case "prove": {
      const { zkey, wtns } = request;
      return snarkjs.groth16.prove(zkey, typeof wtns === "string" ? wtns : { type: "mem", data: wtns }, logger);
    }
    case "contribute":
      return snarkjs.zKey.contribute(request.from, request.to, request.name, request.entropy, logger);
    case "beacon":
      return snarkjs.zKey.beacon(request.from, request.to, request.name, request.beacon, request.iterations, logger);
    case "verify":
      return snarkjs.zKey.verifyFromInit(request.initial, request.ptau, request.zkey, logger);
  }
}

process.on("disconnect", () => process.exit(0));
process.on("message", (request) => {
  said = [];
  answer(request as Request).then(
    (value) => say({ kind: "done", value, said }),
    (thrown: unknown) => say({ kind: "failed", message: thrown instanceof Error ? thrown.message : String(thrown) }),
  );
});
