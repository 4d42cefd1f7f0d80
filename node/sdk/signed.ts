// Requests that one party signs and another sends: EIP-712 by the requester, payment from its account, or by its signature for
// an ERC-2612 token or for Permit2, in the same transaction through RequestRelay.
import { AbiCoder, Interface, Signature } from "ethers";
import { type Call, requestForCall } from "../chain/calls.ts";
import { bytesOf, hexOf, relayAbi } from "../chain/codec.ts";
import {
  type Drafted,
  NOBODY,
  randomNonce,
  type Request,
  REQUEST_FIELDS,
  REQUEST_TYPES,
  requestOfTuple,
  requestTuple,
  typedDomain,
} from "../chain/request.ts";
import type { Address, Hex } from "../core/domain.ts";
import { asNodeError, NodeError } from "../core/errors.ts";
import { addressOf, type Context, orAborted, refusedBy, walletOf } from "./context.ts";

/** What a requester hands to whoever sends it. */
export interface SignedRequest extends Drafted {
  readonly signature: Hex;
}

/** The payer's word that RequestRelay may take maxFee of the request's token, once. */
export type SignedPayment =
  | { readonly kind: "permit"; readonly relay: Address; readonly deadline: bigint; readonly signature: Hex }
  | {
      readonly kind: "permit2";
      readonly relay: Address;
      readonly deadline: bigint;
      readonly nonce: bigint;
      readonly signature: Hex;
    };

/** Asks the wallet to sign `drafted`. */
export async function signRequest(context: Context, drafted: Drafted, signal?: AbortSignal): Promise<SignedRequest> {
  const work = walletOf(context).signTypedData(
    typedDomain(context.chain),
    REQUEST_TYPES,
    requestTuple(drafted.request),
  );
  const signature = (await orAborted(work.catch(refusedBy("sign the request")), signal)) as Hex;
  return { ...drafted, signature };
}

/** The transaction that makes a signed request. */
export function signedCall({ chain }: Context, signed: SignedRequest, payment: SignedPayment | undefined): Call {
  if (payment === undefined) return requestForCall(chain.coordinator, signed, signed.signature);
  const { relay, deadline } = payment;
  const args = [requestTuple(signed.request), signed.input, signed.signature];
  if (payment.kind === "permit2") {
    const all = [...args, payment.nonce, deadline, payment.signature];
    return { to: relay, data: relayAbi.encodeFunctionData("requestWithPermit2", all) as Hex };
  }
  const { v, r, s } = Signature.from(payment.signature);
  return { to: relay, data: relayAbi.encodeFunctionData("requestWithPermit", [...args, deadline, v, r, s]) as Hex };
}

const TOKEN = new Interface([
  "function name() view returns (string)",
  "function nonces(address owner) view returns (uint256)",
  "function eip712Domain() view returns (bytes1 fields, string name, string version, uint256 chainId, address verifyingContract, bytes32 salt, uint256[] extensions)",
]);
const PERMIT2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3";
const PERMIT = {
  Permit: [
    { name: "owner", type: "address" },
    { name: "spender", type: "address" },
    { name: "value", type: "uint256" },
    { name: "nonce", type: "uint256" },
    { name: "deadline", type: "uint256" },
  ],
};
const PERMIT2_TRANSFER = {
  PermitTransferFrom: [
    { name: "permitted", type: "TokenPermissions" },
    { name: "spender", type: "address" },
    { name: "nonce", type: "uint256" },
    { name: "deadline", type: "uint256" },
  ],
  TokenPermissions: [
    { name: "token", type: "address" },
    { name: "amount", type: "uint256" },
  ],
};

/**
 * Asks the wallet, whose account must be the request's payer, to sign the payment of maxFee.
 * @param kind permit: the token is of ERC-2612; permit2: the payer has approved the token for Permit2 once
 * @param relay RequestRelay's address
 */
export async function signPayment(
  context: Context,
  kind: SignedPayment["kind"],
  relay: Address,
  { token, maxFee, payer, submitBy }: Request,
  signal?: AbortSignal,
): Promise<SignedPayment> {
  const wallet = walletOf(context);
  if (token === NOBODY || payer !== (await addressOf(context))) {
    throw new NodeError("usage", "only the payer can sign a payment, and only of a token", {
      mend: "Deposit the chain's coin, or open the client with the payer's wallet.",
    });
  }
  const deadline = BigInt(submitBy);
  const { chainId, rpc } = context.chain;
  const ask = async (name: string, args: readonly unknown[] = []) => {
    const call = { to: token, data: TOKEN.encodeFunctionData(name, args) };
    return TOKEN.decodeFunctionResult(name, (await rpc.request("eth_call", [call, "latest"], signal)) as string);
  };
  const sign = (
    domain: Parameters<typeof wallet.signTypedData>[0],
    types: typeof PERMIT2_TRANSFER | typeof PERMIT,
    value: Record<string, unknown>,
  ) =>
    orAborted(wallet.signTypedData(domain, types, value).catch(refusedBy("sign the payment")), signal) as Promise<Hex>;
  if (kind === "permit2") {
    const nonce = randomNonce();
    const value = { permitted: { token, amount: maxFee }, spender: relay, nonce, deadline };
    const signature = await sign({ name: "Permit2", chainId, verifyingContract: PERMIT2 }, PERMIT2_TRANSFER, value);
    return { kind, relay, deadline, nonce, signature };
  }
  const [nonce] = await ask("nonces", [payer]).catch((cause: unknown) => {
    throw new NodeError("unsupported", "the token takes no permits (ERC-2612)", {
      mend: "Approve it for Permit2 and sign a permit2, or deposit it.",
      cause,
    });
  });
  // ERC-5267, or what tokens that are older than it use.
  const { name, version } = await ask("eip712Domain").then(
    (domain) => ({ name: domain["name"] as string, version: domain["version"] as string }),
    async () => ({ name: (await ask("name"))[0] as string, version: "1" }),
  );
  const value = { owner: payer, spender: relay, value: maxFee, nonce: nonce as bigint, deadline };
  const signature = await sign({ name, version, chainId, verifyingContract: token }, PERMIT, value);
  return { kind, relay, deadline, signature };
}

/** A signed request as text, for the way to whoever sends it. */
export function writeSigned({ request, input, signature }: SignedRequest): string {
  const fields = REQUEST_FIELDS.map(({ name }) => [name, String(requestTuple(request)[name])]);
  return JSON.stringify({ request: Object.fromEntries(fields) as unknown, input: hexOf(input), signature });
}

/** @throws NodeError "input" */
export function readSigned(text: string): SignedRequest {
  try {
    const { request, input, signature } = JSON.parse(text) as {
      readonly request: Readonly<Record<string, string>>;
      readonly input: string;
      readonly signature: string;
    };
    const values = REQUEST_FIELDS.map(({ name, type }) => {
      const value = String(request[name]);
      return type === "bool" ? value === "true" : type.startsWith("uint") ? BigInt(value) : value;
    });
    // Through the ABI and back: every field is of its type, or this throws.
    const types = REQUEST_FIELDS.map(({ type }) => type);
    const coder = AbiCoder.defaultAbiCoder();
    const decoded = coder.decode(types, coder.encode(types, values));
    const fields = Object.fromEntries(REQUEST_FIELDS.map(({ name }, i) => [name, decoded[i] as unknown]));
    return {
      request: requestOfTuple(fields as Readonly<Record<keyof Request, unknown>>),
      input: bytesOf(input),
      signature: hexOf(bytesOf(signature)),
    };
  } catch (thrown) {
    throw new NodeError("input", `this is no signed request (${asNodeError(thrown).message})`, {
      mend: "Hand on the text that writeSigned made, unchanged.",
      cause: thrown,
    });
  }
}
