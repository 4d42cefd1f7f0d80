// For tests that still import it from here; its home is groth16/curve.ts.
export { localCurve } from "../groth16/curve.ts";
