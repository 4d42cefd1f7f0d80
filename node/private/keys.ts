// The prover's X25519 key in a file that nobody else can read, as 64 hex digits. It opens what requesters sealed, and nothing
// else: it is not the sender's key, moves no funds, and may be replaced at any time.
import { createPrivateKey, createPublicKey, randomBytes } from "node:crypto";
import fs from "node:fs";
import { readSecret } from "../chain/keys.ts";
import { NodeError } from "../core/errors.ts";
import { KEY_BYTES, type OpeningKey, openingKeyOf } from "./envelope.ts";

export interface EncryptionKey {
  readonly opening: OpeningKey;
  /** What the directory is told. */
  readonly publicKey: Uint8Array;
}

/** DER of an X25519 private key, before its 32 bytes (RFC 8410). */
const PKCS8 = Buffer.from("302e020100300506032b656e04220420", "hex");

/** @throws NodeError "input" or "environment" for a file that is missing, open to others, or holds no key */
export async function openEncryptionKey(file: string): Promise<EncryptionKey> {
  const text = readSecret(file, "encryption key file");
  if (!/^[0-9a-f]{64}$/i.test(text)) {
    throw new NodeError("input", `the encryption key file ${file} holds no key`, {
      mend: "It must hold 64 hexadecimal digits; `glassbox prover-key` writes one.",
    });
  }
  const secret = Buffer.from(text, "hex");
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, secret]), format: "der", type: "pkcs8" });
  const { x } = createPublicKey(key).export({ format: "jwk" });
  const publicKey = new Uint8Array(Buffer.from(x as string, "base64url"));
  return { opening: await openingKeyOf(secret, publicKey), publicKey };
}

/** A fresh key, if there is none at `file`. @returns whether there was none */
export function ensureEncryptionKey(file: string): boolean {
  try {
    fs.writeFileSync(file, `${randomBytes(KEY_BYTES).toString("hex")}\n`, { mode: 0o600, flag: "wx" });
    return true;
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "EEXIST") return false;
    throw new NodeError("environment", `the encryption key file ${file} cannot be written`, {
      mend: "Check that its folder is there and that this user may write to it.",
      cause: thrown,
    });
  }
}
