// JSON-RPC over HTTP against a server of the test's own: credentials, answers that are none, closed connections, timeouts.
import http from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { httpRpc } from "../../../node/chain/rpc.ts";
import { NodeError } from "../../../node/core/errors.ts";

type Answerer = (request: http.IncomingMessage, response: http.ServerResponse, body: string) => void;

describe("JSON-RPC over HTTP", () => {
  let server: http.Server;
  let port: number;
  let answer: Answerer;
  let asked = 0;
  before(async () => {
    server = http.createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        asked++;
        answer(request, response, body);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    port = (server.address() as AddressInfo).port;
  });
  beforeEach(() => (asked = 0));
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  const failure = async (work: Promise<unknown>): Promise<NodeError> => {
    const thrown: unknown = await work.catch((error: unknown) => error);
    expect(thrown).to.be.instanceOf(NodeError);
    return thrown as NodeError;
  };
  const reply =
    (text: string, status = 200): Answerer =>
    (_request, response) =>
      void response.writeHead(status).end(text);

  it("sends method and parameters and returns the result, null and false too", async () => {
    answer = (_request, response, body) => {
      const { method, params } = JSON.parse(body) as { method: string; params: unknown };
      response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result: [method, params] }));
    };
    expect(await httpRpc(`http://127.0.0.1:${port}`).request("m", [1, "x"])).to.deep.equal(["m", [1, "x"]]);
    for (const result of [null, false, 0, ""]) {
      answer = reply(JSON.stringify({ result }));
      expect(await httpRpc(`http://127.0.0.1:${port}`).request("m", [])).to.equal(result);
    }
  });
  it("puts credentials into a header, and names the endpoint without them", async () => {
    let seen: string | undefined;
    answer = (request, response) => {
      seen = request.headers.authorization;
      response.end('{"result":1}');
    };
    const rpc = httpRpc(`http://us%40er:p%3Aw@127.0.0.1:${port}/v3/token?key=1`);
    await rpc.request("m", []);
    expect(Buffer.from(seen?.slice(6) ?? "", "base64").toString()).to.equal("us@er:p:w");
    expect(rpc.name).to.equal(`127.0.0.1:${port}`);
    answer = reply("no", 401);
    const error = await failure(rpc.request("m", []));
    expect(`${error.message} ${error.mend}`).to.not.match(/token|p:w|key=1/);
  });
  it("does not take another answer for a result", async () => {
    const rpc = httpRpc(`http://127.0.0.1:${port}`);
    for (const [text, status, retry] of [
      ["<html>", 200, true],
      ["{}", 200, true],
      ["[]", 200, true],
      ['{"message":"unauthorized"}', 401, true],
      ["", 429, true],
      ["bad gateway", 502, true],
    ] as const) {
      answer = reply(text, status);
      expect(await failure(rpc.request("m", [])), text).to.deep.include({ code: "chain", retry });
    }
    answer = reply('{"error":{"code":-32601,"message":"no such method"}}', 400);
    expect((await failure(rpc.request("m", []))).facts).to.include({ rpcCode: -32601 });
  });
  it("tries once more over a fresh connection, and only once", async () => {
    const rpc = httpRpc(`http://127.0.0.1:${port}`);
    answer = (request, response) => {
      if (asked === 1) request.socket.destroy();
      else response.end('{"result":2}');
    };
    expect(await rpc.request("m", [])).to.equal(2);
    asked = 0;
    answer = (request) => request.socket.destroy();
    expect(await failure(rpc.request("m", []))).to.include({ retry: true });
    expect(asked).to.equal(2);
  });
  it("gives up after its time, and at once when it is aborted", async () => {
    answer = () => undefined;
    expect(await failure(httpRpc(`http://127.0.0.1:${port}`, { timeoutMs: 30 }).request("m", []))).to.include({
      retry: true,
    });
    expect(asked).to.equal(1);
    const stop = new AbortController();
    answer = () => stop.abort();
    const error = await failure(httpRpc(`http://127.0.0.1:${port}`).request("m", [], stop.signal));
    expect(error).to.include({ code: "aborted" });
  });
  it("refuses an address that is none", () => {
    expect(() => httpRpc("localhost")).to.throw(NodeError, /not a URL/);
  });
});
