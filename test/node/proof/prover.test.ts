// Provers: real proofs, verified; a child process that can be killed, dies, is orphaned, and never costs more than one job.
import { expect } from "chai";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { pathToFileURL } from "node:url";
import { openProver, type Prover, rapidsnarkProver, snarkjsProver, wasmProver } from "../../../node/proof/prover.ts";
import type { Log } from "../../../node/core/ports.ts";
import { verifyProof } from "../../../node/proof/verify.ts";
import { smallCircuit, wtnsBytes } from "../../support/circuits-small.ts";
import { refusalOf, type SmallKey, smallKey, workFolder } from "../../support/keys.ts";

const readProc = (pid: number | string, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // ended meanwhile
  }
};
/** The proving processes that `parent` started. The parent's id is the second field behind the name in parentheses. */
const childrenOf = (parent: number): number[] =>
  readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && readProc(pid, "stat").split(") ").at(-1)?.split(" ")[1] === String(parent))
    .filter((pid) => readProc(pid, "cmdline").includes("worker.ts"))
    .map(Number);
const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // A killed child is a zombie until its parent has reaped it.
    return !/^State:\s+Z/m.test(readProc(pid, "status"));
  } catch {
    return false;
  }
};
async function until(holds: () => boolean, ms: number): Promise<number> {
  const start = performance.now();
  while (!holds() && performance.now() - start < ms) await new Promise((resolve) => setTimeout(resolve, 5));
  return performance.now() - start;
}

describe("the prover in a child process", function () {
  this.timeout(60_000);
  const folder = workFolder();
  let key: SmallKey;
  let prover: Prover;

  before(async () => {
    key = await smallKey(folder.path, { padding: 2000 });
  });
  beforeEach(() => {
    prover = snarkjsProver();
  });
  afterEach(() => prover.close());
  after(() => folder.remove());

  const job = () => ({ zkey: key.zkey, wtns: key.witness(3n, 10n) });
  /** Starts a proof and gives the process that works on it once it is at work. */
  async function atWork(signal?: AbortSignal): Promise<{ pid: number; proved: Promise<unknown> }> {
    const before = childrenOf(process.pid);
    const { promise, resolve } = Promise.withResolvers<void>();
    const proved = prover.prove(job(), { onProgress: () => resolve(), ...(signal ? { signal } : {}) });
    proved.catch(() => undefined);
    await promise;
    const pid = childrenOf(process.pid).find((child) => !before.includes(child));
    return { pid: pid as number, proved };
  }

  it("proves from bytes and from a file, warm, with progress", async () => {
    const steps: number[] = [];
    const onProgress = ({ done }: { readonly done?: number }): void => void steps.push(done as number);
    const first = await prover.prove(job(), { onProgress });
    expect(first.signals).to.deep.equal({ c: 32n, v: 39n, r: 10n });
    expect(await verifyProof(key.vkey, first.signals, first.proof)).to.equal(true);
    expect(steps).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7]);
    const [pid] = childrenOf(process.pid);
    const path = folder.at("witness.wtns");
    writeFileSync(path, key.witness(4n, 1n));
    expect((await prover.prove({ zkey: key.zkey, wtns: path })).signals).to.deep.equal({ c: 69n, v: 20n, r: 1n });
    expect(childrenOf(process.pid)).to.deep.equal([pid]);
  });

  it("is dead within 100 ms of an abort, and the next proof gets a fresh process", async () => {
    const stop = new AbortController();
    const { pid, proved } = await atWork(stop.signal);
    expect(alive(pid)).to.equal(true);
    stop.abort();
    expect(await until(() => !alive(pid), 1000)).to.be.below(100);
    expect((await refusalOf(() => proved)).code).to.equal("aborted");
    expect((await prover.prove(job())).signals.c).to.equal(32n);
    expect(childrenOf(process.pid)).not.to.include(pid);
  });

  it("lets a waiting job go at once when that one is aborted, and the running one end well", async () => {
    const { proved } = await atWork();
    const stop = new AbortController();
    let ended = false;
    const waiting = prover.prove(job(), { signal: stop.signal });
    void proved.then(() => (ended = true));
    stop.abort();
    expect((await refusalOf(() => waiting)).code).to.equal("aborted");
    expect(ended).to.equal(false);
    await proved;
    expect((await refusalOf(() => prover.prove(job(), { signal: AbortSignal.abort() }))).code).to.equal("aborted");
  });

  it("says that a job may be tried again when the process dies under it", async () => {
    const { pid, proved } = await atWork();
    process.kill(pid, "SIGKILL");
    const refusal = await refusalOf(() => proved);
    expect([refusal.code, refusal.retry]).to.deep.equal(["environment", true]);
    expect(refusal.message).to.match(/SIGKILL/);
    expect((await prover.prove(job())).signals.c).to.equal(32n);
  });

  it("starts again when the process died between two jobs", async () => {
    await prover.prove(job());
    const [pid] = childrenOf(process.pid) as [number];
    process.kill(pid, "SIGKILL");
    await until(() => !existsSync(`/proc/${pid}`), 2000);
    expect((await prover.prove(job())).signals.c).to.equal(32n);
  });

  it("ends running and waiting jobs when it is closed, and takes no more", async () => {
    const { pid, proved } = await atWork();
    const waiting = prover.prove(job());
    waiting.catch(() => undefined);
    await prover.close();
    expect(alive(pid)).to.equal(false);
    for (const pending of [proved, waiting]) expect((await refusalOf(() => pending)).code).to.equal("aborted");
    expect((await refusalOf(() => prover.prove(job()))).code).to.equal("aborted");
  });

  it("gives the process neither our environment nor the witness in its arguments", async () => {
    process.env["GLASSBOX_TEST_SECRET"] = "do not pass on";
    try {
      const { pid, proved } = await atWork();
      expect(readProc(pid, "environ")).not.to.contain("GLASSBOX_TEST_SECRET");
      expect(readProc(pid, "cmdline").split("\0").slice(-2)[0]).to.match(/worker\.ts$/);
      await proved;
    } finally {
      delete process.env["GLASSBOX_TEST_SECRET"];
    }
  });

  it("does not outlive a parent that is killed in the middle of a proof", async () => {
    const script = folder.at("parent.mjs");
    const module = pathToFileURL("node/proof/prover.ts").href;
    const witness = folder.at("orphan.wtns");
    writeFileSync(witness, key.witness(3n, 10n));
    writeFileSync(
      script,
      `import { snarkjsProver } from ${JSON.stringify(module)};
       const prover = snarkjsProver();
       const job = ${JSON.stringify({ zkey: key.zkey, wtns: witness })};
       for (;;) await prover.prove(job, { onProgress: ({ done }) => done === 1 && console.log("at work") });`,
    );
    const parent = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
    await once(parent.stdout, "data");
    const [pid] = childrenOf(parent.pid as number) as [number];
    expect(alive(pid)).to.equal(true);
    parent.kill("SIGKILL");
    expect(await until(() => !alive(pid), 10_000)).to.be.below(10_000);
  });
});

for (const [name, open] of [
  ["our own prover", () => openProver({ threads: 2 })],
  ["snarkjs' prover", async () => snarkjsProver()],
] as const) {
  describe(name, function () {
    this.timeout(60_000);
    const folder = workFolder();
    let key: SmallKey;
    let prover: Prover;

    before(async () => {
      key = await smallKey(folder.path, { padding: 2000 });
      prover = await open();
    });
    after(async () => {
      await prover.close();
      folder.remove();
    });
    const job = () => ({ zkey: key.zkey, wtns: key.witness(3n, 10n) });

    it("hands no two proofs of one witness out equal", async () => {
      const [a, b] = [await prover.prove(job()), await prover.prove(job())];
      expect(a.signals).to.deep.equal(b.signals);
      expect(a.proof).not.to.deep.equal(b.proof);
    });

    it("takes several jobs at once, one after another", async () => {
      const made = await Promise.all(
        [1n, 2n, 3n].map((x) => prover.prove({ zkey: key.zkey, wtns: key.witness(x, 1n) })),
      );
      expect(made.map(({ signals }) => signals.c)).to.deep.equal([6n, 13n, 32n]);
    });

    it("refuses a witness that breaks the circuit, and goes on", async () => {
      const values = smallCircuit({ padding: 2000 }).witness(3n, 10n);
      values[2] = 40n;
      const refusal = await refusalOf(() => prover.prove({ zkey: key.zkey, wtns: new Uint8Array(wtnsBytes(values)) }));
      expect([refusal.code, refusal.retry]).to.deep.equal(["integrity", false]);
      expect(refusal.message).to.match(/does not verify/);
      expect((await prover.prove(job())).signals.c).to.equal(32n);
    });

    it("refuses a witness or key that is malformed or of another circuit, and goes on", async () => {
      const { zkey, wtns } = job();
      const other = await smallKey(folder.path, { padding: 8, name: "other" });
      const cases = [
        { zkey, wtns: wtns.subarray(0, 1000) },
        { zkey, wtns: new Uint8Array() },
        { zkey, wtns: other.witness(3n, 10n) },
        { zkey: other.zkey, wtns },
        { zkey, wtns: folder.at("missing.wtns") },
        { zkey: folder.at("missing.zkey"), wtns },
        { zkey: key.r1cs, wtns },
      ];
      for (const wrong of cases) {
        const refusal = await refusalOf(() => prover.prove(wrong));
        expect([refusal.code, refusal.retry], refusal.message).to.deep.equal(["input", false]);
      }
      expect((await prover.prove({ zkey, wtns })).signals.c).to.equal(32n);
    });

    it("lets a waiting job go at once when that one is aborted, and the running one end well", async () => {
      const running = prover.prove(job());
      const stop = new AbortController();
      let ended = false;
      const waiting = prover.prove(job(), { signal: stop.signal });
      void running.then(() => (ended = true));
      stop.abort();
      expect((await refusalOf(() => waiting)).code).to.equal("aborted");
      expect(ended).to.equal(false);
      expect((await running).signals.c).to.equal(32n);
      expect((await refusalOf(() => prover.prove(job(), { signal: AbortSignal.abort() }))).code).to.equal("aborted");
    });
  });
}

describe("our own prover's threads", function () {
  this.timeout(60_000);
  const folder = workFolder();
  let key: SmallKey;
  const threads = (): number => readdirSync("/proc/self/task").length;

  before(async () => {
    key = await smallKey(folder.path, { padding: 4000 });
  });
  after(() => folder.remove());
  const job = () => ({ zkey: key.zkey, wtns: key.witness(3n, 10n) });

  it("prove from bytes and from a file, for each of several keys in turn, with progress to the end", async () => {
    const prover = await openProver({ threads: 3 });
    const path = folder.at("witness.wtns");
    writeFileSync(path, key.witness(4n, 1n));
    const other = await smallKey(folder.path, { padding: 8, k: 1, name: "other" });
    const steps: { readonly done?: number; readonly total?: number }[] = [];
    for (let turn = 0; turn < 2; turn++) {
      const proved = await prover.prove(
        { zkey: key.zkey, wtns: path },
        { onProgress: (step) => void steps.push(step) },
      );
      expect(proved.signals).to.deep.equal({ c: 69n, v: 20n, r: 1n });
      expect((await prover.prove({ zkey: other.zkey, wtns: other.witness(3n, 10n) })).signals.c).to.equal(33n);
    }
    expect(steps.at(-1)?.done).to.equal(steps.at(-1)?.total);
    expect(steps.length).to.be.above(10);
    await prover.close();
  });

  it("end with an abort, in the middle of a proof, and the next proof gets new ones", async () => {
    const before = threads();
    const prover = wasmProver();
    const stop = new AbortController();
    const { promise: atWork, resolve } = Promise.withResolvers<void>();
    const proved = prover.prove(job(), { signal: stop.signal, onProgress: () => resolve() });
    await atWork;
    expect(threads()).to.be.above(before);
    const started = performance.now();
    stop.abort();
    expect((await refusalOf(() => proved)).code).to.equal("aborted");
    // 3 ms, by hand, on a machine that has nothing else to do; a proof takes some hundred.
    expect(performance.now() - started).to.be.below(1000);
    expect(await until(() => threads() <= before, 2000)).to.be.below(2000);
    expect((await prover.prove(job())).signals.c).to.equal(32n);
    await prover.close();
  });

  it("end when it is closed, with running and waiting jobs, and take no more", async () => {
    const before = threads();
    const prover = wasmProver();
    const running = prover.prove(job());
    const waiting = prover.prove(job());
    for (const pending of [running, waiting]) pending.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await prover.close();
    for (const pending of [running, waiting]) expect((await refusalOf(() => pending)).code).to.equal("aborted");
    expect((await refusalOf(() => prover.prove(job()))).code).to.equal("aborted");
    expect(await until(() => threads() <= before, 2000)).to.be.below(2000);
  });

  it("do not keep a process alive that has closed its prover", async () => {
    const script = folder.at("close.mjs");
    const module = pathToFileURL("node/proof/prover.ts").href;
    const witness = folder.at("close.wtns");
    writeFileSync(witness, key.witness(3n, 10n));
    writeFileSync(
      script,
      `import { openProver } from ${JSON.stringify(module)};
       const prover = await openProver();
       const { signals } = await prover.prove(${JSON.stringify({ zkey: key.zkey, wtns: witness })});
       console.log(String(signals.c));
       await prover.close();`,
    );
    const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
    const [[said], [code]] = (await Promise.all([once(child.stdout, "data"), once(child, "exit")])) as [
      [Buffer],
      [number],
    ];
    expect([said.toString().trim(), code]).to.deep.equal(["32", 0]);
  });

  it("leave the work to snarkjs, with one line in the log, where the engine lacks relaxed SIMD", async () => {
    const compile = WebAssembly.compile;
    const lines: string[] = [];
    const log = { warn: (fields: unknown, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`) };
    let prover: Prover;
    try {
      WebAssembly.compile = () => Promise.reject(new WebAssembly.CompileError("invalid simd opcode"));
      prover = await openProver({ log: log as unknown as Log });
    } finally {
      WebAssembly.compile = compile;
    }
    expect([prover.name, lines.length]).to.deep.equal(["snarkjs", 1]);
    expect(lines[0]).to.match(/snarkjs proves.*relaxed SIMD/);
    for (let i = 0; i < 2; i++) expect((await prover.prove(job())).signals.c).to.equal(32n);
    expect(lines.length).to.equal(1);
    await prover.close();
  });
});

describe("the prover behind RAPIDSNARK", function () {
  this.timeout(60_000);
  const folder = workFolder();
  const log = folder.at("calls.json");
  let key: SmallKey;

  interface Call {
    readonly args: readonly [string, string, string, string];
    readonly env: readonly string[];
    readonly pid: number;
    readonly file: string;
    readonly folder: string;
  }
  const called = (): Call => JSON.parse(readFileSync(log, "utf8")) as Call;

  /** Another program with rapidsnark's command line (it is snarkjs'), which writes down how it was called. */
  function program(name: string, body: string): string {
    const path = folder.at(name);
    const snarkjs = pathToFileURL("node_modules/snarkjs/main.js").href;
    const lines = [
      `#!${process.execPath}`,
      `import * as snarkjs from ${JSON.stringify(snarkjs)};`,
      'import { statSync, writeFileSync } from "node:fs";',
      'import { dirname } from "node:path";',
      "const [zkey, wtns, proof, signals] = process.argv.slice(2);",
      "const mode = (path) => (statSync(path).mode & 0o777).toString(8);",
      `writeFileSync(${JSON.stringify(log)}, JSON.stringify({ args: process.argv.slice(2), env: Object.keys(process.env),`,
      "  pid: process.pid, file: mode(wtns), folder: mode(dirname(proof)) }));",
      body,
    ];
    writeFileSync(path, lines.join("\n"), { mode: 0o755 });
    return path;
  }
  const PROVE = `const made = await snarkjs.groth16.prove(zkey, wtns);
    writeFileSync(proof, JSON.stringify({ ...made.proof, curve: undefined }) + "\\0");
    writeFileSync(signals, JSON.stringify(made.publicSignals));
    process.exit(0);`;
  const left = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith("glassbox-prove-"));
  const job = () => ({ zkey: key.zkey, wtns: key.witness(3n, 10n) });

  before(async () => {
    key = await smallKey(folder.path, { padding: 8 });
  });
  after(() => folder.remove());

  it("is called with key, witness and two outputs, in a folder of our own that is gone afterwards", async () => {
    const prover = rapidsnarkProver(program("prover.mjs", PROVE));
    const made = await prover.prove(job());
    expect(made.signals).to.deep.equal({ c: 32n, v: 39n, r: 10n });
    const call = called();
    expect(call.args).to.have.length(4);
    expect(call.args[0]).to.equal(key.zkey);
    expect([call.folder, call.file]).to.deep.equal(["700", "600"]);
    expect(call.env).to.deep.equal(["PATH"]);
    expect(existsSync(call.args[1])).to.equal(false);
    expect(left()).to.deep.equal([]);
    await prover.close();
  });

  it("is not believed: a proof of something else is refused", async () => {
    const lie = PROVE.replace("JSON.stringify(made.publicSignals)", '\'["32","39","11"]\'');
    const refusal = await refusalOf(() => rapidsnarkProver(program("liar.mjs", lie)).prove(job()));
    expect(refusal.code).to.equal("integrity");
  });

  it("is named when it is missing, fails or leaves nothing readable", async () => {
    const missing = await refusalOf(() => rapidsnarkProver(folder.at("nothing")).prove(job()));
    expect([missing.code, missing.retry]).to.deep.equal(["environment", false]);
    const failing = program("failing.mjs", 'console.error("no such key"); process.exit(3);');
    const failed = await refusalOf(() => rapidsnarkProver(failing).prove(job()));
    expect([failed.code, failed.message.includes("exit code 3")]).to.deep.equal(["environment", true]);
    expect(failed.facts["stderr"]).to.equal("no such key");
    const silent = await refusalOf(() => rapidsnarkProver(program("silent.mjs", "process.exit(0);")).prove(job()));
    expect([silent.code, silent.retry]).to.deep.equal(["environment", true]);
    expect(left()).to.deep.equal([]);
  });

  it("is killed by an abort and by close", async () => {
    const slow = program("slow.mjs", "setInterval(() => undefined, 1000);");
    for (const how of ["abort", "close"] as const) {
      writeFileSync(log, "");
      const prover = rapidsnarkProver(slow);
      const stop = new AbortController();
      const proved = prover.prove(job(), { signal: stop.signal });
      proved.catch(() => undefined);
      await until(() => readFileSync(log, "utf8").endsWith("}"), 10_000);
      const { pid } = called();
      if (how === "abort") stop.abort();
      else await prover.close();
      expect((await refusalOf(() => proved)).code, how).to.equal("aborted");
      expect(await until(() => !alive(pid), 1000), how).to.be.below(100);
      expect(left(), how).to.deep.equal([]);
    }
  });

  it("proves with the real binary, where RAPIDSNARK names one", async function () {
    const binary = process.env["RAPIDSNARK"];
    if (binary === undefined) return this.skip();
    expect((await rapidsnarkProver(binary).prove(job())).signals).to.deep.equal({ c: 32n, v: 39n, r: 10n });
  });
});
