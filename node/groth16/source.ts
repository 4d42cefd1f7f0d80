// Where the prover's bytes come from, read by offset and without waiting, as its threads need it: a file on Node, bytes in
// memory, or a browser's Blob (in a worker, where a Blob can be read so). Knows nothing of what the bytes mean.
import type * as fs from "node:fs";
import { NodeError } from "../core/errors.ts";
import { builtin } from "./threads.ts";

export interface ByteSource {
  /** What messages call it: the path, or a name. */
  readonly name: string;
  readonly size: number;
  /**
   * Exactly `length` bytes at `offset`, to be read only: those of a source in memory are its own, not a copy.
   * @throws NodeError "input" if it ends before, without having taken memory for them
   */
  read(offset: number, length: number): Uint8Array;
  /** The same, copied to where `target` is. */
  readInto(offset: number, target: Uint8Array): void;
  close(): void;
}

/** What to open, in a form that can be posted to a thread. */
export type SourceSpec =
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly name: string }
  | { readonly kind: "blob"; readonly blob: Blob };

type Files = typeof fs;

interface BlobReader {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}

/** Under what the system calls take at once. */
const MOST_AT_ONCE = 1 << 30;
/** A piece of a Blob comes as a buffer of its own. */
const BLOB_PIECE = 1 << 24;

/** What is wrong with the bytes called `name`. */
export function malformed(name: string, what: string, mend?: string): NodeError {
  const facts = { path: name };
  return new NodeError("input", `${name}: ${what}`, mend === undefined ? { facts } : { mend, facts });
}

/** @throws NodeError "input" if there is nothing to read there, "environment" if this platform cannot read it so. */
export function openSource(spec: SourceSpec): ByteSource {
  switch (spec.kind) {
    case "path":
      return pathSource(spec.path);
    case "bytes":
      return bytesSource(spec.bytes, spec.name);
    case "blob":
      return blobSource(spec.blob);
  }
}

export function pathSource(path: string): ByteSource {
  const files = builtin<Files>("node:fs");
  if (files === undefined) throw new NodeError("environment", `${path}: there are no files here, only on Node`);
  const refused = (what: string, cause: unknown): NodeError =>
    new NodeError("input", `${path}: ${what}`, { cause, facts: { path } });
  let file: number;
  try {
    // Opening a pipe waits for its other end, and nothing can end a thread that does.
    if (files.statSync(path).isFIFO()) throw new Error("a pipe, not a file");
    file = files.openSync(path, "r");
  } catch (cause) {
    throw refused("cannot be opened", cause);
  }
  return bounded(path, files.fstatSync(file).size, {
    readInto: (offset, target) => {
      for (let done = 0; done < target.length;) {
        const most = Math.min(target.length - done, MOST_AT_ONCE);
        let got: number;
        try {
          got = files.readSync(file, target, done, most, offset + done);
        } catch (cause) {
          throw refused("cannot be read", cause);
        }
        if (got === 0) throw endsBefore(path, offset + target.length);
        done += got;
      }
    },
    close: () => files.closeSync(file),
  });
}

export function bytesSource(bytes: Uint8Array, name: string): ByteSource {
  return bounded(name, bytes.length, {
    read: (offset, length) => bytes.subarray(offset, offset + length),
    readInto: (offset, target) => target.set(bytes.subarray(offset, offset + target.length)),
    close: () => undefined,
  });
}

function blobSource(blob: Blob): ByteSource {
  const { FileReaderSync } = globalThis as { FileReaderSync?: new () => BlobReader };
  const name = (blob as Partial<File>).name ?? "blob";
  if (FileReaderSync === undefined) {
    throw new NodeError("environment", `${name}: a Blob can be read only in a browser's worker`, {
      mend: "Pass its bytes: new Uint8Array(await blob.arrayBuffer()).",
    });
  }
  const reader = new FileReaderSync();
  const read = (offset: number, length: number): Uint8Array => {
    try {
      return new Uint8Array(reader.readAsArrayBuffer(blob.slice(offset, offset + length)));
    } catch (cause) {
      throw new NodeError("input", `${name}: cannot be read`, { cause, facts: { path: name } });
    }
  };
  return bounded(name, blob.size, {
    read,
    readInto: (offset, target) => {
      for (let done = 0; done < target.length; done += BLOB_PIECE) {
        target.set(read(offset + done, Math.min(target.length - done, BLOB_PIECE)), done);
      }
    },
    close: () => undefined,
  });
}

function endsBefore(name: string, byte: number): NodeError {
  return malformed(name, `truncated: ends before byte ${byte}`);
}

interface Reading {
  readonly read?: (offset: number, length: number) => Uint8Array;
  readonly readInto: (offset: number, target: Uint8Array) => void;
  readonly close: () => void;
}

/** A source that never asks `reading` for what lies outside. */
function bounded(name: string, size: number, { read, readInto, close }: Reading): ByteSource {
  const inside = (offset: number, length: number): void => {
    if (!(offset >= 0 && length >= 0 && offset + length <= size)) throw endsBefore(name, offset + length);
  };
  return {
    name,
    size,
    read: (offset, length) => {
      inside(offset, length);
      if (read !== undefined) return read(offset, length);
      const bytes = new Uint8Array(length);
      readInto(offset, bytes);
      return bytes;
    },
    readInto: (offset, target) => {
      inside(offset, target.length);
      readInto(offset, target);
    },
    close,
  };
}

/**
 * What a caller names: a path on Node, an address that is fetched in a browser, bytes, or a Blob.
 * @param name what messages call bytes that have no name of their own
 * @throws NodeError "input" if the address cannot be fetched
 */
export async function describeSource(
  given: string | Uint8Array | Blob,
  name: string,
  signal?: AbortSignal,
): Promise<SourceSpec> {
  const onNode = builtin<Files>("node:fs") !== undefined;
  if (given instanceof Uint8Array) return { kind: "bytes", bytes: given, name };
  if (typeof given !== "string") {
    return onNode
      ? { kind: "bytes", bytes: new Uint8Array(await given.arrayBuffer()), name }
      : { kind: "blob", blob: given };
  }
  if (onNode) return { kind: "path", path: given };
  return { kind: "blob", blob: await fetched(given, signal) };
}

async function fetched(address: string, signal: AbortSignal | undefined): Promise<Blob> {
  let answer: Response;
  try {
    answer = await fetch(address, signal === undefined ? {} : { signal });
    if (answer.ok) return await answer.blob();
  } catch (cause) {
    if (signal?.aborted) throw new NodeError("aborted", "stopped on request", { cause: signal.reason });
    throw new NodeError("input", `${address}: cannot be fetched`, { cause, facts: { path: address } });
  }
  throw malformed(address, `cannot be fetched: the server answers ${answer.status}`);
}

/**
 * The same source, so that many threads can have it and the bytes are in memory once: posting them as they are would copy
 * them, and whatever else is in their buffer, for each. For keys; a witness must not stay in memory that nobody wipes.
 */
export function shareSource(spec: SourceSpec): SourceSpec {
  if (spec.kind !== "bytes") return spec;
  const { bytes, name } = spec;
  if (typeof SharedArrayBuffer === "undefined") {
    return { kind: "blob", blob: new File([bytes as Uint8Array<ArrayBuffer>], name) };
  }
  if (bytes.buffer instanceof SharedArrayBuffer) return spec;
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return { kind: "bytes", bytes: shared, name };
}
