// iden3's container of numbered sections, the shape of .r1cs, .zkey, .ptau and .wtns files: magic, version, count, then
// (id, length, bytes) each. Reads by offset, in pieces that the caller bounds; knows nothing of what a section holds.
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { NodeError } from "../core/errors.ts";

export interface Section {
  readonly offset: number;
  readonly size: number;
}

export interface BinFile {
  readonly path: string;
  readonly size: number;
  /** Reads exactly `length` bytes at `offset` of the file. */
  read(offset: number, length: number): Buffer;
  /** The one section `id`. */
  section(id: number): Section;
  has(id: number): boolean;
  close(): void;
}

const MAX_SECTIONS = 64;

export function malformed(path: string, what: string, mend?: string): NodeError {
  return new NodeError(
    "input",
    `${path}: ${what}`,
    mend === undefined ? { facts: { path } } : { mend, facts: { path } },
  );
}

/** @throws NodeError "input" if the file is no such container, is truncated, repeats a section or has bytes to spare. */
export function openBinFile(path: string, magic: string, maxVersion: number): BinFile {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (cause) {
    throw new NodeError("input", `${path}: cannot be opened`, { cause, facts: { path } });
  }
  try {
    const size = fstatSync(fd).size;
    const read = (offset: number, length: number): Buffer => {
      const bytes = Buffer.allocUnsafe(length);
      for (let done = 0; done < length;) {
        const got = readSync(fd, bytes, done, Math.min(length - done, 1 << 30), offset + done);
        if (got === 0) throw malformed(path, `truncated: ends before byte ${offset + length}`);
        done += got;
      }
      return bytes;
    };
    const sections = tableOf(path, size, magic, maxVersion, read);
    const section = (id: number): Section => {
      const found = sections.get(id);
      if (found === undefined) throw malformed(path, `has no section ${id}`);
      return found;
    };
    return { path, size, read, section, has: (id) => sections.has(id), close: () => closeSync(fd) };
  } catch (thrown) {
    closeSync(fd);
    throw thrown;
  }
}

function tableOf(
  path: string,
  size: number,
  magic: string,
  maxVersion: number,
  read: (offset: number, length: number) => Buffer,
): Map<number, Section> {
  if (size < 12) throw malformed(path, `truncated: ${size} bytes are too few for a .${magic} file`);
  const head = read(0, 12);
  if (head.toString("latin1", 0, 4) !== magic)
    throw malformed(path, `is not a .${magic} file (wrong first four bytes)`);
  const version = head.readUInt32LE(4);
  if (version < 1 || version > maxVersion) throw malformed(path, `version ${version} of .${magic} is not known here`);
  const count = head.readUInt32LE(8);
  if (count > MAX_SECTIONS) throw malformed(path, `claims ${count} sections`);
  const sections = new Map<number, Section>();
  let at = 12;
  for (let i = 0; i < count; i++) {
    if (at + 12 > size) throw malformed(path, `truncated: ends before section ${i + 1} of ${count}`);
    const entry = read(at, 12);
    const id = entry.readUInt32LE(0);
    const length = Number(entry.readBigUInt64LE(4));
    at += 12;
    if (length > size - at) {
      throw malformed(path, `truncated: section ${id} claims ${length} bytes and ${size - at} are left`);
    }
    if (sections.has(id)) throw malformed(path, `repeats section ${id}`);
    sections.set(id, { offset: at, size: length });
    at += length;
  }
  if (at !== size) throw malformed(path, `has ${size - at} bytes after its last section`);
  return sections;
}

const BUFFER_BYTES = 1 << 22;

/** Writes such a file from front to back; only section lengths and `patch` go backwards. */
export class BinFileWriter {
  private readonly fd: number;
  private readonly buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  private used = 0;
  /** Bytes that left the buffer. */
  private flushed = 0;
  private start = -1;

  constructor(path: string, magic: string, sections: number) {
    this.fd = openSync(path, "w");
    this.write(Buffer.from(magic, "latin1"));
    this.u32(1);
    this.u32(sections);
  }

  get position(): number {
    return this.flushed + this.used;
  }

  begin(id: number): void {
    this.u32(id);
    this.start = this.position;
    this.write(Buffer.alloc(8));
  }

  end(): void {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(this.position - this.start - 8));
    this.patch(this.start, length);
  }

  u32(value: number): void {
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeUInt32LE(value);
    this.write(bytes);
  }

  write(bytes: Uint8Array): void {
    if (bytes.length > BUFFER_BYTES - this.used) this.flush();
    if (bytes.length > BUFFER_BYTES) this.put(bytes);
    else {
      this.buffer.set(bytes, this.used);
      this.used += bytes.length;
    }
  }

  /** Overwrites bytes already written. */
  patch(offset: number, bytes: Uint8Array): void {
    this.flush();
    for (let done = 0; done < bytes.length;)
      done += writeSync(this.fd, bytes, done, bytes.length - done, offset + done);
  }

  close(): void {
    try {
      this.flush();
    } finally {
      closeSync(this.fd);
    }
  }

  private flush(): void {
    if (this.used > 0) this.put(this.buffer.subarray(0, this.used));
    this.used = 0;
  }

  private put(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      done += writeSync(this.fd, bytes, done, bytes.length - done, this.flushed + done);
    }
    this.flushed += bytes.length;
  }
}
