// Builds one net of nets.ts in a process of its own and prints the digest of its .r1cs: node netsBuild.ts <net> <file>.
import { buildCircuit } from "../../node/circuit/build.ts";
import { cifarCnn, lenet5, mlp784 } from "./nets.ts";

const NETS = { mlp784, lenet5, cifarCnn };
const [name = "", file = ""] = process.argv.slice(2);
const { sha256 } = await buildCircuit(NETS[name as keyof typeof NETS](), { file });
process.stdout.write(sha256 ?? "");
