// Model packages: the same parts give the same bytes, and nothing that was changed afterwards loads.
import { expect } from "chai";
import fs from "node:fs";
import { dirname, join } from "node:path";
import { NodeError } from "../../../node/core/errors.ts";
import * as ceremony from "../../../node/proof/ceremony.ts";
import { sha256 } from "../../../node/proof/files.ts";
import { canonicalJson, type Json } from "../../../node/proof/json.ts";
import { type Description, FILES, MANIFEST, type Role, writeManifest } from "../../../node/proof/manifest.ts";
import { parseManifest } from "../../../node/proof/manifest-read.ts";
import { addKey, loadPackage, type PackageKey, readGraph, writePackage } from "../../../node/proof/package.ts";
import { DEVELOPMENT_SEED } from "../../../node/proof/setup.ts";
import { serializeGraph } from "../../../node/model/serialize.ts";
import type { Graph } from "../../../node/model/ir.ts";
import { refusalOf, type SmallKey, smallKey, workFolder, writePtau } from "../../support/keys.ts";

const border = { name: "x", shape: [1, 4], type: { bits: 8, signed: true }, exponent: -3 } as const;
const graph: Graph = {
  nodes: [
    { op: "input", name: "x", shape: [1, 4], border },
    { op: "reshape", name: "y", shape: [4, 1], x: 0 },
  ],
  outputs: [{ ref: 1, border: { ...border, name: "y", shape: [4, 1] } }],
};
const ENTRY = { sha256: sha256("file"), bytes: 4 };
const description: Description = {
  name: "tiny-mlp",
  calibration: { from: "random:7", sha256: sha256("calibration"), ranges: { "": [-1, 0.5] } },
  inputs: [border],
  outputs: [{ ...border, name: "y", shape: [4, 1] }],
  choices: {
    dims: { length: 4 },
    widths: { weights: 8, activations: 8, features: 12, tables: 10, tensors: { y: 6 } },
    claim: "public",
  },
  circuit: {
    constraints: 13,
    wires: 16,
    domain: 32,
    claimConstraints: 3,
    layers: [{ name: "y", op: "reshape", constraints: 0 }],
  },
  report: { accuracy: { float: 0.975, integer: 0.97, changed: 3 }, worst: -1e-7 },
  notices: ["The final Softmax is left to the reader."],
  tools: { glassbox: "0.1.0", circom2: "0.2.23" },
};

describe("a model package", function () {
  this.timeout(60_000);
  const work = workFolder();
  const { at } = work;
  let key: SmallKey;
  let parts: Parameters<typeof writePackage>[1];
  let development: PackageKey;

  before(async () => {
    key = await smallKey(work.path, { padding: 8 });
    fs.writeFileSync(at("model.onnx"), "float model");
    parts = {
      description,
      source: at("model.onnx"),
      quantized: Buffer.from("integer model"),
      graph: serializeGraph(graph),
      circuit: key.r1cs,
    };
    development = { kind: "development", seed: DEVELOPMENT_SEED, zkey: key.zkey };
  });
  after(() => work.remove());

  const contents = (folder: string): Record<string, string> =>
    Object.fromEntries(fs.readdirSync(folder).map((name) => [name, sha256(fs.readFileSync(join(folder, name)))]));

  it("loads as what was written", async () => {
    const written = await writePackage(at("a"), { ...parts, key: development });
    const loaded = await loadPackage(at("a"), { keys: true });
    expect(loaded.manifest).to.deep.equal(written.manifest);
    expect(loaded.digest).to.equal(sha256(fs.readFileSync(join(at("a"), MANIFEST))));
    expect(loaded.manifest).to.deep.include(description);
    expect(loaded.manifest.key).to.deep.equal({ kind: "development", seed: DEVELOPMENT_SEED });
    expect(loaded.vkey).to.deep.equal(key.vkey);
    expect(await readGraph(loaded)).to.deep.equal(graph);
    expect(fs.readFileSync(loaded.path("source"), "utf8")).to.equal("float model");
    expect(fs.readdirSync(at("a"))).to.have.members(
      [MANIFEST, ...Object.values(FILES)].filter((f) => f !== FILES.ceremony),
    );
  });

  it("says of a private input, and nothing of a public one: older packages keep their bytes", () => {
    const { choices } = description;
    const files = { source: ENTRY, quantized: ENTRY, graph: ENTRY, circuit: ENTRY };
    const [open, hidden] = (["public", "private-input"] as const).map((claim) =>
      writeManifest({ ...description, choices: { ...choices, claim } }, files, undefined),
    ) as [string, string];
    expect(open).to.not.include('claim"');
    expect(hidden).to.include('"claim": "private-input"');
    expect(parseManifest(Buffer.from(open)).choices.claim).to.equal("public");
    expect(parseManifest(Buffer.from(hidden)).choices.claim).to.equal("private-input");
  });

  it("is the same bytes wherever, whenever and in whatever order of members it is written", async () => {
    await writePackage(at("b"), { ...parts, key: development });
    const turned = Object.fromEntries(Object.entries(description).reverse()) as unknown as Description;
    await writePackage(at("elsewhere/c"), { ...parts, description: turned, key: development });
    expect(contents(at("b"))).to.deep.equal(contents(at("elsewhere/c")));
    expect(fs.readFileSync(join(at("b"), MANIFEST), "utf8")).not.to.contain(work.path);
  });

  it("has no key part without a key, and takes one later", async () => {
    const bare = await writePackage(at("d"), parts);
    expect([bare.vkey, bare.manifest.key]).to.deep.equal([undefined, undefined]);
    const refusal = await refusalOf(() => loadPackage(at("d"), { keys: true }));
    expect(refusal.message).to.match(/has no key/);
    await addKey(at("d"), development);
    await writePackage(at("e"), { ...parts, key: development });
    expect(contents(at("d"))).to.deep.equal(contents(at("e")));
    expect((await loadPackage(at("d"), { keys: true })).vkey).to.deep.equal(key.vkey);
  });

  it("takes a ceremony's key with its transcript, and no transcript of another", async () => {
    const { r1cs } = key;
    const ptau = at("tau.ptau");
    await writePtau(ptau, 6);
    const run = async (name: string): Promise<PackageKey & { kind: "ceremony" }> => {
      await ceremony.start({ r1cs, ptau, zkey: at(`${name}0.zkey`) });
      await ceremony.contribute({ from: at(`${name}0.zkey`), to: at(`${name}1.zkey`), name });
      const end = { name: "end", beacon: "ab".repeat(32), iterations: 10 };
      await ceremony.beacon({ from: at(`${name}1.zkey`), to: at(`${name}2.zkey`), ...end });
      const { transcript } = await ceremony.finish({ r1cs, ptau, zkey: at(`${name}2.zkey`) });
      return { kind: "ceremony", zkey: at(`${name}2.zkey`), transcript };
    };
    const [one, two] = [await run("one"), await run("two")];
    await writePackage(at("f"), parts);
    const model = await addKey(at("f"), one);
    expect(model.manifest.key).to.deep.equal({ kind: "ceremony", transcript: sha256(one.transcript) });
    expect(model.manifest.files.ceremony?.sha256).to.equal(sha256(one.transcript));
    await loadPackage(at("f"), { keys: true });
    const before = contents(at("f"));
    const mixed = await refusalOf(() => addKey(at("f"), { ...one, transcript: two.transcript }));
    expect(mixed.message).to.match(/ceremony\.json is of another circuit or key/);
    for (const transcript of ["null", "[]", "{}", "not JSON"]) {
      expect(await refusalOf(() => addKey(at("f"), { ...one, transcript }))).to.be.instanceOf(NodeError);
    }
    const { circuit, contributions, ...others } = JSON.parse(one.transcript) as {
      circuit: object;
      contributions: { name: string }[];
    };
    for (const forged of [
      { circuit, contributions: [{ ...contributions[0], name: "somebody famous" }, ...contributions.slice(1)] },
      { circuit, contributions: [...contributions, ...contributions] },
      { circuit, contributions: undefined },
      { circuit: { ...circuit, hash: "00" }, contributions },
    ]) {
      const transcript = JSON.stringify({ ...others, ...forged });
      const refusal = await refusalOf(() => addKey(at("f"), { ...one, transcript }));
      expect(refusal.message).to.match(/tells of other contributions/);
    }
    expect(contents(at("f"))).to.deep.equal(before);
    const unfinished = await refusalOf(() => addKey(at("f"), { ...one, zkey: at("one0.zkey") }));
    expect(unfinished.message).to.match(/gamma equals delta/);
  });

  it("takes no development key in a ceremony's clothing", async () => {
    const of = (path: string): string => sha256(fs.readFileSync(path));
    const transcript = JSON.stringify({ circuit: { sha256: of(key.r1cs) }, key: { zkey: of(key.zkey) } });
    await writePackage(at("k"), parts);
    const refusal = await refusalOf(() => addKey(at("k"), { kind: "ceremony", zkey: key.zkey, transcript }));
    expect(refusal.message).to.match(/is a development key/);
  });

  it("takes no key of another circuit", async () => {
    const other = await smallKey(work.path, { padding: 16, name: "other" });
    const refusal = await refusalOf(() =>
      writePackage(at("g"), { ...parts, key: { ...development, zkey: other.zkey } }),
    );
    expect(refusal.message).to.match(/a key of another circuit/);
    expect(fs.existsSync(at("g"))).to.equal(false);
  });

  it("replaces a package, but no other folder, and leaves no half of one", async () => {
    await writePackage(at("h"), parts);
    await writePackage(at("h"), { ...parts, quantized: Buffer.from("another") });
    expect(fs.readFileSync(join(at("h"), FILES.quantized), "utf8")).to.equal("another");
    fs.mkdirSync(at("precious"));
    fs.writeFileSync(at("precious/thesis.txt"), "years of work");
    expect((await refusalOf(() => writePackage(at("precious"), parts))).message).to.match(/something else/);
    expect(fs.readdirSync(at("precious"))).to.deep.equal(["thesis.txt"]);
    let thrown: unknown;
    await writePackage(at("i"), { ...parts, source: at("missing.onnx") }).catch((error: unknown) => (thrown = error));
    expect(thrown).to.be.an("error");
    expect(fs.existsSync(at("i"))).to.equal(false);
    expect(fs.readdirSync(work.path).filter((name) => name.startsWith("."))).to.deep.equal([]);
  });

  describe("is refused", () => {
    const folder = (): string => at("tampered");
    const file = (name: string): string => join(folder(), name);
    const load = () => loadPackage(folder(), { keys: true });
    beforeEach(async () => {
      fs.rmSync(folder(), { recursive: true, force: true });
      await writePackage(folder(), { ...parts, key: development });
      await load();
    });
    const refuses = async (code: string, pattern: RegExp): Promise<void> => {
      const refusal = await refusalOf(load);
      expect(refusal.message).to.match(pattern);
      expect(refusal.code).to.equal(code);
    };
    const flip = (path: string, at: number): void => {
      const bytes = fs.readFileSync(path);
      bytes[at] = (bytes[at] as number) ^ 1;
      fs.writeFileSync(path, bytes);
    };
    const roles = (Object.keys(FILES) as Role[]).filter((role) => role !== "ceremony");

    for (const role of roles) {
      it(`with ${FILES[role]} changed in one bit, cut, longer, gone, a link or a folder`, async () => {
        const path = file(FILES[role]);
        const good = fs.readFileSync(path);
        const digest = new RegExp(`${FILES[role]} does not have the digest`);
        const size = new RegExp(`${FILES[role]} has \\d+ bytes, not`);
        for (const place of [0, good.length >> 1, good.length - 1]) {
          flip(path, place);
          await refuses("integrity", digest);
          fs.writeFileSync(path, good);
        }
        fs.writeFileSync(path, good.subarray(0, -1));
        await refuses("integrity", size);
        fs.writeFileSync(path, Buffer.concat([good, Buffer.alloc(1)]));
        await refuses("integrity", size);
        fs.rmSync(path);
        await refuses("integrity", new RegExp(`has no ${FILES[role]}`));
        fs.writeFileSync(at("outside"), good);
        fs.symlinkSync(at("outside"), path);
        await refuses("integrity", /not a plain file/);
        fs.rmSync(path);
        fs.mkdirSync(path);
        await refuses("integrity", /not a plain file/);
        fs.rmdirSync(path);
        fs.writeFileSync(path, good);
        await load();
      });
    }

    it("with a file or folder that the manifest does not list", async () => {
      for (const name of ["extra.txt", ".hidden", FILES.ceremony, "manifest.json.bak"]) {
        fs.writeFileSync(file(name), "");
        await refuses("integrity", /which its manifest does not list/);
        fs.rmSync(file(name));
      }
      fs.mkdirSync(file("sub"));
      await refuses("integrity", /which its manifest does not list/);
    });

    it("without a manifest, with a link for one, or with one of five megabytes", async () => {
      const good = fs.readFileSync(file(MANIFEST));
      fs.rmSync(file(MANIFEST));
      await refuses("input", /has no manifest\.json/);
      fs.writeFileSync(at("outside"), good);
      fs.symlinkSync(at("outside"), file(MANIFEST));
      await refuses("integrity", /not a plain file/);
      fs.rmSync(file(MANIFEST));
      fs.writeFileSync(file(MANIFEST), Buffer.alloc(5 << 20, " "));
      await refuses("integrity", /bytes/);
    });

    it("with a manifest in any other than its one spelling", async () => {
      const good = fs.readFileSync(file(MANIFEST), "utf8");
      const spellings = [
        good.trimEnd(),
        `${good}\n`,
        JSON.stringify(JSON.parse(good)),
        good.replace('"name"', '"name" '),
        good.replace("{\n", '{\n  "aaa": 1,\n  "aaa": 2,\n'),
        good.replace('"format":', '"format": "glassbox-package",\n  "format":'),
        good.replace("0.975", "0.9750"),
        good.replace("-1e-7", "-0.0000001"),
        `\ufeff${good}`,
      ];
      for (const text of spellings) {
        expect(text).not.to.equal(good);
        fs.writeFileSync(file(MANIFEST), text);
        await refuses("input", /not in canonical form|is not JSON/);
      }
      for (const text of ["", "{", "not JSON", "[".repeat(100_000) + "]".repeat(100_000)]) {
        fs.writeFileSync(file(MANIFEST), text);
        await refuses("input", /manifest\.json/);
      }
      fs.writeFileSync(file(MANIFEST), good);
      await load();
    });

    it("with a member of the manifest missing, added or of another kind", async () => {
      const good = fs.readFileSync(file(MANIFEST), "utf8");
      type Loose = { [name: string]: Loose & (string | number | Loose[]) };
      const first = (m: Loose, list: string): Loose => (m[list] as Loose[])[0] as Loose;
      const widths = (m: Loose): Loose => (m["choices"] as Loose)["widths"] as Loose;
      const changes: readonly (readonly [string, (m: Loose) => void, RegExp])[] = [
        ...Object.keys(JSON.parse(good) as object)
          .filter((name) => name !== "key")
          .map((name) => [`no ${name}`, (m: Loose) => delete m[name], new RegExp(`lacks "${name}"`)] as const),
        ["another format", (m) => Object.assign(m, { format: "zip" }), /not of a Glassbox package/],
        ["version 1", (m) => Object.assign(m, { version: 1 }), /of version 1/],
        ["a date", (m) => Object.assign(m, { date: "today" }), /unknown "date"/],
        ["a path for a name", (m) => Object.assign(m, { name: "../etc" }), /names the model/],
        ["an empty name", (m) => Object.assign(m, { name: "" }), /names the model/],
        [
          "a file above",
          (m) => Object.assign(m["files"] as Loose, { "../x": { bytes: 1, sha256: "0" } }),
          /unknown "\.\.\/x"/,
        ],
        ["an absolute file", (m) => Object.assign(m["files"] as Loose, { "/etc/x": 1 }), /unknown "\/etc\/x"/],
        ["a file less", (m) => delete (m["files"] as Loose)[FILES.source], /lacks "source\.onnx"/],
        [
          "a digest in capitals",
          (m) => Object.assign((m["files"] as Loose)[FILES.source] as Loose, { sha256: "A".repeat(64) }),
          /no SHA-256/,
        ],
        [
          "a negative size",
          (m) => Object.assign((m["files"] as Loose)[FILES.source] as Loose, { bytes: -1 }),
          /no count/,
        ],
        ["an unknown kind of key", (m) => Object.assign(m["key"] as Loose, { kind: "magic" }), /unknown kind of key/],
        [
          "a ceremony claimed",
          (m) => Object.assign(m, { key: { kind: "ceremony", transcript: "0".repeat(64) } }),
          /lacks "ceremony\.json"/,
        ],
        ["no key stated", (m) => delete m["key"], /unknown "key\.zkey"/],
        ["an int7", (m) => Object.assign(first(m, "inputs")["type"] as Loose, { bits: 7 }), /no integer type/],
        ["a shape of nothing", (m) => Object.assign(first(m, "inputs"), { shape: [1, 0] }), /impossible shape/],
        [
          "a shape of too much",
          (m) => Object.assign(first(m, "inputs"), { shape: [2 ** 30, 2 ** 30] }),
          /impossible shape/,
        ],
        ["half an exponent", (m) => Object.assign(first(m, "outputs"), { exponent: 0.5 }), /no exponent/],
        ["an input without name", (m) => Object.assign(first(m, "inputs"), { name: "" }), /no name in inputs/],
        ["no input", (m) => Object.assign(m, { inputs: [] }), /has 0 inputs/],
        ["65 outputs", (m) => Object.assign(m, { outputs: Array(65).fill(first(m, "outputs")) }), /has 65 outputs/],
        [
          "two inputs of one name",
          (m) => Object.assign(m, { inputs: [first(m, "inputs"), first(m, "inputs")] }),
          /two inputs of one name/,
        ],
        ["one input, not listed", (m) => Object.assign(m, { inputs: first(m, "inputs") }), /no list for inputs/],
        [
          "a range that is empty",
          (m) => Object.assign(m["calibration"] as Loose, { ranges: { x: [1, 1] } }),
          /no range/,
        ],
        ["a range of three", (m) => Object.assign(m["calibration"] as Loose, { ranges: { x: [0, 1, 2] } }), /no range/],
        ["no ranges", (m) => delete (m["calibration"] as Loose)["ranges"], /lacks "ranges"/],
        ["a dimension of 0", (m) => Object.assign(m["choices"] as Loose, { dims: { n: 0 } }), /0 for choices.dims/],
        ["a dimension of 2^27", (m) => Object.assign(m["choices"] as Loose, { dims: { n: 2 ** 27 } }), /not from 1 to/],
        ["weights of 1 bit", (m) => Object.assign(widths(m), { weights: 1 }), /1 for choices.widths.weights/],
        ["activations of 17 bits", (m) => Object.assign(widths(m), { activations: 17 }), /17 for choices.widths.act/],
        ["a tensor of 1 bit", (m) => Object.assign(widths(m), { tensors: { y: 1 } }), /1 for choices.widths.tensors/],
        ["no width of tables", (m) => delete widths(m)["tables"], /lacks "tables"/],
        ["a width of magic", (m) => Object.assign(widths(m), { magic: 8 }), /unknown "magic"/],
        [
          "a public claim spelled out",
          (m) => Object.assign(m["choices"] as Loose, { claim: "public" }),
          /unknown claim/,
        ],
        ["a claim of another kind", (m) => Object.assign(m["choices"] as Loose, { claim: "private" }), /unknown claim/],
        ["no claim", (m) => Object.assign(m["choices"] as Loose, { claim: null }), /unknown claim/],
        ["notices that are no list", (m) => Object.assign(m, { notices: "none" }), /no list/],
        ["a tool without version", (m) => Object.assign(m["tools"] as Loose, { node: 24 }), /no text/],
      ];
      for (const [name, change, pattern] of changes) {
        const manifest = JSON.parse(good) as Loose;
        change(manifest);
        fs.writeFileSync(file(MANIFEST), canonicalJson(manifest));
        const refusal = await refusalOf(load);
        expect(refusal.message, name).to.match(pattern);
        expect(refusal.code, name).to.equal("input");
      }
      fs.writeFileSync(file(MANIFEST), canonicalJson(JSON.parse(good) as Json));
      await load();
    });

    it("with another verifying key, even if the manifest's digest was made to fit", async () => {
      const { vkey: other } = await smallKey(work.path, { padding: 8, seed: "another", name: "another" });
      const { vkeyToSnarkjs } = await import("../../../node/proof/vkey.ts");
      const text = canonicalJson(vkeyToSnarkjs(other) as unknown as Json);
      const manifest = JSON.parse(fs.readFileSync(file(MANIFEST), "utf8")) as { files: Record<string, Json> } & Json;
      manifest.files[FILES.vkey] = { bytes: text.length, sha256: sha256(text) };
      fs.writeFileSync(file(FILES.vkey), text);
      fs.writeFileSync(file(MANIFEST), canonicalJson(manifest));
      await refuses("integrity", /vkey\.json is not the verifying part of key\.zkey/);
    });

    it("where there is no folder", async () => {
      const refusal = await refusalOf(() => loadPackage(join(dirname(folder()), "nowhere"), { keys: false }));
      expect(refusal.code).to.equal("input");
    });
  });
});

describe("canonical JSON", () => {
  it("sorts members at every depth, leaves lists alone and ends its last line", () => {
    expect(canonicalJson({ b: [3, 1, { d: null, c: "é" }], a: true })).to.equal(
      '{\n  "a": true,\n  "b": [\n    3,\n    1,\n    {\n      "c": "é",\n      "d": null\n    }\n  ]\n}\n',
    );
  });
  it("has no spelling for what is no number", () => {
    for (const value of [Number.NaN, Infinity, -Infinity]) expect(() => canonicalJson({ value })).to.throw(RangeError);
  });
});
