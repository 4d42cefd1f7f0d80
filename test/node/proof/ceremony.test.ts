// Ceremonies: our start is snarkjs' byte for byte, contributions go both ways, and every wrong file is refused by name.
import { expect } from "chai";
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import * as snarkjs from "snarkjs";
import { R } from "../../../node/core/field.ts";
import * as ceremony from "../../../node/proof/ceremony.ts";
import { hashFile, sha256, sha256File } from "../../../node/proof/files.ts";
import { openProver } from "../../../node/proof/prover.ts";
import { openPtau } from "../../../node/proof/ptau.ts";
import { binFile, r1csBytes, type Row, sectionsOf, smallCircuit } from "../../support/circuits-small.ts";
import { endSnarkjsThreads, groth16Threads, refusalOf, smallKey, workFolder, writePtau } from "../../support/keys.ts";

const BEACON = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20";

describe("a ceremony", function () {
  this.timeout(60_000);
  const folder = workFolder();
  const { at } = folder;
  const ptau = at("tau.ptau");
  const r1cs = at("small.r1cs");

  before(async () => {
    await writePtau(ptau, 8);
    await smallKey(folder.path, { padding: 40 });
  });
  after(async () => {
    await endSnarkjsThreads();
    folder.remove();
  });

  for (const padding of [0, 40, 200]) {
    it(`starts as \`snarkjs zkey new\` does, byte for byte (${padding} bits more)`, async () => {
      const circuit = at(`start${padding}.r1cs`);
      writeFileSync(circuit, r1csBytes(smallCircuit({ padding }).circuit));
      const hash = await snarkjs.zKey.newZKey(circuit, ptau, at("theirs.zkey"));
      const started = await ceremony.start({ r1cs: circuit, ptau, zkey: at("ours.zkey") });
      expect(readFileSync(at("ours.zkey")).equals(readFileSync(at("theirs.zkey")))).to.equal(true);
      expect(started.circuitHash).to.equal(Buffer.from(hash as Uint8Array).toString("hex"));
      expect(started.ptauDigest).to.equal(await hashFile(ptau, "blake2b512"));
    });
  }

  it("starts as snarkjs does with a wire in very many rows and a .ptau of just the circuit's power, on 1 and 3 threads", async () => {
    // From a domain of 2^15 on, snarkjs hashes what lies behind the .ptau's first section of points.
    const n = 2 ** 15;
    const grown = (id: number, size: number, bytes: Buffer): { readonly id: number; readonly bytes: Buffer } => {
      const all = Buffer.alloc(size);
      for (let at = 0; at < size; at += bytes.length) bytes.copy(all, at);
      return { id, bytes: all };
    };
    const points: Readonly<Record<number, number>> = { 2: 2 * n - 1, 3: n, 4: n, 5: n, 12: 4 * n - 1, 13: 2 * n - 1 };
    const sections = sectionsOf(readFileSync(ptau)).map(({ id, bytes }) => {
      if (id === 1) bytes.writeUInt32LE(15, 36);
      if (id < 2 || id === 6 || id === 7) return { id, bytes };
      return grown(id, (id === 3 || id === 13 ? 128 : 64) * (points[id] ?? 2 * n - 1), bytes);
    });
    writeFileSync(at("large.ptau"), binFile("ptau", 1, sections));
    const rows = Array.from({ length: n / 2 + 100 }, (_, i): Row => [
      [
        [0, (i % 7) - 3],
        [4 + (i % 8), 1],
      ],
      [[0, i % 500 === 0 ? R / 3n + BigInt(i) : 1]],
      [
        [0, i],
        [3, 1],
      ],
    ]);
    const circuit = at("large.r1cs");
    writeFileSync(circuit, r1csBytes({ wires: 16, outputs: 2, publicInputs: 1, privateInputs: 12, rows }));
    const hash = await snarkjs.zKey.newZKey(circuit, at("large.ptau"), at("theirs.zkey"));
    for (const threads of [1, 3]) {
      const started = await ceremony.start({ r1cs: circuit, ptau: at("large.ptau"), zkey: at("ours.zkey"), threads });
      expect(readFileSync(at("ours.zkey")).equals(readFileSync(at("theirs.zkey")))).to.equal(true);
      expect(started.circuitHash).to.equal(Buffer.from(hash as Uint8Array).toString("hex"));
    }
  });

  it("stops its start on an abort, ends the threads and leaves no file", async () => {
    const circuit = at("long.r1cs");
    writeFileSync(circuit, r1csBytes(smallCircuit({ padding: 200 }).circuit));
    const stop = new AbortController();
    let heard = 0;
    const refusal = await refusalOf(() =>
      ceremony.start({
        r1cs: circuit,
        ptau,
        zkey: at("stopped.zkey"),
        signal: stop.signal,
        onProgress: ({ what, done }) => {
          expect(done).to.be.at.most(4 * 300 + 256);
          if (what !== "starting the ceremony's key") return;
          heard++;
          stop.abort();
        },
      }),
    );
    expect([refusal.code, heard]).to.deep.equal(["aborted", 1]);
    while (groth16Threads() > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(readdirSync(folder.path).filter((name) => name.startsWith("stopped"))).to.deep.equal([]);
  });

  it("takes a .ptau that snarkjs made from nothing", async () => {
    const curve = await (
      snarkjs as unknown as { curves: { getCurveFromName(name: string): Promise<unknown> } }
    ).curves.getCurveFromName("bn128");
    await snarkjs.powersOfTau.newAccumulator(curve, 5, at("p0.ptau"));
    await snarkjs.powersOfTau.contribute(at("p0.ptau"), at("p1.ptau"), "somebody", "entropy");
    await snarkjs.powersOfTau.preparePhase2(at("p1.ptau"), at("p2.ptau"));
    const circuit = at("tiny.r1cs");
    writeFileSync(circuit, r1csBytes(smallCircuit({ padding: 8 }).circuit));
    await snarkjs.zKey.newZKey(circuit, at("p2.ptau"), at("theirs.zkey"));
    await ceremony.start({ r1cs: circuit, ptau: at("p2.ptau"), zkey: at("ours.zkey") });
    expect(readFileSync(at("ours.zkey")).equals(readFileSync(at("theirs.zkey")))).to.equal(true);
    const refusal = await refusalOf(() => ceremony.start({ r1cs: circuit, ptau: at("p1.ptau"), zkey: at("x.zkey") }));
    expect(refusal.message).to.match(/not prepared for phase 2/);
  });

  it("started here goes through snarkjs and us to a key that proves", async () => {
    await ceremony.start({ r1cs, ptau, zkey: at("a0.zkey") });
    const theirs = await snarkjs.zKey.contribute(at("a0.zkey"), at("a1.zkey"), "Alice", "her entropy");
    const ours = await ceremony.contribute({
      from: at("a1.zkey"),
      to: at("a2.zkey"),
      name: "Bob",
      entropy: Buffer.from("his entropy"),
    });
    const end = await snarkjs.zKey.beacon(at("a2.zkey"), at("a3.zkey"), "block", BEACON, 10);
    expect(await snarkjs.zKey.verifyFromR1cs(r1cs, ptau, at("a3.zkey"))).to.equal(true);

    const verified = await ceremony.verify({ r1cs, ptau, zkey: at("a3.zkey") });
    const hex = (bytes: Uint8Array | false): string => Buffer.from(bytes as Uint8Array).toString("hex");
    expect(verified.contributions).to.deep.equal([
      { kind: "contribution", name: "Alice", hash: hex(theirs) },
      { kind: "contribution", name: "Bob", hash: ours },
      { kind: "beacon", name: "block", hash: hex(end), beacon: { hash: BEACON, iterations: 10 } },
    ]);

    const digest = await hashFile(ptau, "blake2b512");
    const done = await ceremony.finish({ r1cs, ptau, ptauDigest: digest, zkey: at("a3.zkey") });
    expect(done.digest).to.equal(sha256(done.transcript));
    const transcript = JSON.parse(done.transcript) as {
      readonly contributions: unknown;
      readonly circuit: { readonly sha256: string };
      readonly key: { readonly zkey: string };
      readonly ptau: { readonly blake2b512: string };
    };
    expect(transcript.contributions).to.deep.equal(JSON.parse(JSON.stringify(verified.contributions)));
    expect(transcript.circuit.sha256).to.equal(await sha256File(r1cs));
    expect(transcript.key.zkey).to.equal(await sha256File(at("a3.zkey")));
    expect(transcript.ptau.blake2b512).to.equal(digest);

    const small = await smallKey(folder.path, { padding: 40 });
    const prover = await openProver();
    const { signals } = await prover.prove({ zkey: at("a3.zkey"), wtns: small.witness(3n, 10n) });
    await prover.close();
    expect(signals).to.deep.equal({ c: 32n, v: 39n, r: 10n });
  });

  it("started by snarkjs goes on here", async () => {
    await snarkjs.zKey.newZKey(r1cs, ptau, at("b0.zkey"));
    await ceremony.contribute({ from: at("b0.zkey"), to: at("b1.zkey"), name: "Bob" });
    await snarkjs.zKey.contribute(at("b1.zkey"), at("b2.zkey"), "Carol", "her entropy");
    await ceremony.beacon({
      from: at("b2.zkey"),
      to: at("b3.zkey"),
      name: "block",
      beacon: `0x${BEACON}`,
      iterations: 10,
    });
    expect(await snarkjs.zKey.verifyFromR1cs(r1cs, ptau, at("b3.zkey"))).to.equal(true);
    expect((await ceremony.verify({ r1cs, ptau, zkey: at("b3.zkey") })).contributions).to.have.length(3);
  });

  describe("refuses", () => {
    const finish = (zkey: string) => ceremony.finish({ r1cs, ptau, zkey });
    const verify = (zkey: string) => ceremony.verify({ r1cs, ptau, zkey });
    const rejects = async (act: () => unknown, code: string, pattern: RegExp): Promise<void> => {
      const refusal = await refusalOf(act);
      expect(refusal.message).to.match(pattern);
      expect(refusal.code).to.equal(code);
    };

    before(async () => {
      await ceremony.start({ r1cs, ptau, zkey: at("c0.zkey") });
      await ceremony.contribute({ from: at("c0.zkey"), to: at("c1.zkey"), name: "Bob" });
      await ceremony.beacon({ from: at("c1.zkey"), to: at("c2.zkey"), name: "end", beacon: BEACON, iterations: 10 });
    });

    it("to finish without a contribution: gamma equals delta", async () => {
      expect((await verify(at("c0.zkey"))).contributions).to.deep.equal([]);
      await rejects(() => finish(at("c0.zkey")), "integrity", /gamma equals delta/);
    });

    it("to finish on a beacon alone, or without one at the end", async () => {
      await ceremony.beacon({ from: at("c0.zkey"), to: at("d1.zkey"), name: "end", beacon: BEACON, iterations: 10 });
      await rejects(() => finish(at("d1.zkey")), "integrity", /nobody contributed/);
      await rejects(() => finish(at("c1.zkey")), "integrity", /does not end with a beacon/);
      await ceremony.contribute({ from: at("c2.zkey"), to: at("d2.zkey"), name: "late" });
      await rejects(() => finish(at("d2.zkey")), "integrity", /does not end with a beacon/);
      expect((await finish(at("c2.zkey"))).digest).to.match(/^[0-9a-f]{64}$/);
    });

    it("a contribution to another circuit, of equal size", async () => {
      const other = at("other.r1cs");
      writeFileSync(other, r1csBytes(smallCircuit({ padding: 40, k: 1 }).circuit));
      await ceremony.start({ r1cs: other, ptau, zkey: at("e0.zkey") });
      await ceremony.contribute({ from: at("e0.zkey"), to: at("e1.zkey"), name: "Bob" });
      await rejects(() => verify(at("e1.zkey")), "integrity", /another circuit/);
      // Its circuit hash forged to ours: the points give it away.
      const forged = Buffer.from(readFileSync(at("e1.zkey")));
      const hashOf = (zkey: Buffer): Buffer => (sectionsOf(zkey).at(-1) as { bytes: Buffer }).bytes.subarray(0, 64);
      hashOf(readFileSync(at("c1.zkey"))).copy(forged, forged.indexOf(hashOf(forged)));
      writeFileSync(at("e2.zkey"), forged);
      await rejects(() => verify(at("e2.zkey")), "integrity", /not the outcome of this ceremony/);
    });

    it("a key with a point, a coefficient or a contribution changed", async () => {
      const sections = sectionsOf(readFileSync(at("c2.zkey")));
      const swap = (id: number, from: number, to: number, length: number): Buffer =>
        binFile(
          "zkey",
          1,
          sections.map((section) => {
            if (section.id !== id) return section;
            const bytes = Buffer.from(section.bytes);
            section.bytes.copy(bytes, from, to, to + length);
            section.bytes.copy(bytes, to, from, from + length);
            return { id, bytes };
          }),
        );
      const cases: readonly (readonly [string, Buffer])[] = [
        ["IC", swap(3, 0, 64, 64)],
        ["terms", swap(4, 4 + 12, 4 + 44 * 7 + 12, 32)],
        ["A", swap(5, 64 * 4, 64 * 5, 64)],
        ["B2", swap(7, 128 * 4, 128 * 8, 128)],
        ["C", swap(8, 0, 64, 64)],
        ["H", swap(9, 0, 64, 64)],
        ["transcript", swap(10, 68, 68 + 64, 64)],
      ];
      for (const [name, bytes] of cases) {
        expect(bytes.equals(readFileSync(at("c2.zkey"))), name).to.equal(false);
        writeFileSync(at("f.zkey"), bytes);
        await rejects(() => verify(at("f.zkey")), "integrity", /not the outcome of this ceremony/);
      }
      copyFileSync(at("c2.zkey"), at("f.zkey"));
      await verify(at("f.zkey"));
    });

    it("a development key, in every step", async () => {
      const { zkey } = await smallKey(folder.path, { padding: 40, name: "development" });
      const to = at("g.zkey");
      await rejects(() => ceremony.contribute({ from: zkey, to, name: "Bob" }), "integrity", /development key/);
      await rejects(
        () => ceremony.beacon({ from: zkey, to, name: "end", beacon: BEACON, iterations: 10 }),
        "integrity",
        /development key/,
      );
      await rejects(() => verify(zkey), "integrity", /development key/);
      await rejects(() => finish(zkey), "integrity", /development key/);
    });

    it("a contribution without a name, onto its own file, or from a damaged one", async () => {
      const step = { from: at("c0.zkey"), to: at("h.zkey"), name: "Bob" };
      for (const name of ["", "x".repeat(65), "line\nbreak", "\u0007"]) {
        await rejects(() => ceremony.contribute({ ...step, name }), "usage", /printable characters/);
      }
      await rejects(() => ceremony.contribute({ ...step, to: step.from }), "usage", /new file/);
      writeFileSync(at("cut.zkey"), readFileSync(step.from).subarray(0, -1));
      await rejects(() => ceremony.contribute({ ...step, from: at("cut.zkey") }), "input", /truncated/);
      expect(existsSync(step.to)).to.equal(false);
    });

    it("a beacon that is short, not hex, or hashed too rarely or too often", async () => {
      const step = { from: at("c1.zkey"), to: at("h.zkey"), name: "end", beacon: BEACON, iterations: 10 };
      for (const beacon of ["", "00".repeat(15), "00".repeat(65), "0g".repeat(16), "0".repeat(33)]) {
        await rejects(() => ceremony.beacon({ ...step, beacon }), "usage", /16 to 64 bytes in hex/);
      }
      for (const iterations of [9, 27, 10.5, Number.NaN]) {
        await rejects(() => ceremony.beacon({ ...step, iterations }), "usage", /from 10 to 26/);
      }
    });

    it("a .ptau with another digest than the published one, or with no digest at all", async () => {
      const digest = await hashFile(ptau, "blake2b512");
      const wrong = digest.replace(/^./, (first) => (first === "0" ? "1" : "0"));
      const files = { r1cs, ptau, zkey: at("i.zkey") };
      await rejects(() => ceremony.start({ ...files, ptauDigest: wrong }), "integrity", /not the file with the digest/);
      await rejects(() => ceremony.start({ ...files, ptauDigest: digest.slice(1) }), "usage", /128 hex digits/);
      await ceremony.start({ ...files, ptauDigest: digest.toUpperCase() });
    });

    it("a .ptau that is truncated, of another curve, too small, unprepared or of mixed secrets", async () => {
      const good = readFileSync(ptau);
      const sections = sectionsOf(good);
      const start = (bytes: Buffer) => {
        writeFileSync(at("bad.ptau"), bytes);
        return ceremony.start({ r1cs, ptau: at("bad.ptau"), zkey: at("j.zkey") });
      };
      const replaced = (id: number, bytes: Buffer): Buffer =>
        binFile(
          "ptau",
          1,
          sections.map((section) => (section.id === id ? { id, bytes } : section)),
        );
      const bytesOf = (id: number): Buffer => sections.find((section) => section.id === id)?.bytes as Buffer;
      await rejects(() => start(Buffer.concat([Buffer.from("zkey"), good.subarray(4)])), "input", /not a \.ptau file/);
      for (const length of [0, 11, 40, good.length >> 1, good.length - 1]) {
        await rejects(() => start(good.subarray(0, length)), "input", /truncated/);
      }
      const header = Buffer.from(bytesOf(1));
      header[4] = (header[4] as number) ^ 1;
      await rejects(() => start(replaced(1, header)), "input", /another curve/);
      header.set(bytesOf(1));
      header.writeUInt32LE(9, 36);
      await rejects(() => start(replaced(1, header)), "input", /section 2 has 32704 bytes/);
      for (const id of [12, 13, 14, 15]) {
        const some = binFile(
          "ptau",
          1,
          sections.filter((section) => section.id !== id),
        );
        await rejects(() => start(some), "input", /not prepared for phase 2/);
        await rejects(() => start(replaced(id, bytesOf(id).subarray(64))), "input", new RegExp(`section ${id} has`));
      }
      const beta = Buffer.from(bytesOf(3).subarray(0, 128));
      await rejects(() => start(replaced(6, beta)), "input", /beta differs between G1 and G2/);
      const tau = Buffer.from(bytesOf(2));
      tau.copy(tau, 64, 128, 192);
      await rejects(() => start(replaced(2, tau)), "input", /tau differs between G1 and G2/);
      tau.fill(1, 64, 128);
      await rejects(() => start(replaced(2, tau)), "input", /tau is not a point/);

      await writePtau(at("small.ptau"), 5);
      await rejects(
        () => ceremony.start({ r1cs, ptau: at("small.ptau"), zkey: at("j.zkey") }),
        "input",
        /of power 5, and the circuit needs 6/,
      );
      await writePtau(at("unprepared.ptau"), 6, { prepared: false });
      await rejects(() => openPtau(at("unprepared.ptau")), "input", /not prepared for phase 2/);
      expect(existsSync(at("j.zkey"))).to.equal(false);
    });

    it("and leaves no temporary file behind", () => {
      expect(readdirSync(folder.path).filter((name) => /\.(tmp|initial)$/.test(name))).to.deep.equal([]);
    });
  });
});
