// Loads external tensor data: files named by the model, allowed only inside the model's own folder. Each length is
// checked against the tensor's shape before anything is allocated. Relies on the file system.
import fs from "node:fs/promises";
import path from "node:path";
import { constants } from "node:fs";
import { rawLength, tensorTitle } from "./constant.ts";
import type { Entry, Model, Tensor } from "./gen/onnx_pb.ts";
import { malformed, quote, TOO_LARGE, unsupported } from "./problems.ts";

const DEFAULT = 0;
const EXTERNAL = 1;

interface Place {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

function numberOf(text: string | undefined, fallback: number, what: string): number {
  if (text === undefined) return fallback;
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : NaN;
  if (Number.isNaN(value)) malformed(`${what} is ${quote(text)}, not a number of bytes`);
  return value;
}

function placeOf(tensor: Tensor): Place {
  const what = tensorTitle(tensor);
  const entries = new Map(tensor.externalData.map((entry: Entry) => [entry.key, entry.value]));
  for (const key of entries.keys()) {
    if (!["location", "offset", "length", "checksum"].includes(key)) {
      unsupported(`${what} has external data with the unknown key ${quote(key)}`, "Save the model again.");
    }
  }
  const location = entries.get("location") ?? "";
  const parts = location.split(/[/\\]/);
  if (location === "" || /^[/\\]|^[a-z]:|\0/i.test(location) || parts.includes("..")) {
    malformed(
      `${what} is stored in ${quote(location)}, outside the model's folder`,
      "Put the data file beside the model and save the model again.",
    );
  }
  const expected = rawLength(tensor, what);
  const length = numberOf(entries.get("length"), expected, `${what}: the length of its external data`);
  if (length !== expected) malformed(`${what} has ${length} bytes of external data where its shape needs ${expected}`);
  return { location, offset: numberOf(entries.get("offset"), 0, `${what}: the offset of its external data`), length };
}

async function load(folder: string, place: Place, what: string): Promise<Uint8Array> {
  const root = await fs.realpath(folder);
  const missing = (): never =>
    malformed(
      `${what} is stored in ${quote(place.location)}, which is not a readable file in the model's folder`,
      "Copy the data file along with the model.",
    );
  const file = await fs.realpath(path.join(root, place.location)).catch(missing);
  if (!file.startsWith(root.endsWith(path.sep) ? root : root + path.sep)) {
    malformed(`${what} is stored in ${quote(place.location)}, a link that leads outside the model's folder`);
  }
  // Resolved already, so a link met here was put there in between. Not blocking: it may be a pipe.
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  const handle = await fs.open(file, flags).catch(missing);
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) missing();
    if (place.offset + place.length > stat.size) {
      malformed(
        `${what} needs bytes ${place.offset} to ${place.offset + place.length} of ${quote(place.location)}, which has ${stat.size}`,
      );
    }
    const bytes = new Uint8Array(place.length);
    const { bytesRead } = await handle.read(bytes, 0, place.length, place.offset);
    if (bytesRead !== place.length) malformed(`${quote(place.location)} was cut short while it was read`);
    return bytes;
  } finally {
    await handle.close();
  }
}

/**
 * Puts the external data of initializers and Constant nodes into their raw_data, in place.
 * @throws Refusal of the first tensor that does not load; `maxBytes` bounds what is read in all
 */
export async function attachExternal(model: Model, folder: string | undefined, maxBytes: number): Promise<void> {
  const attributes = model.graph?.node.flatMap((node) => node.attribute.flatMap((a) => a.t ?? [])) ?? [];
  const tensors = [...(model.graph?.initializer ?? []), ...attributes].filter((t) => t.dataLocation === EXTERNAL);
  let total = 0;
  for (const tensor of tensors) {
    const what = tensorTitle(tensor);
    const place = placeOf(tensor);
    if (folder === undefined) {
      unsupported(
        `${what} is stored outside the model file, in ${quote(place.location)}, and only a single file is read here`,
        "Save the model with its weights inside: onnx.save(onnx.load(file), file).",
      );
    }
    total += place.length;
    if (total > maxBytes) unsupported(`external data is more than ${maxBytes} bytes in all`, TOO_LARGE);
    if (tensor.rawData.length > 0) malformed(`${what} has both external and raw data`);
    tensor.rawData = place.length === 0 ? new Uint8Array() : await load(folder, place, what);
    tensor.dataLocation = DEFAULT;
  }
}
