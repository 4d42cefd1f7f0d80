// Builds one net of nets.ts in a process of its own and prints what it took, as JSON: node netsBuild.ts <net> <file>.
// Times are since the process began, so that they hold circom's start-up and Node's; on a busy machine the processor's time
// says more than the clock.
import { buildCircuit } from "../../node/circuit/build.ts";
import { cifarCnn, lenet5, mlp784 } from "./nets.ts";

const NETS = { mlp784, lenet5, cifarCnn };

export interface ColdBuild {
  /** By the clock or by the processors, whichever is less. */
  readonly ms: number;
  readonly megabytes: number;
  readonly constraints: number;
  readonly sha256: string;
}

const [name = "", file = ""] = process.argv.slice(2);
const { constraints, sha256 } = await buildCircuit(NETS[name as keyof typeof NETS](), { file });
const megabytes = process.resourceUsage().maxRSS / 1024;
const { user, system } = process.cpuUsage();
const ms = Math.min(performance.now(), (user + system) / 1000);
process.stdout.write(JSON.stringify({ ms, megabytes, constraints, sha256 }));
