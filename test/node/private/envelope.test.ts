// Envelopes of private inputs: against another implementation of HPKE, which is held to the RFC's vector; and every way in
// which one may be for something else. UPDATE_SNAPSHOTS=1 seals the committed one anew.
import { expect } from "chai";
import { hkdfSync } from "node:crypto";
import fs from "node:fs";
import { newSalt, privateCommitment, saltToBytes } from "../../../node/core/commitment.ts";
import type { Address, ModelId } from "../../../node/core/domain.ts";
import { R } from "../../../node/core/field.ts";
import { type Addressed, labelOf, open, openingKeyOf, OVERHEAD, seal } from "../../../node/private/envelope.ts";
import { AES_128_GCM, AES_256_GCM, openHpke, publicOf } from "../../support/hpke.ts";
import { refusalOf } from "../../support/keys.ts";

const FILE = new URL("../../vectors/envelope.json", import.meta.url);
const hex = (text: string): Buffer => Buffer.from(text.replace(/^0x/, ""), "hex");
const SECRET = Buffer.from(hkdfSync("sha256", "a prover's key in a test", "", "", 32));
const PUBLIC = publicOf(SECRET);

const ABOUT = {
  chainId: 31337n,
  coordinator: "0xCf7Ed3AccA5a467e9e704C703E8D87F634fB0Fc9" as Address,
  model: `0x${"5a".repeat(32)}` as ModelId,
  requester: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8" as Address,
};
const SALT = R - 12_345n;
const INPUT = Uint8Array.from({ length: 40 }, (_, i) => 7 * i);
const FULL: Addressed = { ...ABOUT, commitment: privateCommitment(SALT, INPUT) };

describe("an envelope of a private input", () => {
  const key = openingKeyOf(SECRET, PUBLIC);
  let envelope: Uint8Array;
  before(async () => {
    envelope = await seal(PUBLIC, ABOUT, { salt: SALT, input: INPUT });
  });
  const refused = async (bytes: Uint8Array, about: Addressed = FULL): Promise<string> => {
    const refusal = await refusalOf(async () => open(await key, about, bytes));
    expect(refusal.code).to.equal("input");
    return refusal.message;
  };

  it("opens to what was sealed, and is never the same twice", async () => {
    expect(await open(await key, FULL, envelope)).to.deep.equal({ salt: SALT, input: INPUT });
    const requester = ABOUT.requester.toLowerCase();
    expect(labelOf(envelope)).to.deep.equal({ model: ABOUT.model, requester, commitment: FULL.commitment, inputLength: 40 }); // prettier-ignore
    expect(envelope.length).to.equal(OVERHEAD + 40);
    const again = await seal(PUBLIC, ABOUT, { salt: SALT, input: INPUT });
    expect(again.subarray(0, 88)).to.deep.equal(envelope.subarray(0, 88));
    expect(again.subarray(88, 120)).to.not.deep.equal(envelope.subarray(88, 120));
    const sent = Buffer.from(envelope);
    for (const secret of [INPUT, saltToBytes(SALT)]) expect(sent.includes(Buffer.from(secret))).to.equal(false);
  });

  it("is HPKE by the RFC, as another implementation opens it that gives the RFC's vector A.1.1", async () => {
    const vector = openHpke(hex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8"), AES_128_GCM, {
      enc: hex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"),
      info: hex("4f6465206f6e2061204772656369616e2055726e"),
      aad: hex("436f756e742d30"),
      ciphertext: hex("f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"),
    });
    expect(vector.key.toString("hex")).to.equal("4531685d41d65f03dc48f6b8302c05b0");
    expect(vector.nonce.toString("hex")).to.equal("56d890e5accaaf011cff4b7d");
    expect(vector.plaintext.toString()).to.equal("Beauty is truth, truth beauty");

    const info = Buffer.concat([
      Buffer.from("glassbox.private-input.v1"),
      hex(ABOUT.chainId.toString(16).padStart(64, "0")),
      hex(ABOUT.coordinator),
      hex(ABOUT.model),
      hex(ABOUT.requester),
      hex(FULL.commitment.toString(16).padStart(64, "0")),
    ]);
    const parts = { enc: envelope.slice(88, 120), ciphertext: envelope.slice(120), info };
    const { plaintext } = openHpke(SECRET, AES_256_GCM, parts);
    expect(plaintext).to.deep.equal(Buffer.concat([saltToBytes(SALT), INPUT]));
    expect(() => openHpke(SECRET, AES_256_GCM, { ...parts, info: info.subarray(1) })).to.throw();
  });

  it("of the committed vector opens still", async () => {
    if (process.env["UPDATE_SNAPSHOTS"] === "1") {
      const { chainId, coordinator, model, requester } = ABOUT;
      const record = {
        secret: SECRET.toString("hex"),
        about: { chainId: Number(chainId), coordinator, model, requester, commitment: FULL.commitment.toString() },
        salt: SALT.toString(),
        input: Buffer.from(INPUT).toString("hex"),
        envelope: Buffer.from(envelope).toString("hex"),
      };
      fs.writeFileSync(FILE, `${JSON.stringify(record, null, 2)}\n`);
    }
    const vector = JSON.parse(fs.readFileSync(FILE, "utf8")) as {
      readonly secret: string;
      readonly about: {
        readonly chainId: number;
        readonly coordinator: Address;
        readonly model: ModelId;
        readonly requester: Address;
        readonly commitment: string;
      };
      readonly salt: string;
      readonly input: string;
      readonly envelope: string;
    };
    const { about } = vector;
    const opened = await open(
      await openingKeyOf(hex(vector.secret), publicOf(hex(vector.secret))),
      { ...about, chainId: BigInt(about.chainId), commitment: BigInt(about.commitment) },
      hex(vector.envelope),
    );
    expect(opened.salt).to.equal(BigInt(vector.salt));
    expect(Buffer.from(opened.input).toString("hex")).to.equal(vector.input);
  });

  it("opens for no other chain, coordinator, model, requester, commitment or key", async () => {
    const away = { ...FULL, chainId: 1n };
    expect(await refused(envelope, away)).to.match(/does not open/);
    expect(await refused(envelope, { ...FULL, coordinator: `0x${"11".repeat(20)}` as Address })).to.match(
      /does not open/,
    );
    const model: ModelId = `0x${"5b".repeat(32)}` as ModelId;
    expect(await refused(envelope, { ...FULL, model })).to.match(/another model, requester or comm/);
    const requester = `0x${"77".repeat(20)}` as Address;
    expect(await refused(envelope, { ...FULL, requester })).to.match(/another model, requester or comm/);
    expect(await refused(envelope, { ...FULL, commitment: FULL.commitment + 1n })).to.match(
      /another model, requester or comm/,
    );
    // the label altered to fit
    const relabelled = Uint8Array.from(envelope);
    relabelled.set(hex(model), 4);
    expect(await refused(relabelled, { ...FULL, model })).to.match(/does not open/);
    const readdressed = Uint8Array.from(envelope);
    readdressed.set(hex(requester), 36);
    expect(await refused(readdressed, { ...FULL, requester })).to.match(/does not open/);
    const other = Buffer.from(SECRET).fill(9);
    const stranger = await openingKeyOf(other, publicOf(other));
    expect((await refusalOf(() => open(stranger, FULL, envelope))).message).to.match(/another key/);
    expect(await open(await key, { ...FULL, coordinator: FULL.coordinator.toLowerCase() as Address }, envelope)).to.deep
      .equal({ salt: SALT, input: INPUT }); // prettier-ignore
  });

  it("opens in no other bytes: one bit off, one byte more or less, or none", async () => {
    for (const at of [0, 3, 4, 36, 56, 88, 119, 120, envelope.length - 17, envelope.length - 1]) {
      const bent = Uint8Array.from(envelope);
      bent[at] = (bent[at] as number) ^ 1;
      await refused(bent);
    }
    await refused(envelope.subarray(0, -1));
    await refused(Uint8Array.of(...envelope, 0));
    for (const length of [0, 3, 88, OVERHEAD - 1, OVERHEAD]) {
      expect(await refused(envelope.slice(0, length)), `${length}`).to.match(/no envelope/);
    }
    const beyond = Uint8Array.from(envelope);
    beyond.set(saltToBytes(R), 56);
    expect(await refused(beyond, { ...FULL, commitment: R })).to.match(/no envelope/);
  });

  it("is refused where it holds another input or salt than was committed to", async () => {
    // what an honest `seal` cannot make: the right label over other contents, sealed to the right key
    for (const salt of [SALT + 1n, R + SALT]) {
      const forged = await sealAs(FULL, saltToBytes(salt), INPUT);
      expect(await refused(forged)).to.match(salt < R ? /not what was committed to/ : /no field|not a field/);
    }
    const input = Uint8Array.from(INPUT);
    input[39] = (input[39] as number) ^ 1;
    expect(await refused(await sealAs(FULL, saltToBytes(SALT), input))).to.match(/not what was committed to/);
    expect(await open(await key, FULL, await sealAs(FULL, saltToBytes(SALT), INPUT))).to.include({ salt: SALT });
  });

  it("is not sealed to what is no key: of another length, or a point of small order", async () => {
    const small = [Buffer.alloc(32), Buffer.concat([Buffer.of(1), Buffer.alloc(31)])];
    for (const bytes of [new Uint8Array(31), new Uint8Array(33), new Uint8Array(0), ...small]) {
      const refusal = await refusalOf(() => seal(bytes, ABOUT, { salt: newSalt(), input: INPUT }));
      expect(refusal.message).to.equal("the prover's key is no X25519 public key");
    }
  });
});

/** Seals any contents under any label, with the library alone. */
async function sealAs(about: Addressed, salt: Uint8Array, input: Uint8Array): Promise<Uint8Array> {
  const { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } = await import("@hpke/core");
  const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
  const info = Buffer.concat([
    Buffer.from("glassbox.private-input.v1"),
    saltToBytes(about.chainId),
    hex(about.coordinator),
    hex(about.model),
    hex(about.requester),
    saltToBytes(about.commitment),
  ]);
  const recipientPublicKey = await suite.kem.deserializePublicKey(Uint8Array.from(PUBLIC));
  const sender = await suite.createSenderContext({ recipientPublicKey, info: Uint8Array.from(info) });
  const ciphertext = await sender.seal(Uint8Array.from(Buffer.concat([salt, input])));
  const parts = [Buffer.from("GPI1"), hex(about.model), hex(about.requester), saltToBytes(about.commitment)];
  return new Uint8Array(Buffer.concat([...parts, Buffer.from(sender.enc), Buffer.from(ciphertext)]));
}
