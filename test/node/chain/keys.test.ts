// Key files: what is taken, and what is refused because others could read it.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect } from "chai";
import { encryptKeystoreJsonSync, Wallet } from "ethers";
import { createKeyFile, openKey } from "../../../node/chain/keys.ts";
import { NodeError } from "../../../node/core/errors.ts";

describe("the sender's key", () => {
  let folder: string;
  const wallet = new Wallet(`0x${"4".repeat(64)}`);
  const put = (name: string, text: string, mode = 0o600): string => {
    const file = path.join(folder, name);
    fs.writeFileSync(file, text, { mode });
    fs.chmodSync(file, mode);
    return file;
  };
  const refused = async (work: Promise<unknown>): Promise<NodeError> => {
    const thrown = await work.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(thrown).to.be.instanceOf(NodeError);
    const error = thrown as NodeError;
    const said = `${error.message} ${error.mend} ${JSON.stringify(error.facts)} ${String(error.cause)}`;
    expect(said, "no secret in the error").to.not.contain("44444444");
    return error;
  };
  beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-keys-"))));
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  for (const text of [wallet.privateKey, wallet.privateKey.slice(2), `${wallet.privateKey}\n`]) {
    it(`is read from ${text.length} characters of hex`, async () => {
      expect((await openKey({ keyFile: put("key", text) })).address).to.equal(wallet.address);
    });
  }
  it("is refused with any right of the group or of others, bit by bit", async () => {
    for (const bit of [0o040, 0o020, 0o010, 0o004, 0o002, 0o001]) {
      const error = await refused(openKey({ keyFile: put("key", wallet.privateKey, 0o600 | bit) }));
      expect(error.mend).to.contain("chmod 600");
    }
    for (const mode of [0o600, 0o400]) await openKey({ keyFile: put(`key${mode}`, wallet.privateKey, mode) });
  });
  it("is refused if it is missing, too long, too short or out of range", async () => {
    await refused(openKey({ keyFile: path.join(folder, "none") }));
    for (const text of ["", "0x", "4".repeat(63), "4".repeat(65), "0".repeat(64), "f".repeat(64), "x".repeat(64)]) {
      await refused(openKey({ keyFile: put("key", text) }));
    }
  });
  it("is decrypted from a keystore with its password, and with no other", async () => {
    // scrypt with few rounds: the strength of the file is not the subject
    const account = { address: wallet.address, privateKey: wallet.privateKey };
    const json = encryptKeystoreJsonSync(account, "right", { scrypt: { N: 1024, r: 8, p: 1 } });
    const keyFile = put("keystore", json);
    const passwordFile = put("password", "right\n");
    expect((await openKey({ keyFile, passwordFile })).address).to.equal(wallet.address);
    await refused(openKey({ keyFile, passwordFile: put("wrong", "wrong") }));
    expect((await refused(openKey({ keyFile }))).code).to.equal("usage");
    await refused(openKey({ keyFile, passwordFile: put("open", "right", 0o644) }));
  });
  it("is written so that only this user can read it, and never over another", async () => {
    const file = path.join(folder, "new");
    const address = createKeyFile(file);
    expect(fs.statSync(file).mode & 0o777).to.equal(0o600);
    expect((await openKey({ keyFile: file })).address).to.equal(address);
    expect(() => createKeyFile(file)).to.throw(/EEXIST/);
  });
});
