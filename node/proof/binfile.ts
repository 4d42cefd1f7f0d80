// Files in iden3's container of numbered sections (groth16/container.ts), by path: .r1cs, .zkey and .ptau are read by offset,
// in pieces that the caller bounds, and written from front to back. Knows nothing of what a section holds.
import { closeSync, openSync, writeSync } from "node:fs";
import { type Container, readContainer } from "../groth16/container.ts";
import { malformed, pathSource } from "../groth16/source.ts";

export { malformed };

export interface BinFile extends Container {
  readonly path: string;
  /** Reads exactly `length` bytes at `offset` of the file. */
  read(offset: number, length: number): Buffer;
  close(): void;
}

/** @throws NodeError "input" if the file is no such container, is truncated, repeats a section or has bytes to spare. */
export function openBinFile(path: string, magic: string, maxVersion: number): BinFile {
  const source = pathSource(path);
  try {
    const container = readContainer(source, magic, maxVersion);
    const read = (offset: number, length: number): Buffer => {
      const bytes = source.read(offset, length);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    };
    return { ...container, path, read, close: () => source.close() };
  } catch (thrown) {
    source.close();
    throw thrown;
  }
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
