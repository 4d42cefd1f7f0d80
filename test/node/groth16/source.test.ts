// Byte sources: files, bytes and Blobs give the same bytes and refuse the same reads, and can be had by threads.
import { expect } from "chai";
import { closeSync, ftruncateSync, openSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import {
  type ByteSource,
  describeSource,
  openSource,
  shareSource,
  type SourceSpec,
} from "../../../node/groth16/source.ts";
import { refusalOf, workFolder } from "../../support/keys.ts";

const BYTES = Uint8Array.from({ length: 24 }, (_, i) => 3 * i + 1);

/** Stands in for what only a browser's worker has. */
class FakeReader {
  static blobs = new WeakMap<Blob, Uint8Array>();
  readAsArrayBuffer(blob: Blob): ArrayBuffer {
    return Uint8Array.from(FakeReader.blobs.get(blob) ?? []).buffer;
  }
}

function fakeBlob(bytes: Uint8Array): Blob {
  const blob = {
    name: "fake",
    size: bytes.length,
    slice: (from: number, to: number) => {
      const piece = new Blob();
      FakeReader.blobs.set(piece, bytes.slice(from, to));
      return piece;
    },
  };
  return blob as unknown as Blob;
}

const host = globalThis as { FileReaderSync?: unknown; SharedArrayBuffer?: unknown };

/** While `act` runs, the global `name` is `value`. */
async function withGlobal<T>(name: keyof typeof host, value: unknown, act: () => Promise<T>): Promise<T> {
  const before = host[name];
  host[name] = value;
  try {
    return await act();
  } finally {
    host[name] = before;
  }
}

describe("byte sources", () => {
  const folder = workFolder();
  after(() => folder.remove());
  const path = folder.at("bytes");
  writeFileSync(path, BYTES);

  const shared = new Uint8Array(new SharedArrayBuffer(24));
  shared.set(BYTES);
  const within = new Uint8Array(40);
  within.set(BYTES, 5);
  const specs: Readonly<Record<string, SourceSpec>> = {
    "a file": { kind: "path", path },
    bytes: { kind: "bytes", bytes: BYTES, name: "bytes" },
    "shared bytes": { kind: "bytes", bytes: shared, name: "bytes" },
    "bytes within others": { kind: "bytes", bytes: within.subarray(5, 29), name: "bytes" },
    "a browser's Blob": { kind: "blob", blob: fakeBlob(BYTES) },
  };

  for (const [name, spec] of Object.entries(specs)) {
    const opened = (use: (source: ByteSource) => Promise<void>): Promise<void> =>
      withGlobal("FileReaderSync", FakeReader, async () => {
        const source = openSource(spec);
        try {
          await use(source);
        } finally {
          source.close();
        }
      });

    it(`give every piece there is of ${name}, and no byte more`, () =>
      opened(async (source) => {
        expect(source.size).to.equal(24);
        let refused = 0;
        for (let from = 0; from <= 25; from++) {
          for (let to = from; to <= 26; to++) {
            const target = new Uint8Array(to - from);
            if (to <= 24) {
              expect([...source.read(from, to - from)], `${from}..${to}`).to.deep.equal([...BYTES.slice(from, to)]);
              source.readInto(from, target);
              expect([...target], `${from}..${to}`).to.deep.equal([...BYTES.slice(from, to)]);
              continue;
            }
            refused++;
            for (const act of [() => source.read(from, to - from), () => source.readInto(from, target)]) {
              const refusal = await refusalOf(act);
              expect([refusal.code, refusal.message]).to.deep.equal([
                "input",
                `${source.name}: truncated: ends before byte ${to}`,
              ]);
            }
            expect([...target].every((byte) => byte === 0)).to.equal(true);
          }
        }
        expect(refused).to.equal(2 * 26);
      }));

    it(`refuse a length beyond all memory, or below zero, of ${name}`, () =>
      opened(async (source) => {
        for (const [offset, length] of [
          [0, 2 ** 53],
          [2 ** 53, 1],
          [-1, 2],
          [2, -1],
          [NaN, 1],
        ] as const) {
          expect((await refusalOf(() => source.read(offset, length))).code, `${offset}, ${length}`).to.equal("input");
        }
      }));

    it(`read ${name} into memory that threads share`, () =>
      opened(async (source) => {
        const target = new Uint8Array(new SharedArrayBuffer(32), 4, 20);
        source.readInto(3, target);
        expect([...target]).to.deep.equal([...BYTES.slice(3, 23)]);
      }));
  }

  it("in memory hand out their own bytes, not copies", () => {
    for (const bytes of [BYTES, shared, within]) {
      const source = openSource({ kind: "bytes", bytes, name: "" });
      expect(source.read(2, 3).buffer).to.equal(bytes.buffer);
    }
  });

  it("read a file beyond 4 GB where it is", () => {
    const large = folder.at("large");
    const file = openSync(large, "w");
    const at = 2 ** 32 + 12345;
    writeSync(file, BYTES, 0, 24, at);
    ftruncateSync(file, at + 100);
    closeSync(file);
    const source = openSource({ kind: "path", path: large });
    expect([...source.read(at - 1, 26)]).to.deep.equal([0, ...BYTES, 0]);
    expect(source.size).to.equal(at + 100);
    source.close();
  });

  it("say so when a file became shorter, is none, or is not there", async () => {
    const shrinking = folder.at("shrinking");
    writeFileSync(shrinking, BYTES);
    const source = openSource({ kind: "path", path: shrinking });
    truncateSync(shrinking, 10);
    expect(source.read(0, 10)).to.have.length(10);
    expect((await refusalOf(() => source.read(0, 11))).message).to.equal(
      `${shrinking}: truncated: ends before byte 11`,
    );
    source.close();
    const directory = openSource({ kind: "path", path: folder.path });
    const unreadable = await refusalOf(() => directory.read(0, 1));
    directory.close();
    const missing = await refusalOf(() => openSource({ kind: "path", path: folder.at("nothing") }));
    expect([unreadable.code, unreadable.message]).to.deep.equal(["input", `${folder.path}: cannot be read`]);
    expect([missing.code, missing.message]).to.deep.equal(["input", `${folder.at("nothing")}: cannot be opened`]);
    expect(missing.facts).to.deep.equal({ path: folder.at("nothing") });
  });

  it("refuse a Blob where it cannot be read without waiting, and say what to do", async () => {
    const refusal = await refusalOf(() => openSource({ kind: "blob", blob: new Blob([BYTES]) }));
    expect(refusal.code).to.equal("environment");
    expect(refusal.mend).to.contain("arrayBuffer()");
  });

  it("are described from what a caller names", async () => {
    expect(await describeSource("a.zkey", "key")).to.deep.equal({ kind: "path", path: "a.zkey" });
    expect(await describeSource(BYTES, "key")).to.deep.equal({ kind: "bytes", bytes: BYTES, name: "key" });
    const ofBlob = await describeSource(new Blob([BYTES]), "key");
    expect(ofBlob).to.deep.equal({ kind: "bytes", bytes: BYTES, name: "key" });
  });

  it("are shared with a thread, which reads the same memory", async () => {
    const spec = shareSource({ kind: "bytes", bytes: within.subarray(5, 29), name: "key" });
    expect(shareSource(spec)).to.equal(spec);
    const script = `
      const { parentPort } = require("node:worker_threads");
      parentPort.once("message", async ({ spec, module }) => {
        const { openSource } = await import(module);
        parentPort.postMessage([...openSource(spec).read(0, 24)]);
      });`;
    const module = new URL("../../../node/groth16/source.ts", import.meta.url).href;
    const answerTo = async (given: SourceSpec): Promise<unknown> => {
      const worker = new Worker(script, { eval: true });
      const answer = new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
      worker.postMessage({ spec: given, module });
      try {
        return await answer;
      } finally {
        await worker.terminate();
      }
    };
    expect(await answerTo(spec)).to.deep.equal([...BYTES]);
    expect(await answerTo({ kind: "path", path })).to.deep.equal([...BYTES]);
    const { bytes } = structuredClone(spec) as Extract<SourceSpec, { kind: "bytes" }>;
    (spec as { bytes: Uint8Array }).bytes[7] = 0;
    expect(bytes[7]).to.equal(0);
    expect(bytes).to.have.length(24);
    expect(within[12]).to.equal(BYTES[7]);
  });

  it("are shared as a Blob where memory cannot be", async () => {
    const spec = await withGlobal("SharedArrayBuffer", undefined, async () =>
      shareSource({ kind: "bytes", bytes: BYTES, name: "key" }),
    );
    if (spec.kind !== "blob") throw new Error(`a Blob was expected, not ${spec.kind}`);
    expect(new Uint8Array(await spec.blob.arrayBuffer())).to.deep.equal(BYTES);
    expect((spec.blob as File).name).to.equal("key");
    for (const same of [spec, { kind: "path", path } as const]) expect(shareSource(same)).to.equal(same);
  });
});
