// deployments/<chain id>.json vouches for itself; those that are committed do, too.
import { expect } from "chai";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { planned } from "../../../node/chain/deployments.ts";
import { contractArtifact } from "../../../node/app/artifacts.ts";
import { compilerOf, readRecord, recordFile, recordOf, writeRecord } from "../../../node/app/record.ts";
import { NodeError } from "../../../node/core/errors.ts";

const artifact = (name: Parameters<typeof contractArtifact>[1]) => contractArtifact("artifacts", name);
const placed = planned((name) => artifact(name).bytecode).map((each, i) => ({ ...each, block: 7 + i, gas: undefined }));
const record = recordOf(424_242, compilerOf("artifacts", artifact("InferenceCoordinator")), placed);

describe("the record of a deployment", () => {
  let folder: string;
  beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-record-"))));
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  /** What is said of a file with this text. */
  const said = (text: string): string | undefined => {
    const file = path.join(folder, "r.json");
    fs.writeFileSync(file, text);
    try {
      readRecord(file);
      return undefined;
    } catch (error) {
      if (error instanceof NodeError) return error.code;
      throw error;
    }
  };

  it("is read as it was written, under the chain's id", () => {
    const file = recordFile(folder, record.chainId);
    expect(path.relative(folder, file)).to.equal(path.join("deployments", "424242.json"));
    writeRecord(file, record);
    expect(readRecord(file)).to.deep.equal(record);
    expect(record.block).to.equal(7);
    expect(record.compiler.version).to.match(/^0\.8\.37\+commit\./);
    expect(record.compiler.settings).to.deep.include({ viaIR: true, evmVersion: "cancun" });
  });

  it("is refused with another address, code hash, salt or factory, and where it is none", () => {
    const text = JSON.stringify(record);
    expect(said(text)).to.equal(undefined);
    const { address, initCodeHash } = record.contracts["ModelRegistry"]!;
    const other = (hex: string): string => hex.slice(0, -1) + (hex.endsWith("0") ? "1" : "0");
    for (const part of [address, initCodeHash, record.salt]) {
      expect(said(text.replaceAll(part, other(part))), part).to.equal("integrity");
    }
    expect(said(text.replaceAll(record.factory, address))).to.equal("integrity");
    for (const none of ["", "null", "{}", text.replace('"block":7,', "")]) expect(said(none), none).to.equal("input");
  });

  it("holds for every chain that is committed", () => {
    const files = fs.existsSync("deployments") ? fs.readdirSync("deployments") : [];
    for (const file of files.filter((name) => name.endsWith(".json"))) {
      expect(`${readRecord(path.join("deployments", file)).chainId}.json`).to.equal(file);
    }
  });
});
