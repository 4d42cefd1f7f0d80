// The race of provers as a part of bench/README.md, from the results alone.
import type { NotMeasured, Peak, Stamp } from "../results.ts";
import { bytes, count, plain, seconds, spreadText, table } from "../text.ts";
import {
  figuresOf,
  type ProverFigures,
  type ProverName,
  type ProverResults,
  PROVERS,
  type Proving,
  type Race,
  timesFaster,
} from "./results.ts";

const NAMES: Readonly<Record<ProverName, string>> = {
  wasm: "Glassbox (WebAssembly)",
  snarkjs: "snarkjs",
  rapidsnark: "rapidsnark (native)",
};

export function stampText({ machine, date, commit, runs, load }: Stamp): string {
  const tools = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return `- Machine: ${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 1e9).toFixed(0)} GB; ${machine.system}; Node ${machine.node}; ${tools.join(", ")}
- Measured ${date.slice(0, 10)} at commit ${commit}, ${runs} runs; load average ${load.before.toFixed(2)} before, ${load.after.toFixed(2)} after`;
}

export function proversPart(results: ProverResults): string {
  const { races } = results;
  const raced = races.filter(({ reason }) => reason === undefined);
  return `## Provers

The same key and witness through each prover, in turns, on one machine in one run. Medians, least and most in brackets. The
circuits of 2^12 to 2^21 fill their domains, with witnesses of full-size field elements, which is the worst case; the networks'
witnesses are mostly small numbers. Every proof was verified.

${stampText(results)}

${table(["circuit", "prover", "warm", "cpu", "times as fast", "fresh process", "cpu", "peak, warm", "peak, fresh"], raced.flatMap(rows))}
${notes(races)}
Phases of a warm proof, in seconds:

${PROVERS.map((prover) => phases(raced, prover))
  .filter(Boolean)
  .join("\n\n")}

| circuit | constraints | wires | domain | .zkey | cores busy with other work |
| --- | --- | --- | --- | --- | --- |
${raced.map((race) => `| ${facts(race).join(" | ")} |`).join("\n")}

- **warm**: a proof by a process that has made some already; **fresh process**: from before the process is started to its first
  proof, everything that is loaded included, with the key in the system's file cache. Ours includes its own check of the proof.
- **cpu**: of all threads and processes. **peak**: the most resident memory, of the bench's process that holds the prover and,
  after the plus, of those that it starts; our threads are within it.
- **times as fast**: this prover's warm median over ours. **phases**: ours count the time of all threads together, so that they add
  up to more than the proof's; snarkjs' are those of the clock.
- snarkjs is as the node runs it: in a process of its own, its WebAssembly optimised from the start. rapidsnark's \`prover\` is a
  fresh process for each proof, so that its warm proofs read the key anew, from the file cache.
`;
}

function rows(race: Race): string[][] {
  return PROVERS.flatMap((prover) => {
    const figures = figuresOf(race, prover);
    if (figures === undefined) return [];
    const { warm, oneShot } = figures;
    const times = prover === "wasm" ? undefined : timesFaster(race, prover);
    return [
      [
        race.title,
        NAMES[prover],
        wall(warm),
        cpu(warm),
        times === undefined ? "-" : plain(times),
        wall(oneShot),
        cpu(oneShot),
        peak(warm?.peak),
        peak(oneShot?.peak),
      ],
    ];
  });
}

function notes(races: readonly Race[]): string {
  const lines = races.flatMap(({ title, reason, provers }) => [
    ...(reason === undefined ? [] : [`- ${title}: not measured, ${reason}`]),
    ...PROVERS.flatMap((prover) => {
      const found: ProverFigures | NotMeasured | undefined = provers[prover];
      return found !== undefined && "reason" in found
        ? [`- ${title}, ${NAMES[prover]}: not measured, ${found.reason}`]
        : [];
    }),
  ]);
  return lines.length === 0 ? "" : `\n${lines.join("\n")}\n`;
}

/** Empty for a prover that does not tell its phases. */
function phases(races: readonly Race[], prover: ProverName): string {
  const told = races.flatMap((race) => {
    const figures = figuresOf(race, prover);
    return figures === undefined || Object.keys(figures.phases).length === 0 ? [] : [[race.name, figures] as const];
  });
  const names = [...new Set(told.flatMap(([, figures]) => Object.keys(figures.phases)))];
  if (names.length === 0) return "";
  const cells = ({ phases }: ProverFigures): string[] =>
    names.map((name) => (phases[name] === undefined ? "-" : phases[name].toFixed(3)));
  return table([NAMES[prover], ...names], told.map(([name, figures]) => [name, ...cells(figures)])); // prettier-ignore
}

function facts({ title, figures, others }: Race): string[] {
  const shown = (name: string, show: (value: number) => string): string =>
    figures[name] === undefined ? "-" : show(figures[name]);
  return [
    title,
    ...["constraints", "wires", "domain"].map((name) => shown(name, count)),
    shown("zkeyBytes", bytes),
    others === undefined ? "-" : others.toFixed(1),
  ];
}

function wall(proving: Proving | undefined): string {
  return proving === undefined ? "-" : spreadText(proving.wall);
}

function cpu(proving: Proving | undefined): string {
  return proving === undefined || proving.cpu === null ? "-" : seconds(proving.cpu.median);
}

function peak(peak: Peak | undefined): string {
  if (peak === undefined) return "-";
  if (peak.child === null) return `${bytes(peak.own)} + ?`;
  return peak.child === 0 ? bytes(peak.own) : `${bytes(peak.own)} + ${bytes(peak.child)}`;
}
