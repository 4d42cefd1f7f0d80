// HPKE of RFC 9180, base mode with X25519 and HKDF-SHA256, opened with node:crypto alone: the other implementation that
// envelopes are checked against. Held to the RFC's own vector (A.1.1) by test. Opens only, one message per context.
import { createDecipheriv, createHmac, createPrivateKey, createPublicKey, diffieHellman } from "node:crypto";

export const AES_128_GCM = 1;
export const AES_256_GCM = 2;

const bytes = (hex: string): Buffer => Buffer.from(hex, "hex");
const i2osp = (value: number, length: number): Buffer => bytes(value.toString(16).padStart(2 * length, "0"));
const concat = (...parts: readonly (Uint8Array | string)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
const hmac = (key: Uint8Array, data: Uint8Array): Buffer => createHmac("sha256", key).update(data).digest();

function expand(key: Uint8Array, info: Uint8Array, length: number): Buffer {
  let [block, out] = [Buffer.alloc(0) as Buffer, Buffer.alloc(0) as Buffer];
  for (let i = 1; out.length < length; i++) {
    block = hmac(key, concat(block, info, i2osp(i, 1)));
    out = concat(out, block);
  }
  return out.subarray(0, length);
}

function labeled(suite: Buffer) {
  return {
    extract: (salt: Uint8Array, label: string, ikm: Uint8Array): Buffer =>
      hmac(salt, concat("HPKE-v1", suite, label, ikm)),
    expand: (key: Uint8Array, label: string, info: Uint8Array, length: number): Buffer =>
      expand(key, concat(i2osp(length, 2), "HPKE-v1", suite, label, info), length),
  };
}

const privateKeyOf = (secret: Uint8Array) =>
  createPrivateKey({ key: concat(bytes("302e020100300506032b656e04220420"), secret), format: "der", type: "pkcs8" });
const publicKeyOf = (key: Uint8Array) =>
  createPublicKey({ key: concat(bytes("302a300506032b656e032100"), key), format: "der", type: "spki" });

export function publicOf(secret: Uint8Array): Buffer {
  const { x } = createPublicKey(privateKeyOf(secret)).export({ format: "jwk" });
  return Buffer.from(x as string, "base64url");
}

export interface Sealed {
  readonly enc: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly info: Uint8Array;
  readonly aad?: Uint8Array;
}

/** Key, nonce and plaintext. @throws if the tag does not hold */
export function openHpke(secret: Uint8Array, aead: number, { enc, ciphertext, info, aad }: Sealed) {
  const kem = labeled(concat("KEM", i2osp(0x0020, 2)));
  const shared = diffieHellman({ privateKey: privateKeyOf(secret), publicKey: publicKeyOf(enc) });
  const prk = kem.extract(Buffer.alloc(0), "eae_prk", shared);
  const secretShared = kem.expand(prk, "shared_secret", concat(enc, publicOf(secret)), 32);
  const hpke = labeled(concat("HPKE", i2osp(0x0020, 2), i2osp(0x0001, 2), i2osp(aead, 2)));
  const none = Buffer.alloc(0);
  const context = concat(i2osp(0, 1), hpke.extract(none, "psk_id_hash", none), hpke.extract(none, "info_hash", info));
  const last = hpke.extract(secretShared, "secret", none);
  const key = hpke.expand(last, "key", context, aead === AES_256_GCM ? 32 : 16);
  const nonce = hpke.expand(last, "base_nonce", context, 12);
  const cipher = createDecipheriv(aead === AES_256_GCM ? "aes-256-gcm" : "aes-128-gcm", key, nonce);
  cipher.setAuthTag(ciphertext.subarray(-16));
  cipher.setAAD(aad ?? none);
  const plaintext = concat(cipher.update(ciphertext.subarray(0, -16)), cipher.final());
  return { key, nonce, plaintext };
}
