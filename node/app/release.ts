// The contracts compiled each by itself, by scripts/release.ts in a process of its own: the code whose addresses are equal on
// every chain.
import { spawn } from "node:child_process";
import path from "node:path";
import { NodeError } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";

/** @returns the folder of the artifacts. @throws NodeError "environment" */
export async function releaseArtifacts(root: string, { signal, onProgress }: LongCall = {}): Promise<string> {
  const script = path.join(root, "scripts", "release.ts");
  const child = spawn(process.execPath, [script], { cwd: root, ...(signal === undefined ? {} : { signal }) });
  let [out, said] = ["", ""];
  child.stdout.on("data", (piece: Buffer) => (out += piece.toString()));
  child.stderr.on("data", (piece: Buffer) => (said += piece.toString()));
  const ticking = setInterval(() => onProgress?.({ what: "solc, the first time about a minute" }), 1000);
  try {
    const code = await new Promise<number | null>((resolve, reject) =>
      child.once("error", reject).once("close", resolve),
    );
    if (code === 0) return out.trim().split("\n").at(-1) as string;
    throw new NodeError("environment", `the contracts do not compile: ${said.trim() || out.trim()}`, {
      mend: "Run `npm run build` and look at what it says.",
    });
  } finally {
    clearInterval(ticking);
  }
}
