// The start of a circuit-specific ceremony from a prepared .ptau: what `snarkjs zkey new` computes, byte for byte, with less
// work where weights are many (see columns.ts); Poseidon's full-width constants cost what they cost there. The result is
// no key to use: its delta is the generator until somebody contributes.
import { createHash, type Hash } from "node:crypto";
import type { Curve } from "ffjavascript";
import { throwIfAborted } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import { batchPlugin, type GroupName, inOrder, jacobianBytes, POINT_BYTES } from "./batches.ts";
import { BinFileWriter } from "./binfile.ts";
import { G1_BYTES, G2_BYTES, withThreads } from "./curve.ts";
import { checkPtauPoints, needPower, PREPARED, PTAU, type Ptau } from "./ptau.ts";
import { combinations, type Part, readColumns } from "./columns.ts";
import { type R1cs, yielding } from "./r1cs.ts";
import { SECTION, TermsWriter, writeHeader } from "./zkey.ts";

/** Points read at once for H. */
const PIECE = 1 << 15;

/** Writes the initial .zkey and returns its circuit hash (64 bytes), which contributions build on. */
export async function writeInitialKey(
  r1cs: R1cs,
  ptau: Ptau,
  zkey: string,
  { signal, onProgress }: LongCall = {},
): Promise<Buffer> {
  const { header } = r1cs;
  needPower(ptau, header.power);
  return withThreads(batchPlugin, async (curve) => {
    await checkPtauPoints(curve, ptau);
    const domain = 2 ** header.power;
    const hash = createHash("blake2b512");
    const out = new BinFileWriter(zkey, "zkey", 10);
    try {
      const point = (id: number, size: number): Buffer => ptau.file.read(ptau.file.section(id).offset, size);
      const points = {
        alpha1: point(PTAU.alpha1, G1_BYTES),
        beta1: point(PTAU.beta1, G1_BYTES),
        beta2: point(PTAU.beta2, G2_BYTES),
        gamma2: curve.G2.gAffine,
        delta1: curve.G1.gAffine,
        delta2: curve.G2.gAffine,
      };
      writeHeader(out, header, points);
      for (const name of ["alpha1", "beta1"] as const) hash.update(curve.G1.toUncompressed(points[name]));
      for (const name of ["beta2", "gamma2"] as const) hash.update(curve.G2.toUncompressed(points[name]));
      hash.update(curve.G1.toUncompressed(points.delta1)).update(curve.G2.toUncompressed(points.delta2));

      const pause = yielding(signal, (row) =>
        onProgress?.({ what: "reading the circuit", done: row, total: header.constraints }),
      );
      const [a, b, c] = await readColumns(r1cs, new TermsWriter(out), pause);

      const total = 4 * header.wires + domain;
      let before = 0;
      const progress = (done: number): void => {
        throwIfAborted(signal);
        onProgress?.({ what: "starting the ceremony's key", done: before + done, total });
      };
      const section = async (id: number, group: GroupName, from: number, to: number, parts: readonly Part[]) => {
        hash.update(bigEndian(to - from));
        out.begin(id);
        let done = 0;
        await inOrder(curve, combinations(curve, group, from, to, parts), ([affine, plain]) => {
          out.write(affine);
          hash.update(plain);
          done += affine.length / POINT_BYTES[group];
          progress(done);
        });
        out.end();
        before += to - from;
      };
      const lagrange = (id: number, size: number): Buffer =>
        ptau.file.read(ptau.file.section(id).offset + (domain - 1) * size, domain * size);

      const first = header.publics + 1;
      const tau1 = lagrange(PREPARED.tau1, G1_BYTES);
      const sum: readonly Part[] = [
        [a, lagrange(PREPARED.beta1, G1_BYTES)],
        [b, lagrange(PREPARED.alpha1, G1_BYTES)],
        [c, tau1],
      ];
      await section(SECTION.ic, "g1m", 0, first, sum);
      writeH(out, ptau, domain);
      await hashH(curve, hash, ptau, domain, progress);
      before += domain;
      await section(SECTION.c, "g1m", first, header.wires, sum);
      await section(SECTION.a, "g1m", 0, header.wires, [[a, tau1]]);
      await section(SECTION.b1, "g1m", 0, header.wires, [[b, tau1]]);
      await section(SECTION.b2, "g2m", 0, header.wires, [[b, lagrange(PREPARED.tau2, G2_BYTES)]]);

      const circuitHash = hash.digest();
      out.begin(SECTION.transcript);
      out.write(circuitHash);
      out.u32(0);
      out.end();
      return circuitHash;
    } finally {
      out.close();
    }
  });
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** The odd points of the next larger Lagrange basis. */
function writeH(out: BinFileWriter, ptau: Ptau, domain: number): void {
  const start = ptau.file.section(PREPARED.tau1).offset + (2 * domain - 1) * G1_BYTES;
  out.begin(SECTION.h);
  for (let from = 0; from < domain; from += PIECE) {
    const count = Math.min(PIECE, domain - from);
    const pairs = ptau.file.read(start + 2 * from * G1_BYTES, 2 * count * G1_BYTES);
    const odd = Buffer.allocUnsafe(count * G1_BYTES);
    for (let i = 0; i < count; i++) pairs.copy(odd, i * G1_BYTES, (2 * i + 1) * G1_BYTES, (2 * i + 2) * G1_BYTES);
    out.write(odd);
  }
  out.end();
}

/**
 * Hashes tau^(i + domain) - tau^i. snarkjs hashes whole chunks of 2^14 points, so that from a domain of 2^15 on it takes
 * one point more than the domain - 1 that it announces; where the .ptau has just the circuit's power, that point starts
 * behind its section. The hash names the circuit in every contribution, so it is repeated as it is.
 */
async function hashH(
  curve: Curve,
  hash: Hash,
  { file }: Ptau,
  domain: number,
  progress: (done: number) => void,
): Promise<void> {
  hash.update(bigEndian(domain - 1));
  const start = file.section(PTAU.tau1).offset;
  const chunk = Math.min(domain - 1, 1 << 14);
  function* tasks(): Generator<Promise<Uint8Array[]>> {
    for (let from = 0; from < domain - 1; from += chunk) {
      const at = (index: number): Uint8Array => new Uint8Array(file.read(start + index * G1_BYTES, chunk * G1_BYTES));
      const inPlace = [{ var: 2 }, { val: chunk }, { var: 2 }];
      yield curve.tm.queueAction([
        { cmd: "ALLOCSET", var: 0, buff: at(from + domain) },
        { cmd: "ALLOCSET", var: 1, buff: at(from) },
        { cmd: "ALLOC", var: 2, len: chunk * jacobianBytes("g1m") },
        { cmd: "CALL", fnName: "g1m_differences", params: [{ var: 0 }, { var: 1 }, { val: chunk }, { var: 2 }] },
        { cmd: "CALL", fnName: "g1m_batchToAffine", params: inPlace },
        { cmd: "CALL", fnName: "g1m_batchLEMtoU", params: inPlace },
        { cmd: "GET", out: 0, var: 2, len: chunk * G1_BYTES },
      ]);
    }
  }
  let done = 0;
  await inOrder(curve, tasks(), ([plain]) => {
    hash.update(plain as Uint8Array);
    done += chunk;
    progress(Math.min(done, domain));
  });
}
