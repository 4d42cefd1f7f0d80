// glassbox audit: checks one answer again, from the chain and from the model's package, and answers the three questions.
import fs from "node:fs";
import { Command } from "commander";
import { type AuditOptions, type AuditReport, audit, type Question, QUESTIONS } from "../../audit/audit.ts";
import { hexOf, parseId } from "../../chain/codec.ts";
import type { RequestId } from "../../core/domain.ts";
import { EXIT_CODES, NodeError } from "../../core/errors.ts";
import type { LongCall } from "../../core/ports.ts";
import type { BorderTensor } from "../../core/tensor.ts";
import type { Specs } from "../../model/border.ts";
import { parseRandom } from "../../model/dataset.ts";
import { readOpening } from "../../private/opening.ts";
import { sha256 } from "../../proof/files.ts";
import type { ModelPackage } from "../../proof/package.ts";
import { digestOf } from "../calibration.ts";
import { fetchBytes, IPFS_GATEWAY } from "../fetch.ts";
import { prepareModel, type StepRunner } from "../compile.ts";
import { type ChainOptions, openClient, withChain } from "./chain.ts";
import { action, integerOption, withExamples } from "./context.ts";

interface Options extends ChainOptions {
  readonly package?: string;
  readonly calibration?: string;
  readonly statement?: string;
  readonly opening?: string;
}

/**
 * Quantizes a package's source again, by what its manifest says and with the calibration data that it names by digest: those
 * given; or drawn again, where they were random.
 */
export function requantizer(
  given: string | undefined,
): (model: ModelPackage, call: LongCall) => Promise<string | undefined> {
  return async (model, call) => {
    const { calibration: recorded, choices } = model.manifest;
    const calibration = given ?? (parseRandom(recorded.from) === undefined ? undefined : recorded.from);
    if (calibration === undefined) return undefined;
    const { signal = new AbortController().signal, onProgress = () => undefined } = call;
    const step: StepRunner = (_name, work) => work({ signal, onProgress });
    const [inputs, outputs] = [byName(model.manifest.inputs), byName(model.manifest.outputs)];
    const declared = { inputs, outputs, inputRanges: recorded.ranges, ...choices };
    const again = await prepareModel({ source: model.path("source"), calibration, ...declared }, step);
    if (digestOf(again.calibration) !== recorded.sha256) {
      throw new NodeError("input", "the calibration data is not what the manifest names", {
        mend: "Give the publisher's calibration file.",
      });
    }
    return sha256(again.quantized.onnx);
  };
}

const byName = (borders: readonly BorderTensor[]): Specs<BorderTensor> =>
  Object.fromEntries(borders.map((border) => [border.name, border]));

export function showAudit(report: AuditReport, say: (line?: string) => void): void {
  const marks = { ok: "ok", failed: "FAILED", absent: "-" } as const;
  for (const [question, text] of Object.entries(QUESTIONS) as [Question, string][]) {
    say(text);
    say(`  ${report.answers[question]}`);
    for (const { name, outcome, detail } of report.checks.filter((c) => c.question === question)) {
      say(`    ${marks[outcome].padEnd(7)} ${name}: ${detail}`);
    }
  }
  say(report.passed ? "audit passed: every check that was done holds" : "AUDIT FAILED");
}

/** What a request refers to, from the public internet alone. */
const fetchInput: NonNullable<AuditOptions["fetchInput"]> = ({ input }, maxBytes, { signal }) =>
  fetchBytes(Buffer.from(input).toString("utf8"), {
    schemes: ["https", "ipfs", "data"],
    ipfsGateway: IPFS_GATEWAY,
    allowPrivate: false,
    timeoutMs: 20_000,
    maxBytes,
    signal: signal ?? new AbortController().signal,
  });

export function auditCommand(): Command {
  const command = new Command("audit")
    .description("check an answer again by yourself; exit code 5 if anything does not hold")
    .argument("<request>", "the request's id")
    .option("--package <folder>", "the model's package, to derive circuit and key and to run the model again")
    .option("--calibration <data>", "the publisher's calibration data, to do the quantization again")
    .option("--statement <file>", "the prover's environment statement (environment.json of its data folder)")
    .option("--opening <file>", "what opens a private input's commitment, if the requester showed it to you")
    .option("--from-block <n>", "first block to search for the request", integerOption(0));
  withExamples(withChain(command), [
    "audit 0x9c...",
    "audit 0x9c... --package packages/risk --opening opening.json",
    "audit 0x9c... --package packages/digits-cnn --calibration models/digits-cnn/calibration.npz",
  ]);
  return command.action(
    action(async (context, request: string, options: Options) => {
      const { client, fromBlock } = await openClient(context, options);
      const { calibration, package: folder, statement, opening } = options;
      const data =
        calibration === undefined || /^random(:|$)/.test(calibration) ? calibration : context.path(calibration);
      const report = await context.step("audit", (call) =>
        audit({
          client,
          request: parseId(request) as RequestId,
          fromBlock,
          ...(folder !== undefined && { folder: context.path(folder) }),
          requantize: requantizer(data),
          fetchInput,
          ...(opening !== undefined && { opening: readOpening(context.path(opening)) }),
          ...(statement !== undefined && { statement: fs.readFileSync(context.path(statement), "utf8") }),
          ...call,
        }),
      );
      const { asked, result, record, origin, ...rest } = report;
      const plain = {
        ...rest,
        asked: { ...asked, input: hexOf(asked.input) },
        record: { ...record, tensors: hexOf(record.tensors) },
        ...(origin && { origin: { ...origin, query: hexOf(origin.query) } }),
        output: hexOf(result.output),
        prover: result.prover,
      };
      context.report(plain, (say) => showAudit(report, say));
      return report.passed ? 0 : EXIT_CODES.integrity;
    }),
  );
}
