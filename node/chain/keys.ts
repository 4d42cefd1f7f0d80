// The sender's key: read from a file that nobody else can read, as hex or as an encrypted JSON keystore with its password
// in a second such file. Never from arguments, environment values or logs. Relies on ethers for decryption and signing.
import fs from "node:fs";
import { keccak256, type TransactionLike, type TypedDataDomain, type TypedDataField, Wallet } from "ethers";
import type { Address, Hex } from "../core/domain.ts";
import { asNodeError, NodeError } from "../core/errors.ts";

export interface Signer {
  readonly address: Address;
  /** The signed transaction, ready for eth_sendRawTransaction, and its hash. */
  sign(transaction: TransactionLike): Promise<{ readonly raw: Hex; readonly hash: Hex }>;
  /** An EIP-712 signature. */
  signTyped(
    domain: TypedDataDomain,
    types: Record<string, TypedDataField[]>,
    value: Readonly<Record<string, unknown>>,
  ): Promise<Hex>;
}

/** @throws NodeError if it is missing, too large, or readable by others. `what` names it. */
export function readSecret(path: string, what: string): string {
  let handle: number;
  try {
    handle = fs.openSync(path, "r");
  } catch (cause) {
    throw new NodeError("input", `the ${what} ${path} cannot be read (${asNodeError(cause).message})`, {
      mend: "Check the path and that this user may read it.",
      cause,
    });
  }
  try {
    const stat = fs.fstatSync(handle);
    // Windows keeps no such bits; everywhere else a key that others can read is a key that others have.
    if (process.platform !== "win32" && (stat.mode & 0o077) !== 0) {
      throw new NodeError(
        "environment",
        `the ${what} ${path} can be read by other users (mode ${modeText(stat.mode)})`,
        {
          mend: `Run: chmod 600 ${path}. If others had access, move the funds to a new key.`,
        },
      );
    }
    if (stat.size > 65_536) throw new NodeError("input", `the ${what} ${path} is too large to be one`);
    return fs.readFileSync(handle, "utf8").trim();
  } finally {
    fs.closeSync(handle);
  }
}

const modeText = (mode: number): string => (mode & 0o777).toString(8).padStart(3, "0");

export async function openKey(paths: {
  readonly keyFile: string;
  readonly passwordFile?: string | undefined;
}): Promise<Signer> {
  const text = readSecret(paths.keyFile, "key file");
  if (!text.startsWith("{")) return signerOf(walletOfHex(text, paths.keyFile));
  if (paths.passwordFile === undefined) {
    throw new NodeError("usage", `the key file ${paths.keyFile} is encrypted and no password file is given`, {
      mend: "Set passwordFile to a file that holds the password and that only this user can read.",
    });
  }
  const password = readSecret(paths.passwordFile, "password file");
  try {
    return signerOf((await Wallet.fromEncryptedJson(text, password)) as Wallet);
  } catch {
    // The cause is left out: it may quote the password or the key.
    throw new NodeError("input", `the key file ${paths.keyFile} is no keystore, or its password is another`, {
      mend: "Check both files; a keystore is the JSON that geth, foundry or ethers write.",
    });
  }
}

function walletOfHex(text: string, path: string): Wallet {
  try {
    return new Wallet(text.startsWith("0x") ? text : `0x${text}`);
  } catch {
    throw new NodeError("input", `the key file ${path} holds no private key`, {
      mend: "It must hold 64 hexadecimal digits, or an encrypted JSON keystore.",
    });
  }
}

export function signerOf(wallet: Wallet): Signer {
  return {
    address: wallet.address as Address,
    async sign(transaction) {
      const raw = (await wallet.signTransaction(transaction)) as Hex;
      return { raw, hash: keccak256(raw) as Hex };
    },
    signTyped: async (domain, types, value) => (await wallet.signTypedData(domain, types, value)) as Hex,
  };
}

/** A fresh key, written where only this user can read it. For trials: the key is not encrypted. */
export function createKeyFile(path: string): Address {
  const wallet = Wallet.createRandom();
  fs.writeFileSync(path, `${wallet.privateKey}\n`, { mode: 0o600, flag: "wx" });
  return wallet.address as Address;
}
