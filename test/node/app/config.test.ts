// The configuration: where values come from, which win, what is refused, and that docs/config.md is what the code says.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect } from "chai";
import { type Config, describeConfig, FIELDS, loadConfig, secretsOf, variableOf } from "../../../node/app/config.ts";
import { NodeError } from "../../../node/core/errors.ts";

const ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const LEAST = { rpcUrl: "http://127.0.0.1:8545", coordinator: ADDRESS, packages: ["a"], keyFile: "key" };

const load = (over: Readonly<Record<string, unknown>>, env: Readonly<Record<string, string>> = {}): Config =>
  loadConfig({ env, cwd: "/work", over: { ...LEAST, ...over } });
function wrongs(work: () => unknown): readonly string[] {
  try {
    work();
  } catch (error) {
    expect(error).to.be.instanceOf(NodeError).with.property("code", "usage");
    return (error as NodeError).facts["wrong"] as readonly string[];
  }
  throw new Error("it was accepted");
}

describe("the node's configuration", () => {
  it("is described by docs/config.md to the letter (write it anew with `glassbox node --describe-config`)", () => {
    expect(fs.readFileSync("docs/config.md", "utf8")).to.equal(describeConfig());
  });
  it("has a variable of its own for each setting, and a row for each in the description", () => {
    const names = Object.keys(FIELDS);
    expect(new Set(names.map(variableOf)).size).to.equal(names.length);
    for (const name of names) expect(describeConfig()).to.contain(`| \`${name}\` | \`${variableOf(name)}\` |`);
  });
  it("fills in defaults and leaves out what is optional", () => {
    const config = load({});
    expect(config).to.include({ confirmations: 12, minimumFee: 0n, maxFeePerGas: 500_000_000_000n, logLevel: "info" });
    expect(config).to.not.have.any.keys("databaseUrl", "registry", "rapidsnark", "image", "passwordFile");
    expect(config.dataDir).to.equal("/work/.glassbox/node");
  });
  it("names all that is missing at once", () => {
    const said = wrongs(() => loadConfig({ env: {}, cwd: "/" })).map((line) => line.split(" ")[0]);
    expect(said).to.deep.equal(["rpcUrl", "coordinator", "packages", "keyFile"]);
  });

  describe("from a file", () => {
    let folder: string;
    const write = (value: unknown): string => {
      const file = path.join(folder, "node.json");
      fs.writeFileSync(file, typeof value === "string" ? value : JSON.stringify(value));
      return file;
    };
    beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-config-"))));
    afterEach(() => fs.rmSync(folder, { recursive: true }));

    it("takes paths relative to the file, and variables' relative to the working folder; variables win", () => {
      const file = write({ ...LEAST, confirmations: 3, minimumFee: "5" });
      const env = { GLASSBOX_CONFIRMATIONS: "4", GLASSBOX_PACKAGES: "x, y", GLASSBOX_MINIMUM_FEE: "" };
      const config = loadConfig({ file, env, cwd: "/work" });
      expect(config).to.include({ confirmations: 4, minimumFee: 5n, keyFile: path.join(folder, "key") });
      expect(config.packages).to.deep.equal(["/work/x", "/work/y"]);
      expect(loadConfig({ env: { GLASSBOX_CONFIG: "node.json" }, cwd: folder }).confirmations).to.equal(3);
    });
    it("refuses a file that is missing, no JSON, or no object", () => {
      for (const text of ["{", "[]", "3", "null"]) {
        expect(() => loadConfig({ file: write(text), env: {}, cwd: "/" }), text).to.throw(NodeError, /not usable/);
      }
      expect(() => loadConfig({ file: path.join(folder, "none.json"), env: {}, cwd: "/" })).to.throw(
        NodeError,
        /ENOENT/,
      );
    });
    it("refuses a name that is no setting, and says which was meant", () => {
      const file = write({ ...LEAST, confirmation: 3 });
      expect(wrongs(() => loadConfig({ file, env: {}, cwd: "/" }))).to.deep.equal([
        `"confirmation" in ${file} is not a setting; did you mean confirmations?`,
      ]);
      expect(wrongs(() => load({}, { GLASSBOX_RPCURL: "x" }))).to.deep.equal([
        "GLASSBOX_RPCURL is not a setting; did you mean GLASSBOX_RPC_URL?",
      ]);
      expect(wrongs(() => load({}, { GLASSBOX_SOMETHING_ELSE: "x" }))[0]).to.equal(
        "GLASSBOX_SOMETHING_ELSE is not a setting",
      );
      load({}, { GLASSBOX_CWD: "/", GLASSBOX_TEST_POSTGRES: "x", OTHER: "x" });
    });
  });

  const BORDERS: readonly (readonly [string, readonly unknown[], readonly unknown[]])[] = [
    ["confirmations", [0, 10_000, "7"], [-1, 10_001, 1.5, "x", "", " 1", true, null, "1e3", "0x1"]],
    ["startBlock", [0, Number.MAX_SAFE_INTEGER], [-1, 2 ** 53]],
    ["pollSeconds", [0.05, 3600, "0.5"], [0.049, 3601, "-1", "."]],
    ["minimumFee", [0, "0", "123456789012345678901234567890"], [-1, 0.5, 2 ** 60, "1.0", "-1", "1e18"]],
    ["coordinator", [ADDRESS, ADDRESS.toLowerCase()], ["0x", ADDRESS.slice(0, -1), `${ADDRESS.slice(0, -1)}4`, 5]],
    ["rpcUrl", ["http://a", "https://u:p@a/b?c"], ["", "a", "ws://a", "file:///a", 1]],
    ["databaseUrl", ["postgres://u:p@h/d", "postgresql://h/d"], ["mysql://h/d", "h"]],
    ["packages", [["a"], ["a", "b"], "a,b"], [[], "", [""], [1], ",", 1]],
    ["logLevel", ["debug", "error"], ["trace", "INFO", ""]],
  ];
  for (const [name, good, bad] of BORDERS) {
    it(`${name}: takes what fits and refuses what does not`, () => {
      for (const value of good) expect(() => load({ [name]: value }), JSON.stringify(value)).to.not.throw();
      for (const value of bad)
        expect(
          wrongs(() => load({ [name]: value })),
          JSON.stringify(value),
        ).to.not.be.empty;
    });
  }
  it("does not quote a value that it refuses: it may be a secret in the wrong place", () => {
    const said = JSON.stringify(wrongs(() => load({ confirmations: "hunter2secret", rpcUrl: "ftp://hunter2secret" })));
    expect(said).to.not.contain("hunter2");
  });
  it("knows its secrets", () => {
    const config = load({ rpcUrl: "https://a/key", databaseUrl: "postgres://u:p@h/d" });
    expect(secretsOf(config)).to.deep.equal(["https://a/key", "postgres://u:p@h/d"]);
  });
});
