// The command line as people use it: real processes, real files, exit codes, JSON, and what is said when something is wrong.
import { expect } from "chai";
import { Wallet } from "ethers";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { type LocalChain, startChain } from "../../scripts/localchain.ts";
import { commandLine } from "../support/cli.ts";

const MODEL = "models/breast-cancer-mlp";
let work: string;
let pack: string;

const { glassbox, json } = commandLine(() => work);

describe("the command line", function () {
  this.timeout(120_000);

  before(async () => {
    work = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-cli-"));
    pack = path.join(work, "bc");
    const model = path.resolve(MODEL);
    const data = ["--calibration", `${model}/calibration.npz`, "--test", `${model}/test.npz`];
    const { code, stderr } = await glassbox("compile", `${model}/model.onnx`, ...data, "--out", "bc");
    expect(code, stderr).to.equal(0);
  });
  after(() => fs.rmSync(work, { recursive: true, force: true }));

  it("takes no text for a number, by which a wait would never end", async () => {
    const waits = await glassbox("register", "bc", "--confirmations", "three");
    expect(waits.code).to.equal(2);
    expect(waits.stderr).to.contain("Give a whole number");
    const proves = await glassbox("prove", "bc", "--input", "0x00", "--chain-id", "mainnet");
    expect(proves.code).to.equal(2);
    expect(proves.stderr).to.contain('"mainnet" is no chain id');
  });

  it("has examples in the help of every command, and names the exit codes", async () => {
    const top = await glassbox("--help");
    expect(top.code).to.equal(0);
    expect(top.stdout).to.contain("Exit codes:");
    const names = [...top.stdout.matchAll(/^ {2}([a-z-]+) (?:\[|<| )/gm)].map((m) => m[1] as string);
    const wanted = [
      "compile",
      "inspect",
      "prove",
      "verify",
      "evaluate",
      "register",
      "request",
      ...["show", "claim", "expire", "cancel", "retry-callback", "balance", "deposit", "withdraw", "authorise"],
      ...["deprecate", "retire", "offer-series", "accept-series"],
      "node",
      "audit",
      "bench",
      "doctor",
    ];
    expect(names).to.include.members(wanted);
    for (const name of wanted) {
      const { code, stdout } = await glassbox(name, "--help");
      expect(code, name).to.equal(0);
      expect(stdout, name).to.contain("Examples:");
      expect(stdout, name).to.contain("--json");
    }
  });

  it("inspects a package, its integer graph, and an ONNX file with random calibration", async () => {
    const seen = await json("inspect", "bc");
    expect(seen).to.include({ name: "breast-cancer-mlp" });
    const ir = await glassbox("inspect", "bc", "--ir");
    expect(ir.stdout).to.contain("rescale");
    const random = await json(
      "inspect",
      path.resolve("models/digits-mlp/model.onnx"),
      "--input",
      "uint8",
      "--calibration",
      "random:3",
    );
    expect(random).to.have.property("circuit").with.property("constraints").that.is.a("number");
    const ops = await glassbox("inspect", "--ops");
    expect(ops.stdout).to.contain("BatchNormalization");
  });

  it("proves an answer and verifies it, and refuses it with one digit of it changed", async () => {
    const input = `${path.resolve(MODEL)}/test.npz#5`;
    const proved = await json("prove", "bc", "--input", input, "--out", "p.json");
    const { code, stdout } = await glassbox("verify", "bc", "p.json");
    expect(code).to.equal(0);
    expect(stdout).to.contain("development key");
    const file = path.join(work, "p.json");
    const good = JSON.parse(fs.readFileSync(file, "utf8")) as { output: string; about: Record<string, string> };
    expect(proved["output"]).to.equal(good.output);
    const last = good.output.at(-1) === "0" ? "1" : "0";
    fs.writeFileSync(
      path.join(work, "q.json"),
      JSON.stringify({ ...good, output: `${good.output.slice(0, -1)}${last}` }),
    );
    expect((await glassbox("verify", "bc", "q.json")).code).to.equal(5);
    const about = { ...good.about, prover: `0x${"00".repeat(19)}01` };
    fs.writeFileSync(path.join(work, "q.json"), JSON.stringify({ ...good, about }));
    expect((await glassbox("verify", "bc", "q.json")).code, "another prover").to.equal(5);
    fs.writeFileSync(path.join(work, "q.json"), "{}");
    expect((await glassbox("verify", "bc", "q.json")).code, "no proof file").to.equal(3);
  });

  it("evaluates accuracy and agreement", async () => {
    const report = await json("evaluate", "bc", "--data", `${path.resolve(MODEL)}/test.npz`);
    expect(report).to.include({ samples: 228, identical: 228, witnesses: 10 });
  });

  it("times a package", async () => {
    const report = (await json("bench", "bc", "--runs", "1")) as { warm: { what: string; median: number }[] };
    expect(report.warm.map(({ what }) => what)).to.deep.equal(["run", "witness", "proof", "verify"]);
    expect(report.warm.every(({ median }) => median > 0)).to.equal(true);
  });

  it("finds a healthy machine healthy", async () => {
    expect(await json("doctor")).to.include({ healthy: true });
  });

  it("exports the circuit as circom", async () => {
    const { code, stdout } = await glassbox("export-circom", "bc");
    expect(code).to.equal(0);
    expect(stdout).to.match(/component main .*=/);
  });

  describe("says what is wrong and what to do, with the documented exit code:", () => {
    const onnx = path.resolve(MODEL, "model.onnx");
    const cases: readonly (readonly [string, number, RegExp, readonly string[]])[] = [
      ["no such command", 2, /unknown command/, ["frobnicate"]],
      ["no calibration", 2, /required option '--calibration/, ["compile", onnx]],
      ["no such model", 3, /cannot be read/, ["compile", "no.onnx", "--calibration", "random"]],
      ["random calibration of floats", 2, /--input/, ["compile", onnx, "--calibration", "random"]],
      ["an unknown data format", 3, /\.npz/, ["compile", onnx, "--calibration", "data.xyz"]],
      ["a package that is none", 3, /manifest\.json/, ["inspect", "."]],
      [
        "a sample that is not there",
        3,
        /has no sample 99999/,
        ["prove", "bc", "--input", `${path.resolve(MODEL)}/test.npz#99999`],
      ],
      ["input bytes too short", 3, /120 bytes/, ["prove", "bc", "--input", "0x00"]],
      ["no key file", 2, /--key-file/, ["deploy", "--rpc", "http://127.0.0.1:1"]],
      ["no chain named", 2, /--rpc/, ["deploy"]],
      [
        "an endpoint that is down",
        6,
        /does not answer/,
        ["audit", `0x${"00".repeat(32)}`, "--rpc", "http://127.0.0.1:1", "--coordinator", `0x${"00".repeat(20)}`],
      ],
      ["a node without settings", 2, /rpcUrl/, ["node"]],
    ];
    for (const [name, expected, words, args] of cases) {
      it(name, async () => {
        const { code, stderr } = await glassbox(...args);
        expect(code, stderr).to.equal(expected);
        expect(stderr).to.match(words);
        expect(stderr).to.not.match(/\n\s+at /, "no stack trace");
      });
    }

    it("a package with one byte changed", async () => {
      const tampered = path.join(work, "tampered");
      fs.cpSync(pack, tampered, { recursive: true });
      const file = path.join(tampered, "quantized.onnx");
      const bytes = fs.readFileSync(file);
      bytes[100] = (bytes[100] as number) ^ 1;
      fs.writeFileSync(file, bytes);
      const { code, stderr } = await glassbox("inspect", "tampered");
      expect(code).to.equal(5);
      expect(stderr).to.contain("quantized.onnx");
    });

    it("an ONNX file that is text", async () => {
      fs.writeFileSync(path.join(work, "text.onnx"), "not a model");
      const { code } = await glassbox("compile", "text.onnx", "--calibration", "random", "--input", "uint8");
      expect(code).to.equal(3);
    });
  });

  describe("on a chain", () => {
    let chain: LocalChain;
    const where = (): string[] => ["--deployment", "d.json"];

    before(async () => {
      chain = await startChain("edr");
      chain.keys.forEach((key, i) => fs.writeFileSync(path.join(work, `${i}.key`), key, { mode: 0o600 }));
    });
    after(() => chain.stop());

    it("deploys, registers, asks, and says that nobody answered yet", async () => {
      const deploy = ["deploy", "--rpc", chain.rpcUrl, "--quick"];
      const first = await json(...deploy, "--key-file", "0.key", "--out", "d.json");
      expect(first["contracts"]).to.have.length.of.at.least(5);
      const second = await json(...deploy, "--key-file", "0.key", "--out", "d.json");
      expect(second["coordinator"]).to.equal(first["coordinator"]);
      expect((second["contracts"] as { deployed: boolean }[]).filter(({ deployed }) => deployed)).to.deep.equal([]);
      const checked = (await json(...deploy, "--check")) as unknown as { outcome: string }[];
      expect([...new Set(checked.map(({ outcome }) => outcome))]).to.deep.equal(["equal"]);
      const registered = await json("register", "bc", ...where(), "--key-file", "0.key");
      expect(registered["model"]).to.match(/^0x[0-9a-f]{64}$/);
      const again = await json("register", "bc", ...where(), "--key-file", "0.key");
      expect(again["model"]).to.equal(registered["model"]);
      const input = `${path.resolve(MODEL)}/test.npz#5`;
      const ask = [
        "request",
        registered["model"] as string,
        "--package",
        "bc",
        "--input",
        input,
        ...where(),
        "--key-file",
        "1.key",
        "--no-wait",
      ];
      const asked = await json(...ask);
      const open = await glassbox("audit", asked["request"] as string, ...where());
      expect(open.code, open.stderr).to.equal(3);
      expect(open.stderr).to.contain("no result");
      const early = await glassbox("expire", asked["request"] as string, ...where(), "--key-file", "1.key");
      expect(early.code, early.stderr).to.equal(3);
      expect(early.stderr).to.contain("deadline is not over");
      const penniless = await glassbox("withdraw", ...where(), "--key-file", "0.key");
      expect(penniless.code, penniless.stderr).to.equal(3);
      const stranger = await glassbox("retire", registered["model"] as string, ...where(), "--key-file", "1.key");
      expect(stranger.code, stranger.stderr).to.equal(3);
      const strict = await glassbox(...ask, "--refuse-development-keys");
      expect(strict.code, strict.stderr).to.equal(3);
      expect(strict.stderr).to.contain("development key");
      await json("retire", registered["model"] as string, ...where(), "--key-file", "0.key");
      const late = await glassbox(...ask);
      expect(late.code, late.stderr).to.equal(3);
      expect(late.stderr).to.contain("retired");
      const unknown = await glassbox("audit", `0x${"11".repeat(32)}`, ...where());
      expect(unknown.code, unknown.stderr).to.equal(3);
    });

    it("registers a version with terms, which is shown, deprecated and handed over", async () => {
      const terms = ["--series", "tests", "--royalty", "2.5", "--collateral", "50", "--input-kinds", "data,source"];
      const key = ["--key-file", "0.key"];
      const { model, series } = (await json("register", "bc", ...terms, ...where(), ...key)) as Record<string, string>;
      const shown = await json("show", model as string, ...where());
      expect(shown).to.deep.include({
        royaltyBps: 250,
        collateralBps: 5000,
        inputKinds: ["data", "source"],
        version: 1,
      });
      const other = await json("register", "bc", "--series", series as string, ...where(), ...key);
      await json("deprecate", model as string, other["model"] as string, ...where(), ...key);
      expect(await json("show", model as string, ...where())).to.include({ successor: other["model"] });
      const heir = new Wallet(chain.keys[1] as string).address;
      await json("offer-series", series as string, heir, ...where(), ...key);
      const thief = await glassbox("accept-series", series as string, ...where(), "--key-file", "2.key");
      expect(thief.code, thief.stderr).to.equal(3);
      await json("accept-series", series as string, ...where(), "--key-file", "1.key");
      expect(await json("show", series as string, ...where())).to.include({ owner: heir, name: "tests", versions: 2 });
      const dear = await glassbox("register", "bc", "--royalty", "25.01", ...where(), ...key);
      expect(dear.code, dear.stderr).to.equal(2);
      const both = await glassbox("register", "bc", "--input-kinds", "data,private", ...where(), ...key);
      expect(both.code, both.stderr).to.equal(3);
    });

    it("asks in an auction from an account, claims, cancels, and says what the accounts hold", async () => {
      const { model } = await json("register", "bc", "--series", "market", ...where(), "--key-file", "0.key");
      const requester = new Wallet(chain.keys[1] as string).address;
      await json("deposit", "5000", ...where(), "--key-file", "1.key");
      const held = async (who: string): Promise<unknown> => (await json("balance", who, ...where()))["balance"];
      expect(await held(requester)).to.equal("5000");
      const input = ["--package", "bc", "--input", `${path.resolve(MODEL)}/test.npz#5`];
      const ask = [
        "request",
        model as string,
        ...input,
        "--no-wait",
        "--from-account",
        ...where(),
        "--key-file",
        "1.key",
      ];
      const auction = ["--min-fee", "100", "--max-fee", "1000", "--ramp", "300", "--collateral", "77"];
      const asked = (await json(...ask, ...auction))["request"] as string;
      expect(await held(requester)).to.equal("4000");
      const open = await json("show", asked, ...where());
      expect(open).to.deep.include({ status: "open" });
      expect(open["terms"]).to.deep.include({ minFee: "100", maxFee: "1000", minCollateral: "77" });

      await json("claim", asked, ...where(), "--key-file", "2.key");
      const claimer = new Wallet(chain.keys[2] as string).address;
      expect((await json("show", asked, ...where()))["claim"]).to.deep.include({ claimer });
      const late = await glassbox("cancel", asked, ...where(), "--key-file", "1.key");
      expect(late.code, late.stderr).to.equal(3);
      expect(late.stderr).to.contain("claimed, answered, expired");

      const soon = (await json(...ask, "--fee", "500", "--start-in", "3600"))["request"] as string;
      expect(await held(requester)).to.equal("3500");
      await json("cancel", soon, ...where(), "--key-file", "1.key");
      expect(await held(requester)).to.equal("4000");
      expect(await json("show", soon, ...where())).to.include({ status: "expired" });

      const poor = await glassbox(...ask, "--fee", "4001");
      expect(poor.code, poor.stderr).to.equal(3);
      expect(poor.stderr).to.contain("holds less");
      const payer = ["--from-account", requester, "--fee", "10", "--key-file", "2.key"];
      const spend = ["request", model as string, ...input, "--no-wait", ...where(), ...payer];
      expect((await glassbox(...spend)).stderr).to.contain("authorised less");
      await json("authorise", claimer, "10", ...where(), "--key-file", "1.key");
      await json(...spend);
      const left = await json("balance", requester, "--consumer", claimer, ...where());
      expect(left).to.include({ balance: "3990", allowance: "0" });
      await json("withdraw", "--amount", "3000", ...where(), "--key-file", "1.key");
      await json("withdraw", ...where(), "--key-file", "1.key");
      expect(await held(requester)).to.equal("0");
    });

    it("says what is wrong with the terms of a request before it is sent", async () => {
      const id = `0x${"11".repeat(32)}`;
      const input = ["--input", "0x00"];
      const cases: readonly (readonly [RegExp, readonly string[]])[] = [
        [/either flat or rises/, [...input, "--fee", "1", "--max-fee", "2"]],
        [/either flat or rises/, [...input, "--min-fee", "1"]],
        [/is no amount/, [...input, "--fee", "0.5"]],
        [/there is no input/, ["--fee", "1"]],
        [/a source brings the input/, [...input, "--source", `0x${"22".repeat(20)}`]],
      ];
      for (const [words, args] of cases) {
        const { code, stderr } = await glassbox("request", id, ...args, ...where(), "--key-file", "1.key");
        expect(stderr).to.match(words);
        expect(code, stderr).to.equal(2);
      }
    });

    it("refuses a key file that others can read", async () => {
      fs.chmodSync(path.join(work, "2.key"), 0o644);
      const { code, stderr } = await glassbox("register", "bc", ...where(), "--key-file", "2.key");
      expect(code).to.equal(7);
      expect(stderr).to.contain("chmod 600");
    });
  });
});
