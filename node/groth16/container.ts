// iden3's container of numbered sections, the shape of .r1cs, .zkey, .ptau and .wtns files: magic, version, count, then
// (id, length, bytes) each. Reads the table only; knows nothing of what a section holds. Files are written by proof/binfile.ts.
import { type ByteSource, malformed } from "./source.ts";

export interface Section {
  readonly offset: number;
  readonly size: number;
}

export interface Container {
  /** What messages call it. */
  readonly name: string;
  readonly size: number;
  /** Exactly `length` bytes at `offset` of the whole; to be read only. @throws NodeError "input" if it ends before */
  read(offset: number, length: number): Uint8Array;
  /** The one section `id`. @throws NodeError "input" if there is none */
  section(id: number): Section;
  has(id: number): boolean;
}

const MAX_SECTIONS = 64;

/** @throws NodeError "input" if this is no such container, is truncated, repeats a section or has bytes to spare. */
export function readContainer(source: ByteSource, magic: string, maxVersion: number): Container {
  const { name, size } = source;
  const sections = tableOf(source, magic, maxVersion);
  const section = (id: number): Section => {
    const found = sections.get(id);
    if (found === undefined) throw malformed(name, `has no section ${id}`);
    return found;
  };
  return { name, size, read: source.read, section, has: (id) => sections.has(id) };
}

/** Little-endian numbers of `bytes`. */
export function numbersOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function tableOf({ name, size, read }: ByteSource, magic: string, maxVersion: number): Map<number, Section> {
  if (size < 12) throw malformed(name, `truncated: ${size} bytes are too few for a .${magic} file`);
  const start = read(0, 12);
  if (String.fromCharCode(...start.subarray(0, 4)) !== magic) {
    throw malformed(name, `is not a .${magic} file (wrong first four bytes)`);
  }
  const head = numbersOf(start);
  const version = head.getUint32(4, true);
  if (version < 1 || version > maxVersion) throw malformed(name, `version ${version} of .${magic} is not known here`);
  const count = head.getUint32(8, true);
  if (count > MAX_SECTIONS) throw malformed(name, `claims ${count} sections`);
  const sections = new Map<number, Section>();
  let at = 12;
  for (let i = 0; i < count; i++) {
    if (at + 12 > size) throw malformed(name, `truncated: ends before section ${i + 1} of ${count}`);
    const entry = numbersOf(read(at, 12));
    const id = entry.getUint32(0, true);
    const length = Number(entry.getBigUint64(4, true));
    at += 12;
    if (length > size - at) {
      throw malformed(name, `truncated: section ${id} claims ${length} bytes and ${size - at} are left`);
    }
    if (sections.has(id)) throw malformed(name, `repeats section ${id}`);
    sections.set(id, { offset: at, size: length });
    at += length;
  }
  if (at !== size) throw malformed(name, `has ${size - at} bytes after its last section`);
  return sections;
}
