// Real functions of one variable, as expressions: what tables are computed from. Only IEEE basic operations and square
// roots, so that every machine yields the same bits.
import type { Expr } from "./graph.ts";

const FUNCTIONS = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  min: (a: number, b: number) => Math.min(a, b),
  max: (a: number, b: number) => Math.max(a, b),
  abs: (a: number) => Math.abs(a),
  sqrt: (a: number) => Math.sqrt(a),
} satisfies Readonly<Record<string, (...args: number[]) => number>>;

export type FunctionName = keyof typeof FUNCTIONS;

/** expr(x) */
export function evaluateExpr(expr: Expr, x: number): number {
  if (expr === "x") return x;
  if (typeof expr === "number") return expr;
  const [name, ...args] = expr;
  return (FUNCTIONS[name] as (...args: number[]) => number)(...args.map((arg) => evaluateExpr(arg, x)));
}
