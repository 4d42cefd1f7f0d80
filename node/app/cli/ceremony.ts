// glassbox ceremony: a circuit's own phase 2, from a prepared powers-of-tau file to a key that nobody can forge for as long
// as one contributor forgot their secret. Files are snarkjs' own; every step can be done with snarkjs instead.
import fs from "node:fs";
import { Command } from "commander";
import { NodeError } from "../../core/errors.ts";
import { beacon, contribute, finish, start, verify } from "../../proof/ceremony.ts";
import { addKey } from "../../proof/package.ts";
import { action, type Context, integerOption, withExamples } from "./context.ts";

interface Files {
  readonly r1cs: string;
  readonly ptau: string;
  readonly ptauDigest?: string;
  readonly zkey: string;
}

const filesOf = (context: Context, options: Files): Files => ({
  r1cs: context.path(options.r1cs),
  ptau: context.path(options.ptau),
  zkey: context.path(options.zkey),
  ...(options.ptauDigest !== undefined && { ptauDigest: options.ptauDigest }),
});

const withFiles = (command: Command, zkey: string): Command =>
  command
    .requiredOption("--r1cs <file>", "the circuit: circuit.r1cs of the package")
    .requiredOption("--ptau <file>", "prepared powers of tau (snarkjs' phase 2 format)")
    .option("--ptau-digest <hex>", "BLAKE2b-512 that the .ptau's publisher states")
    .requiredOption("--zkey <file>", zkey);

export function ceremonyCommand(): Command {
  const ceremony = new Command("ceremony").description("make a model's proving key with several parties");

  const begin = withFiles(new Command("start").description("write the initial key"), "where the initial key goes");
  withExamples(begin, ["ceremony start --r1cs pkg/circuit.r1cs --ptau pot14.ptau --zkey 0.zkey"]);
  begin.action(
    action(async (context, options: Files) => {
      const started = await context.step("make the initial key", (call) =>
        start({ ...filesOf(context, options), ...call }),
      );
      context.report(started, (say) => {
        say(`circuit hash   ${started.circuitHash}`);
        say(`.ptau BLAKE2b  ${started.ptauDigest}`);
        say("hand the key to the first contributor");
      });
    }),
  );

  interface Chain {
    readonly name: string;
    readonly entropyFile?: string;
    readonly beacon: string;
    readonly iterations: number;
  }
  const add = new Command("contribute")
    .description("add a secret of this machine's randomness, and forget it")
    .argument("<from.zkey>")
    .argument("<to.zkey>")
    .requiredOption("--name <name>", "who contributes")
    .option("--entropy-file <file>", "bytes to mix in; - for standard input. Never on the command line");
  withExamples(add, ['ceremony contribute 0.zkey 1.zkey --name "Ada"']);
  add.action(
    action(async (context, from: string, to: string, { name, entropyFile }: Chain) => {
      const entropy =
        entropyFile === undefined
          ? {}
          : { entropy: new Uint8Array(fs.readFileSync(entropyFile === "-" ? 0 : context.path(entropyFile))) };
      const hash = await context.step("contribute", (call) =>
        contribute({ from: context.path(from), to: context.path(to), name, ...entropy, ...call }),
      );
      context.report({ contributionHash: hash }, (say) => say(`contribution hash, to publish: ${hash}`));
    }),
  );

  const end = new Command("beacon")
    .description("close with a public random value that nobody could know before")
    .argument("<from.zkey>")
    .argument("<to.zkey>")
    .requiredOption("--beacon <hex>", "such as the hash of a block announced beforehand")
    .option("--iterations <n>", "hashes of the beacon: 2^n", integerOption(10, 26), 10)
    .option("--name <name>", "of the beacon", "beacon");
  withExamples(end, [
    "ceremony beacon 2.zkey final.zkey --beacon 0x6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
  ]);
  end.action(
    action(async (context, from: string, to: string, options: Chain) => {
      const step = { from: context.path(from), to: context.path(to), name: options.name };
      const hash = await context.step("apply the beacon", (call) =>
        beacon({ ...step, beacon: options.beacon, iterations: options.iterations, ...call }),
      );
      context.report({ contributionHash: hash }, (say) => say(`contribution hash: ${hash}`));
    }),
  );

  const check = withFiles(
    new Command("verify").description("check a key against circuit and powers of tau"),
    "the key",
  );
  withExamples(check, ["ceremony verify --r1cs pkg/circuit.r1cs --ptau pot14.ptau --zkey final.zkey"]);
  check.action(
    action(async (context, options: Files) => {
      const verified = await context.step("verify", (call) => verify({ ...filesOf(context, options), ...call }));
      context.report(verified, (say) => {
        say("the key follows from circuit and powers of tau by these contributions:");
        for (const [i, { kind, name }] of verified.contributions.entries()) say(`  ${i + 1}  ${kind}  ${name}`);
      });
    }),
  );

  const close = withFiles(
    new Command("finish").description("verify, write the transcript, and put the key into a package"),
    "the final key",
  ).requiredOption("--package <folder>", "the package that gets the key");
  withExamples(close, ["ceremony finish --r1cs pkg/circuit.r1cs --ptau pot14.ptau --zkey final.zkey --package pkg"]);
  close.action(
    action(async (context, options: Files & { readonly package: string }) => {
      const files = filesOf(context, options);
      const { transcript, digest } = await context.step("verify", (call) => finish({ ...files, ...call }));
      const pack = await addKey(context.path(options.package), { kind: "ceremony", zkey: files.zkey, transcript });
      if (pack.manifest.key?.kind !== "ceremony") throw new NodeError("internal", "the package did not take the key");
      context.report({ transcriptDigest: digest, manifestDigest: pack.digest }, (say) => {
        say(`transcript  ${digest}`);
        say(`manifest    ${pack.digest}`);
      });
    }),
  );

  for (const command of [begin, add, end, check, close]) ceremony.addCommand(command);
  return ceremony;
}
