// Fetching from addresses that strangers wrote: schemes, private networks (by name, by literal, behind a redirect), sizes at
// the bound, times, redirects. Servers are on this machine, so the accepting cases allow its addresses.
import http from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { keccak } from "../../../node/chain/codec.ts";
import { NodeError } from "../../../node/core/errors.ts";
import { fetchBytes, type FetchOptions, isPrivateAddress } from "../../../node/app/fetch.ts";
import { openInputs } from "../../../node/app/inputs.ts";
import { requestSeen } from "../../support/fakes.ts";

const BYTES = Uint8Array.from({ length: 64 }, (_, i) => i);
const base: FetchOptions = {
  schemes: ["http", "https", "data"],
  ipfsGateway: "http://127.0.0.1:1",
  allowPrivate: true,
  maxBytes: BYTES.length,
  timeoutMs: 60_000,
  signal: new AbortController().signal,
};

async function refusal(work: Promise<unknown>): Promise<NodeError> {
  const thrown: unknown = await work.then(
    () => new Error("nothing was thrown"),
    (error: unknown) => error,
  );
  expect(thrown).to.be.instanceOf(NodeError);
  return thrown as NodeError;
}

describe("fetching an input", () => {
  let server: http.Server;
  let at: string;
  const asked: string[] = [];
  const answers: Readonly<Record<string, (response: http.ServerResponse) => void>> = {
    "/good": (r) => r.end(BYTES),
    "/ipfs/cid/file": (r) => r.end(BYTES),
    "/long": (r) => r.end(Buffer.concat([BYTES, BYTES.subarray(0, 1)])),
    "/endless": (r) => {
      const more = (): void => void (r.destroyed || r.write(Buffer.alloc(1024), () => setImmediate(more)));
      more();
    },
    "/silent": () => undefined,
    "/cut": (r) => {
      r.writeHead(200, { "content-length": "64" });
      r.write(BYTES.subarray(0, 10), () => r.destroy());
    },
    "/hop": (r) => r.writeHead(302, { location: "/good" }).end(),
    "/file": (r) => r.writeHead(302, { location: "file:///etc/passwd" }).end(),
    "/inside": (r) => r.writeHead(302, { location: "http://169.254.169.254/latest/meta-data" }).end(),
    "/loop": (r) => r.writeHead(302, { location: "/loop" }).end(),
    "/broken": (r) => r.writeHead(503).end(),
  };
  before(async () => {
    server = http.createServer((request, response) => {
      asked.push(request.url ?? "");
      (answers[request.url ?? ""] ?? ((r: http.ServerResponse) => r.writeHead(404).end()))(response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => (asked.length = 0));

  it("brings the bytes, through a redirect, from a gateway, and out of the address itself", async () => {
    for (const path of ["/good", "/hop"]) expect(await fetchBytes(`${at}${path}`, base)).to.deep.equal(BYTES);
    const ipfs = { ...base, schemes: ["ipfs"], ipfsGateway: `${at}/ipfs/` } as const;
    expect(await fetchBytes("ipfs://cid/file", ipfs)).to.deep.equal(BYTES);
    const data = `data:application/octet-stream;base64,${Buffer.from(BYTES).toString("base64")}`;
    expect(await fetchBytes(data, base)).to.deep.equal(BYTES);
    expect(await fetchBytes("data:,a%20b", base)).to.deep.equal(new Uint8Array(Buffer.from("a b")));
  });

  it("takes the bound and refuses one byte more, or no end at all", async () => {
    expect(await refusal(fetchBytes(`${at}/long`, base))).to.include({ code: "input", retry: false });
    expect(await refusal(fetchBytes(`${at}/endless`, base))).to.include({ retry: false });
    expect(await fetchBytes(`${at}/long`, { ...base, maxBytes: 65 })).to.have.length(65);
    expect((await refusal(fetchBytes("data:,abc", { ...base, maxBytes: 2 }))).message).to.contain(
      "more than the 2 bytes",
    );
  });

  it("asks for nothing that is of another scheme, there or behind a redirect", async () => {
    for (const uri of ["file:///etc/passwd", "ftp://example.org/x", "ipfs://cid/file", "nonsense", ""]) {
      expect((await refusal(fetchBytes(uri, base))).message, uri).to.contain("no scheme");
    }
    expect(asked).to.deep.equal([]);
    expect((await refusal(fetchBytes(`${at}/file`, base))).message).to.contain("no scheme");
  });

  it("connects to no private address: by number, by name, or behind a redirect", async () => {
    const strict = { ...base, allowPrivate: false };
    const port = new URL(at).port;
    for (const host of ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0.0.0.0"]) {
      const error = await refusal(fetchBytes(`http://${host}:${port}/good`, strict));
      expect(error.message, host).to.contain("not on the public internet");
      expect(error.retry, host).to.equal(false);
    }
    expect(asked).to.deep.equal([]);
    const hop = await refusal(fetchBytes(`${at}/inside`, { ...base, timeoutMs: 500 }));
    expect(hop, "allowed, it would have gone there").to.include({ retry: true });
  });

  it("knows the private networks at their borders", () => {
    const rows = [
      ["9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"],
      ["172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"],
      ["192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"],
      ["169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"],
      ["100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"],
      ["126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"],
      ["223.255.255.255", "224.0.0.0", "255.255.255.255", "1.0.0.0"],
      ["fbff::1", "fc00::", "fdff::1", "fe00::1"],
      ["2001:4860::1", "fe80::1", "febf::1", "fec0::1"],
      ["2001:4860::1", "::1", "::ffff:10.0.0.1", "::ffff:9.9.9.9"],
      ["2003::1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1"],
    ] as const;
    for (const [below, first, last, above] of rows) {
      const found = [below, first, last, above].map(isPrivateAddress);
      expect(found, first).to.deep.equal([false, true, true, false]);
    }
  });

  it("comes back to what is not there now, and gives up on what never will be", async () => {
    for (const path of ["/nowhere", "/broken", "/cut"]) {
      expect(await refusal(fetchBytes(`${at}${path}`, base)), path).to.include({ code: "input", retry: true });
    }
    expect(await refusal(fetchBytes("http://127.0.0.1:1/x", base))).to.include({ retry: true });
    expect((await refusal(fetchBytes(`${at}/silent`, { ...base, timeoutMs: 50 }))).message).to.contain("did not come");
    expect((await refusal(fetchBytes(`${at}/loop`, base))).message).to.contain("redirects too often");
    expect(asked.filter((path) => path === "/loop")).to.have.length(4);
  });

  it("stops when the node does", async () => {
    const stop = new AbortController();
    const work = refusal(fetchBytes(`${at}/silent`, { ...base, signal: stop.signal }));
    stop.abort(new NodeError("aborted", "the node stops"));
    expect(await work).to.include({ code: "aborted" });
  });

  it("takes for a request's input what has its length and hash, and nothing else", async () => {
    const inputs = openInputs(base, undefined);
    const model = { id: requestSeen().request.model, name: "m", inputLength: 64, outputLength: 1, estimateMs: 0 };
    const asking = (path: string, inputHash = keccak(BYTES)) =>
      requestSeen({
        request: { inputKind: "reference", inputHash },
        input: new Uint8Array(Buffer.from(`${at}${path}`)),
      });
    const { signal } = base;
    expect(await inputs.get(asking("/good"), model, signal)).to.deep.equal({ bytes: BYTES });
    const other = await refusal(inputs.get(asking("/good", keccak(BYTES.subarray(1))), model, signal));
    expect(other).to.include({ retry: true });
    expect(other.message).to.contain("is not the request's input");
    const longer = { ...model, inputLength: 65 };
    expect((await refusal(inputs.get(asking("/good"), longer, signal))).message).to.contain(
      "is not the request's input",
    );
  });
});
