// Fetches bytes from a URI that a stranger wrote: schemes by an allow-list, sizes and times bounded, few redirects, and no
// address of the operator's own network, which is checked for the very address that is connected to. Knows no requests.
import http from "node:http";
import https from "node:https";
import dns from "node:dns";
import net from "node:net";
import { asNodeError, NodeError, throwIfAborted } from "../core/errors.ts";

export const SCHEMES = ["https", "http", "ipfs", "data"] as const;
export type Scheme = (typeof SCHEMES)[number];

export interface FetchOptions {
  readonly schemes: readonly Scheme[];
  /** Of ipfs://<cid>/<path>: the gateway's address, to which <cid>/<path> is added. */
  readonly ipfsGateway: string;
  /** Whether addresses that are not of the public internet may be connected to. */
  readonly allowPrivate: boolean;
  readonly maxBytes: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export const IPFS_GATEWAY = "https://ipfs.io/ipfs";
const MOST_REDIRECTS = 3;

/** Networks that are not the public internet: this host, its neighbours, and what is reserved (IANA, RFC 6890). */
const PRIVATE = new net.BlockList();
for (const [network, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
] as const) {
  PRIVATE.addSubnet(network, bits, "ipv4");
}
for (const [network, bits] of [
  ["::", 96], // unspecified, loopback, and IPv4 in a form that is not used
  ["64:ff9b::", 96], // IPv4 behind a translator
  ["64:ff9b:1::", 48],
  ["2002::", 16], // 6to4: IPv4 inside
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8],
] as const) {
  PRIVATE.addSubnet(network, bits, "ipv6");
}

/** Whether the address is outside of the public internet. IPv4 that is written as IPv6 counts as what it is. */
export function isPrivateAddress(address: string): boolean {
  return PRIVATE.check(address, net.isIPv6(address) ? "ipv6" : "ipv4");
}

const refused = (message: string, mend: string): NodeError => new NodeError("input", message, { mend });
const failed = (message: string, cause?: unknown): NodeError =>
  new NodeError("input", message, { retry: true, mend: "Check that what the request names is there.", cause });

/** @throws NodeError "input"; with `retry` where it may be there later */
export async function fetchBytes(uri: string, options: FetchOptions): Promise<Uint8Array> {
  const timeout = AbortSignal.timeout(options.timeoutMs);
  const signal = AbortSignal.any([options.signal, timeout]);
  try {
    let at = targetOf(uri, options);
    for (let redirects = 0; ; redirects++) {
      if (at.protocol === "data:") return dataOf(at, options.maxBytes);
      const answer = await get(at, options, signal);
      if (answer instanceof Uint8Array) return answer;
      if (redirects === MOST_REDIRECTS)
        throw refused(`${at.host} redirects too often`, "Name the last address at once.");
      const next = URL.parse(answer.location, at);
      if (next === null) throw refused(`${at.host} redirects to what is no address`, "Name the last address at once.");
      at = targetOf(next.href, options);
    }
  } catch (thrown) {
    throwIfAborted(options.signal);
    if (timeout.aborted) throw failed(`${uri.slice(0, 100)} did not come within ${options.timeoutMs / 1000} s`);
    throw thrown instanceof NodeError ? thrown : failed(`${uri.slice(0, 100)}: ${asNodeError(thrown).message}`, thrown);
  }
}

/** What is to be asked for, if its scheme is allowed. */
function targetOf(uri: string, { schemes, ipfsGateway }: FetchOptions): URL {
  const url = URL.parse(uri);
  const scheme = url?.protocol.slice(0, -1) as Scheme;
  if (url === null || !schemes.includes(scheme)) {
    throw refused(
      `${uri.slice(0, 100)} is of no scheme that this node fetches from`,
      `Use one of ${schemes.join(", ")}.`,
    );
  }
  if (scheme !== "ipfs") return url;
  return new URL(`${ipfsGateway.replace(/\/$/, "")}/${uri.slice("ipfs://".length)}`);
}

/** RFC 2397. */
function dataOf(url: URL, maxBytes: number): Uint8Array {
  const match = /^data:([^,]*),(.*)$/s.exec(url.href);
  if (match === null) throw refused("a data: address without data", "Write data:;base64,<bytes>.");
  const [, type = "", text = ""] = match;
  const bytes = type.endsWith(";base64")
    ? Buffer.from(decodeURIComponent(text), "base64")
    : Buffer.from(decodeURIComponent(text), "utf8");
  if (bytes.length > maxBytes) throw tooLong(maxBytes);
  return new Uint8Array(bytes);
}

const tooLong = (maxBytes: number): NodeError =>
  refused(
    `there are more than the ${maxBytes} bytes of the model's input`,
    "Name the input's bytes, and nothing else.",
  );

/** The body, or where else to look. */
function get(
  url: URL,
  { allowPrivate, maxBytes }: FetchOptions,
  signal: AbortSignal,
): Promise<Uint8Array | { readonly location: string }> {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const forbidden = (address: string): NodeError =>
    refused(`${url.hostname} is at ${address}, which is not on the public internet`, "Serve it from a public address.");
  if (!allowPrivate && net.isIP(host) !== 0 && isPrivateAddress(host)) throw forbidden(host);
  // The address that is looked up here is the one that is connected to: a name cannot change its mind in between.
  const lookup: net.LookupFunction = (name, options, callback) => {
    dns.lookup(name, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, "", 0);
      const bad = found.find(({ address }) => !allowPrivate && isPrivateAddress(address));
      if (bad !== undefined) return callback(forbidden(bad.address), "", 0);
      if (options.all === true)
        return (callback as unknown as (e: null, all: dns.LookupAddress[]) => void)(null, found);
      const [first] = found;
      return first === undefined
        ? callback(new Error(`no address of ${name}`), "", 0)
        : callback(null, first.address, first.family);
    });
  };
  return new Promise((resolve, reject) => {
    const client = url.protocol === "https:" ? https : http;
    const headers = {
      accept: "application/octet-stream, */*",
      "accept-encoding": "identity",
      "user-agent": "glassbox",
    };
    const request = client.get(url, { lookup, signal, headers, agent: false }, (response) => {
      const { statusCode = 0, headers: answered } = response;
      if (statusCode >= 300 && statusCode < 400 && answered.location !== undefined) {
        response.destroy();
        return resolve({ location: answered.location });
      }
      if (statusCode !== 200) {
        response.destroy();
        return reject(failed(`${url.host} answered HTTP ${statusCode}`));
      }
      const parts: Buffer[] = [];
      let size = 0;
      response.on("data", (part: Buffer) => {
        size += part.length;
        if (size > maxBytes) {
          reject(tooLong(maxBytes));
          response.destroy();
        } else parts.push(part);
      });
      response.once("end", () => resolve(new Uint8Array(Buffer.concat(parts))));
      response.once("error", reject);
    });
    request.once("error", reject);
  });
}
