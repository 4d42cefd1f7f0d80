// The compiler's version, part of every quantized file: a change that alters the bytes it writes must raise it.
export const COMPILER = { name: "glassbox", version: "0.1.0" } as const;
