// The prover's door for envelopes: POST the bytes to its published endpoint, at any path. Bounded in size, time and
// connections; no TLS and no limit per sender, which are for the proxy in front of it. Logs commitments, sizes and reasons.
import http from "node:http";
import type { AddressInfo } from "node:net";
import { hexOf } from "../chain/codec.ts";
import { saltToBytes } from "../core/commitment.ts";
import { asNodeError, NodeError } from "../core/errors.ts";
import type { Log } from "../core/ports.ts";
import type { Inbox } from "./inbox.ts";

export interface ServerOptions {
  readonly inbox: Pick<Inbox, "keep">;
  readonly log: Log;
  /** Of an envelope. */
  readonly maxBytes: number;
  readonly port: number;
  readonly host?: string;
  /** For a whole request to come in. */
  readonly timeoutMs?: number;
}

export interface InboxServer {
  readonly url: string;
  close(): Promise<void>;
}

const MOST_CONNECTIONS = 64;

/** A page of any origin may post: an envelope is worth nothing to whoever did not seal it. */
const HEADERS = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "POST",
  "access-control-allow-headers": "content-type",
  connection: "close",
};

/** @throws NodeError "environment" if the port cannot be had */
export async function serveInbox(options: ServerOptions): Promise<InboxServer> {
  const { inbox, log, maxBytes, port, host = "127.0.0.1", timeoutMs = 20_000 } = options;
  const stop = new AbortController();

  async function take(request: http.IncomingMessage): Promise<readonly [status: number, answer: object | undefined]> {
    if (request.method === "OPTIONS") return [204, undefined];
    if (request.method !== "POST") return [405, { error: "POST an envelope" }];
    try {
      const envelope = await bodyOf(request, maxBytes);
      if (envelope === undefined) return [413, { error: `an envelope has at most ${maxBytes} bytes` }];
      const { model, commitment } = await inbox.keep(envelope, stop.signal);
      const kept = { model, commitment: hexOf(saltToBytes(commitment)) };
      log.info({ ...kept, bytes: envelope.length }, "private input received");
      return [201, kept];
    } catch (thrown) {
      const error = asNodeError(thrown);
      log.warn({ reason: error.message }, "private input refused");
      const known = thrown instanceof NodeError;
      return [statusOf(error, known), { error: known ? error.message : "it went wrong here", mend: error.mend }];
    }
  }

  const server = http.createServer((request, response) => {
    void take(request).then(([status, answer]) => {
      response.writeHead(status, { ...HEADERS, ...(answer && { "content-type": "application/json" }) });
      response.end(answer && JSON.stringify(answer));
    });
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.requestTimeout = timeoutMs;
  server.headersTimeout = timeoutMs;
  server.setTimeout(2 * timeoutMs);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => {
      const mend = "Set inboxPort to another port.";
      reject(new NodeError("environment", `port ${port} of ${host} cannot be listened on`, { mend, cause }));
    });
    server.listen(port, host, resolve);
  });
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    async close() {
      stop.abort();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Undefined: too long; the rest is not read. */
async function bodyOf(request: http.IncomingMessage, maxBytes: number): Promise<Uint8Array | undefined> {
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) return undefined;
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > maxBytes) return undefined;
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}

function statusOf({ code, retry }: NodeError, known: boolean): number {
  if (!known) return 500;
  if (retry) return 503;
  return code === "unsupported" ? 404 : 400;
}
