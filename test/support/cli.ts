// The glassbox command as a process of its own, in a folder that the test gives.
import { expect } from "chai";
import { spawn } from "node:child_process";

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandLine {
  glassbox(...args: readonly string[]): Promise<Outcome>;
  /** The report under --json of a command that succeeds. */
  json(...args: readonly string[]): Promise<Record<string, unknown>>;
}

/** @param folder where the user stands, asked at each call */
export function commandLine(folder: () => string): CommandLine {
  const glassbox = (...args: readonly string[]): Promise<Outcome> =>
    new Promise((resolve, reject) => {
      const env = { ...process.env, GLASSBOX_CWD: folder() };
      const child = spawn(process.execPath, ["node/app/cli/main.ts", ...args], { env });
      const [stdout, stderr]: [string[], string[]] = [[], []];
      child.stdout.on("data", (piece: Buffer) => stdout.push(piece.toString()));
      child.stderr.on("data", (piece: Buffer) => stderr.push(piece.toString()));
      child.once("error", reject);
      child.once("close", (code) => resolve({ code, stdout: stdout.join(""), stderr: stderr.join("") }));
    });
  return {
    glassbox,
    json: async (...args) => {
      const { code, stdout, stderr } = await glassbox(...args, "--json");
      expect(code, stderr).to.equal(0);
      return JSON.parse(stdout) as Record<string, unknown>;
    },
  };
}
