// How the bench's pages spell figures. Knows nothing of what was measured.
import type { Outcome, Outcomes, Spread, Unit } from "./results.ts";

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

export function spreadText({ median, min, max, samples }: Spread): string {
  return samples === 1 ? seconds(median) : `${seconds(median)} (${seconds(min)} to ${seconds(max)})`;
}

export function seconds(value: number): string {
  return value < 1 ? `${(1000 * value).toPrecision(3)} ms` : `${value.toPrecision(3)} s`;
}

export function bytes(value: number): string {
  if (value < 1e4) return `${value} B`;
  return value < 1e6 ? `${(value / 1e3).toPrecision(3)} kB` : `${plain(value / 1e6)} MB`;
}

/** Three significant digits, never in exponential form. */
export function plain(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** Of 100; a negative one is a gain. */
export function share(value: number): string {
  return `${(100 * value).toFixed(2)} %`;
}

export function ratioText(ratio: number): string {
  return ratio < 0.01 ? `1 / ${count(Math.round(1 / ratio))}` : plain(ratio);
}

export function amount(unit: Unit, value: number): string {
  switch (unit) {
    case "s":
      return seconds(value);
    case "bytes":
      return bytes(value);
    case "gas":
    case "constraints":
      return count(value);
    case "times":
      return plain(value);
    case "share":
      return share(value);
  }
}

/** What was not measured, and why: a list, empty where all was. */
export function notes(roads: readonly (readonly [string, Outcomes])[]): string {
  const lines = roads.flatMap(([title, outcomes]) =>
    Object.entries(outcomes).flatMap(([phase, outcome]: [string, Outcome]) =>
      "reason" in outcome ? [`- ${title}, ${phase}: not measured, ${outcome.reason}`] : [],
    ),
  );
  return lines.length === 0 ? "" : `\n${lines.join("\n")}\n`;
}
