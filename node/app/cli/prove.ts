// glassbox prove, glassbox verify: a claim and its proof as a file, off chain. The challenge is derived as the contract does
// it, for whatever chain, contract, request and prover are named (all zero by default: a proof about nobody's request).
import fs from "node:fs";
import { Command } from "commander";
import { claimOf } from "../../circuit/claim.ts";
import { bytesOf, challenge, hexOf, parseAddress, parseId } from "../../chain/codec.ts";
import { ZERO_HASH } from "../../chain/request.ts";
import { newSalt, privateCommitment } from "../../core/commitment.ts";
import type { Address, Hex, ModelId } from "../../core/domain.ts";
import { NodeError } from "../../core/errors.ts";
import { R } from "../../core/field.ts";
import { fingerprint, wordsOfBytes } from "../../core/tensor.ts";
import { readOpening, writeOpening } from "../../private/opening.ts";
import { loadPackage } from "../../proof/package.ts";
import { openProver } from "../../proof/prover.ts";
import { verifyProof } from "../../proof/verify.ts";
import { proofFromSnarkjs, proofToSnarkjs } from "../../proof/vkey.ts";
import { inputOf, openModel } from "../model.ts";
import { duration } from "../terminal.ts";
import { action, toJson, withExamples } from "./context.ts";
import { realsOf, sayReals } from "./show.ts";

interface About {
  readonly chainId: string;
  readonly contract: Address;
  readonly request: Hex;
  readonly model: ModelId;
  readonly prover: Address;
}

interface ProofFile {
  readonly format: "glassbox.proof.v1";
  readonly about: About;
  /** Not there if it is private: c is the commitment to it. */
  readonly input?: Hex;
  readonly output: Hex;
  readonly c: string;
  readonly proof: unknown;
}

const NOBODY = `0x${"0".repeat(40)}` as Address;

interface ProveOptions {
  readonly input: string;
  readonly out?: string;
  readonly opening?: string;
  readonly rapidsnark?: string;
  readonly chainId?: string;
  readonly contract?: string;
  readonly request?: string;
  readonly model?: string;
  readonly prover?: string;
}

function aboutOf(options: Partial<ProveOptions>): About {
  const { chainId = "0" } = options;
  if (!/^\d{1,78}$/.test(chainId)) {
    throw new NodeError("usage", `"${chainId}" is no chain id`, { mend: "Give a whole number, such as 1." });
  }
  return {
    chainId: BigInt(chainId).toString(),
    contract: options.contract === undefined ? NOBODY : parseAddress(options.contract),
    request: options.request === undefined ? ZERO_HASH : parseId(options.request),
    model: (options.model === undefined ? ZERO_HASH : parseId(options.model)) as ModelId,
    prover: options.prover === undefined ? NOBODY : parseAddress(options.prover),
  };
}

function challengeOf(about: About, c: bigint, input: Uint8Array | undefined, output: Uint8Array): bigint {
  return challenge("claim", { ...about, chainId: BigInt(about.chainId), c, input, output });
}

export function proveCommand(): Command {
  const command = new Command("prove")
    .description("run a package on an input and prove the answer; writes the claim with its proof")
    .argument("<package>", "the package's folder")
    .requiredOption(
      "--input <data>",
      "test.npz#7: a data file and a sample's number; or values as JSON; or 0x-hex of bytes",
    )
    .option("--out <file>", "where the proof goes (default: proof.json)")
    .option(
      "--opening <file>",
      "of a package with private input: where what opens the commitment goes (default: proof.opening.json, after --out)",
    )
    .option("--rapidsnark <prover>", "rapidsnark's prover binary, instead of the built-in one")
    .option("--chain-id <n>", "of the claim; with the following four as in docs/claim.md; all zero if not given")
    .option("--contract <address>", "the coordinator")
    .option("--request <id>", "the request")
    .option("--model <id>", "the model")
    .option("--prover <address>", "who is paid");
  withExamples(command, [
    "prove packages/digits-cnn --input models/digits-cnn/test.npz#7 --out proof.json",
    `prove packages/loan --input '{"income": [2.5], "history": [[0, 1, 3]]}'`,
  ]);
  return command.action(
    action(async (context, folder: string, options: ProveOptions) => {
      const about = aboutOf(options);
      const model = await context.step("load the package", (call) =>
        openModel(context.path(folder), { keys: true, ...call }),
      );
      const prover = await openProver(options);
      try {
        const bytes = await inputOf(model.inputs, options.input, context.path);
        const out = context.path(options.out ?? "proof.json");
        const opening = context.path(options.opening ?? out.replace(/(\.json)?$/, ".opening.json"));
        const salt = model.claim === "private-input" ? newSalt() : undefined;
        if (salt !== undefined) writeOpening(opening, { salt, input: bytes }); // without it the proof is of an unknown input
        const shown = salt === undefined ? bytes : undefined;
        const answer = await context.step(
          "prove",
          (call) =>
            model.prove(prover, bytes, (c, output) => challengeOf(about, c, shown, output), {
              ...call,
              ...(salt !== undefined && { salt }),
            }),
          ({ witnessMs, proveMs }) =>
            `witness ${duration(witnessMs)}, proof ${duration(proveMs)} (${prover.name}), verified`,
        );
        const file: ProofFile = {
          format: "glassbox.proof.v1",
          about,
          ...(shown && { input: hexOf(shown) }),
          output: hexOf(answer.output),
          c: answer.signals.c.toString(),
          proof: proofToSnarkjs(answer.proof),
        };
        fs.writeFileSync(out, `${toJson(file)}\n`);
        const reals = realsOf(model.outputs, answer.output);
        context.report({ ...file, outputs: reals, file: out }, (say) => {
          sayReals(reals, say);
          say(`proof   ${out}`);
          if (salt !== undefined) say(`opening ${opening}`);
        });
      } finally {
        await prover.close();
        await model.close();
      }
    }),
  );
}

function readProofFile(file: string): ProofFile {
  const wrong = (cause?: unknown): NodeError =>
    new NodeError("input", `${file} is no proof that \`glassbox prove\` wrote`, {
      mend: "Give the file that it named.",
      cause,
    });
  let json: Partial<Record<keyof ProofFile, unknown>> | null;
  try {
    if (fs.statSync(file).size > 2 ** 24) throw wrong();
    json = JSON.parse(fs.readFileSync(file, "utf8")) as typeof json;
  } catch (cause) {
    throw wrong(cause);
  }
  const isHex = (text: unknown): text is Hex => typeof text === "string" && /^0x([0-9a-f]{2})+$/.test(text);
  const { format, about, input, output, c, proof } = json ?? {};
  if (format !== "glassbox.proof.v1" || (input !== undefined && !isHex(input)) || !isHex(output)) throw wrong();
  if (typeof c !== "string" || !/^\d{1,78}$/.test(c) || typeof about !== "object" || about === null) throw wrong();
  const { chainId } = about as Partial<About>;
  if (typeof chainId !== "string" || !/^\d{1,78}$/.test(chainId)) throw wrong();
  return { format, about: aboutOf(about), ...(input !== undefined && { input }), output, c, proof };
}

export function verifyCommand(): Command {
  const command = new Command("verify")
    .description(
      "check a proof file against a package's key: c, r and v are computed here from the bytes; exit code 5 if it does not hold",
    )
    .argument("<package>", "the package's folder")
    .argument("<proof.json>", "as written by `glassbox prove`")
    .option("--opening <file>", "what opens a private input's commitment, to see that the proof is about that input");
  withExamples(command, [
    "verify packages/digits-cnn proof.json",
    "verify packages/risk proof.json --opening proof.opening.json",
  ]);
  return command.action(
    action(async (context, folder: string, proofPath: string, options: { readonly opening?: string }) => {
      const { vkey, manifest } = await context.step("load the package", (call) =>
        loadPackage(context.path(folder), { keys: true, ...call }),
      );
      const file = readProofFile(context.path(proofPath));
      const secret = manifest.choices.claim === "private-input";
      if (secret !== (file.input === undefined)) {
        throw new NodeError("input", `a proof of this package ${secret ? "shows no" : "shows its"} input`, {
          mend: "Give the package that the proof was made with.",
        });
      }
      const [input, output, c] = [file.input && bytesOf(file.input), bytesOf(file.output), BigInt(file.c)];
      const opening = options.opening === undefined ? undefined : readOpening(context.path(options.opening));
      const r = challengeOf(file.about, c, input, output);
      const opened = opening === undefined || privateCommitment(opening.salt, opening.input) === c;
      const own = input === undefined ? { c, v: fingerprint(wordsOfBytes(output), r, R) } : claimOf(input, output, r);
      const holds =
        vkey !== undefined &&
        own.c === c &&
        opened &&
        (await verifyProof(vkey, { c, v: own.v, r }, proofFromSnarkjs(file.proof)));
      if (!holds) {
        throw new NodeError("integrity", "the proof does not hold for this package and these bytes", {
          mend: "Compare the package's manifest digest with the prover's; an altered byte of input, output or proof shows here.",
        });
      }
      const outputs = realsOf(manifest.outputs, output);
      const { about, input: shown, output: answered } = file;
      context.report({ holds, about, ...(shown && { input: shown }), output: answered, outputs }, (say) => {
        say(`the proof holds: ${manifest.name} answers`);
        if (secret) say(`its input is private${opening === undefined ? "" : ", and is the one of the opening"}`);
        sayReals(outputs, say);
        if (manifest.key?.kind === "development")
          say("the key is a development key: anyone could have forged this proof");
      });
    }),
  );
}
