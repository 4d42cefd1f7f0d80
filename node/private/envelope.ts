// A private input on its way to the prover: salt and input, encrypted to the prover's published key with HPKE (RFC 9180, base
// mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM). Runs in browsers and in Node; @hpke/core does the
// cryptography, on WebCrypto. Base mode names no sender: what makes the contents the right ones is that they open the
// commitment, and that is checked here. It opens for requests of one requester only: who copies the commitment off the
// chain into a request of his own would otherwise have the prover tell what the model says of somebody else's input.
//
// Bytes: "GPI1" | model 32 | requester 20 | commitment 32 | HPKE's enc 32 | ciphertext of (salt 32 | input), tag of 16.
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { privateCommitment, SALT_BYTES, saltOfBytes, saltToBytes } from "../core/commitment.ts";
import type { Address, ModelId } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import { R } from "../core/field.ts";

export const KEY_BYTES = 32;
/** What an envelope has beside the input. */
export const OVERHEAD = 4 + 32 + 20 + 32 + KEY_BYTES + SALT_BYTES + 16;
const [MODEL_AT, REQUESTER_AT, COMMITMENT_AT, ENC_AT] = [4, 36, 56, 88] as const;
const CIPHERTEXT_AT = ENC_AT + KEY_BYTES;

/** What the envelope is for; all of it is bound to the ciphertext, so that it opens for nothing else. */
export interface Addressed {
  readonly chainId: bigint;
  readonly coordinator: Address;
  readonly model: ModelId;
  readonly requester: Address;
  /** c of the request. */
  readonly commitment: bigint;
}

export interface PrivateInput {
  readonly salt: bigint;
  readonly input: Uint8Array;
}

/** X25519, both halves: what is sealed to the public one opens with it. */
export type OpeningKey = CryptoKeyPair;

const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
const text = new TextEncoder();
const MAGIC = text.encode("GPI1");
const INFO = text.encode("glassbox.private-input.v1");

/** The commitment of what is sealed is computed here: one that is another than the request's cannot be sealed. */
export async function seal(
  publicKey: Uint8Array,
  about: Omit<Addressed, "commitment">,
  { salt, input }: PrivateInput,
): Promise<Uint8Array<ArrayBuffer>> {
  const commitment = privateCommitment(salt, input);
  const recipientPublicKey = await keyOf(publicKey);
  try {
    const sender = await suite.createSenderContext({ recipientPublicKey, info: infoOf({ ...about, commitment }) });
    const ciphertext = await sender.seal(joined(saltToBytes(salt), input));
    return joined(
      MAGIC,
      bytesOf(about.model),
      bytesOf(about.requester),
      saltToBytes(commitment),
      sender.enc,
      ciphertext,
    );
  } catch (cause) {
    throw badKey(cause);
  }
}

/** What an envelope says that it is for; nothing of it is proven before it was opened. */
export interface Label extends Pick<Addressed, "model" | "requester" | "commitment"> {
  /** Bytes of the input that it would hold. */
  readonly inputLength: number;
}

/** @throws NodeError "input" if the bytes are no envelope */
export function labelOf(envelope: Uint8Array): Label {
  const commitment = numberOf(envelope.subarray(COMMITMENT_AT, ENC_AT));
  const isOne = envelope.length > OVERHEAD && MAGIC.every((byte, i) => envelope[i] === byte) && commitment < R;
  if (!isOne) throw bad("these bytes are no envelope of a private input");
  const model = hexOf(envelope.subarray(MODEL_AT, REQUESTER_AT)) as ModelId;
  const requester = hexOf(envelope.subarray(REQUESTER_AT, COMMITMENT_AT)) as Address;
  return { model, requester, commitment, inputLength: envelope.length - OVERHEAD };
}

/** @throws NodeError "input" if it is for something else or for another key, or does not open its commitment */
export async function open(key: OpeningKey, about: Addressed, envelope: Uint8Array): Promise<PrivateInput> {
  const label = labelOf(envelope);
  const same = label.model === about.model.toLowerCase() && label.requester === about.requester.toLowerCase();
  if (!same || label.commitment !== about.commitment) {
    throw bad("the envelope is for another model, requester or commitment");
  }
  const [enc, ciphertext] = [envelope.slice(ENC_AT, CIPHERTEXT_AT), envelope.slice(CIPHERTEXT_AT)];
  let plain: Uint8Array;
  try {
    const recipient = await suite.createRecipientContext({ recipientKey: key, enc, info: infoOf(about) });
    plain = new Uint8Array(await recipient.open(ciphertext));
  } catch (cause) {
    throw bad("the envelope does not open: it was sealed to another key, for something else, or altered", cause);
  }
  const [salt, input] = [saltOfBytes(plain.subarray(0, SALT_BYTES)), plain.slice(SALT_BYTES)];
  if (privateCommitment(salt, input) !== about.commitment) {
    throw bad("what the envelope holds is not what was committed to");
  }
  return { salt, input };
}

/** Of the 32 bytes of a private key and its public one. */
export async function openingKeyOf(privateKey: Uint8Array, publicKey: Uint8Array): Promise<OpeningKey> {
  return { privateKey: await suite.kem.deserializePrivateKey(privateKey.slice()), publicKey: await keyOf(publicKey) };
}

/** @throws NodeError "input" for what is no X25519 public key */
async function keyOf(publicKey: Uint8Array): Promise<CryptoKey> {
  try {
    return await suite.kem.deserializePublicKey(publicKey.slice());
  } catch (cause) {
    throw badKey(cause);
  }
}

/** A key of small order is refused, too: HPKE does not go on with a shared secret of zeros. */
function badKey(cause: unknown): NodeError {
  const mend = "Take the key that the prover published in the directory.";
  return new NodeError("input", "the prover's key is no X25519 public key", { mend, cause });
}

function bad(message: string, cause?: unknown): NodeError {
  return new NodeError("input", message, {
    mend: "Seal salt and input to the key that the prover has in the directory now, for this chain, coordinator and model.",
    cause,
  });
}

function infoOf({ chainId, coordinator, model, requester, commitment }: Addressed): Uint8Array<ArrayBuffer> {
  const names = [bytesOf(coordinator), bytesOf(model), bytesOf(requester)];
  return joined(INFO, saltToBytes(chainId), ...names, saltToBytes(commitment));
}

function joined(...parts: readonly (Uint8Array | ArrayBuffer)[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part instanceof Uint8Array ? part : new Uint8Array(part), at);
    at += part.byteLength;
  }
  return all;
}

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from({ length: (hex.length - 2) / 2 }, (_, i) => parseInt(hex.slice(2 + 2 * i, 4 + 2 * i), 16));
const hexOf = (bytes: Uint8Array): string =>
  `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
const numberOf = (bytes: Uint8Array): bigint => bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
