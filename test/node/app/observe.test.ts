// Logs: one JSON object per line, nothing below the level, and no secret in any form. The clock: aborts leave no timer.
import { expect } from "chai";
import { openLog, systemClock } from "../../../node/app/observe.ts";
import { NodeError } from "../../../node/core/errors.ts";

function capture(level: "debug" | "info" | "warn" | "error", secrets: readonly string[] = []) {
  const text: string[] = [];
  const log = openLog({ level, secrets, write: (line) => text.push(line) });
  return { log, lines: () => text.map((line) => JSON.parse(line) as Record<string, unknown>), text };
}

describe("the log", () => {
  it("writes fields, message, level and time, and the fields of its parents", () => {
    const { log, lines } = capture("debug");
    log.child({ job: 7 }).info({ fee: 2n ** 80n, list: [1, 2] }, "seen");
    const [line] = lines();
    expect(line).to.deep.include({ level: "info", job: 7, fee: (2n ** 80n).toString(), list: [1, 2], msg: "seen" });
    expect(new Date(line?.["time"] as string).getTime()).to.be.closeTo(Date.now(), 60_000);
  });
  it("leaves out what is below its level", () => {
    for (const [level, count] of [
      ["debug", 4],
      ["info", 3],
      ["warn", 2],
      ["error", 1],
    ] as const) {
      // prettier-ignore
      const { log, text } = capture(level);
      for (const at of ["debug", "info", "warn", "error"] as const) log[at]({}, at);
      expect(text, level).to.have.length(count);
    }
  });
  it("takes secrets out wherever they stand: fields, messages, errors, names", () => {
    const url = 'https://user:pa"ss@node.example/v3/abcdef';
    const { log, text } = capture("info", [url]);
    log.info({ url, deep: { cause: `could not reach ${url}` } }, `calling ${url}`);
    log.child({ url }).error({ [url]: 1, stack: new Error(url).stack }, "failed");
    log.info(
      { password: "x1", privateKey: "x2", inner: { secret: "x3", mnemonic: "x4", authorization: "x5" } },
      "fields",
    );
    expect(text.join("")).to.not.contain("abcdef");
    expect(text.join("")).to.not.match(/x[1-5]/);
    expect(text.join("")).to.contain("[secret]");
  });
});

describe("the clock", () => {
  it("sleeps for as long as it is told, and wakes at once when it is aborted", async () => {
    const started = performance.now();
    await systemClock.sleep(20);
    expect(performance.now() - started).to.be.at.least(19);
    const stop = new AbortController();
    const sleeping = systemClock.sleep(3_600_000, stop.signal).catch((error: unknown) => error);
    stop.abort();
    expect(await sleeping)
      .to.be.instanceOf(NodeError)
      .with.property("code", "aborted");
    const late: unknown = await systemClock.sleep(3_600_000, stop.signal).catch((error: unknown) => error);
    expect(late).to.be.instanceOf(NodeError);
  });
});
