// The package's entry `glassbox/sdk`: ask a model, watch the request, get an answer that was verified here. In Node and in
// browsers; its one large dependency is ethers 6.
export { Evidence } from "../core/domain.ts";
export type { Address, Hex, ModelId, RequestId } from "../core/domain.ts";
export { NodeError } from "../core/errors.ts";
export { type AskOptions, type Client, type ClientOptions, type InferOptions, openClient } from "./client.ts";
export type { Receipt, Wallet } from "./context.ts";
export type { Estimate, EstimateOptions } from "./estimate.ts";
export type { InferenceEvent } from "./events.ts";
export type { Given } from "./given.ts";
export type { Inference } from "./inference.ts";
export type { Manifests, Model, Output, Reals, Values } from "./model.ts";
export type { Endpoint } from "./provider.ts";
export type { VerifiedResult, Verify } from "./result.ts";
export { readSigned, type SignedPayment, type SignedRequest, writeSigned } from "./signed.ts";
