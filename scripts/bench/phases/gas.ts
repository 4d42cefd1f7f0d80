// Gas of a model's life on an embedded chain (Hardhat's EDR), with real proofs through the node's own code: register,
// request, and the prover's first fulfil, which also opens its credit and so costs most.
import fs from "node:fs";
import { prepareWitness } from "../../../node/circuit/witness.ts";
import { connect } from "../../../node/chain/client.ts";
import { challenge, keyHash, modelId } from "../../../node/chain/codec.ts";
import { fulfilCall } from "../../../node/chain/calls.ts";
import { draftRequest, ZERO_HASH } from "../../../node/chain/request.ts";
import { deploy } from "../../../node/chain/deploy.ts";
import { openSeries, register, request, settle, type Wait } from "../../../node/chain/write.ts";
import { describeTensors } from "../../../node/core/described.ts";
import type { Digest } from "../../../node/core/domain.ts";
import { planOf } from "../../../node/app/artifacts.ts";
import { evaluate } from "../../../node/model/evaluate.ts";
import { bordersOf } from "../../../node/model/ir.ts";
import { sha256 } from "../../../node/proof/files.ts";
import { snarkjsProver } from "../../../node/proof/prover.ts";
import { readVerifyingKey } from "../../../node/proof/vkey.ts";
import { senderOf, WALLETS } from "../../../test/support/chain.ts";
import { embeddedChain } from "../../../test/support/chainEmbedded.ts";
import { hastyClock } from "../../../test/support/fakes.ts";
import { readGraph, readInput, requireSignals, signalsOf, spelled } from "../claims.ts";
import { fileOf, type Phase } from "../ports.ts";

export const phase: Phase = async ({ folder, modelFolder, network }, look) => {
  const graph = readGraph(modelFolder);
  const tensors = evaluate(graph, readInput(modelFolder));
  const { input, output } = spelled(graph, tensors);
  const zkey = fileOf(folder, "zkey");
  const key = readVerifyingKey(zkey);
  const makeWitness = await prepareWitness(graph);
  const prover = snarkjsProver();
  const prove = async (r: bigint) => {
    const { proof, signals } = await prover.prove({ zkey, wtns: makeWitness(tensors, r) });
    requireSignals(signals, signalsOf(graph, tensors, r));
    return proof;
  };

  const chain = await embeddedChain();
  const [publisher, requester, node] = (await Promise.all(
    WALLETS.slice(0, 3).map(async (wallet) => ({ sender: await senderOf(chain.rpc, wallet), clock: hastyClock() })),
  )) as [Wait, Wait, Wait];
  const { coordinator } = await deploy(planOf("artifacts"), chain.rpc, publisher);
  const client = await connect({ rpc: chain.rpc, coordinator });
  const { c } = signalsOf(graph, tensors);
  const about = { chainId: client.chainId, c, input, output };

  const digest = (name: string): Digest => sha256(`${network} ${name}`);
  const facts = {
    sourceDigest: digest("source"),
    quantizedDigest: sha256(fs.readFileSync(fileOf(modelFolder, "onnx"))),
    circuitDigest: digest("circuit"),
    manifestDigest: digest("manifest"),
    inputLength: input.length,
    outputLength: output.length,
    keyKind: "development" as const,
    series: await openSeries(client, network, ["development"], publisher),
    inputKinds: ["data"] as const,
    collateralBps: 0,
    royaltyBps: 0,
    tensors: describeTensors(bordersOf(graph)),
  };
  const model = modelId({ ...facts, keyHash: keyHash(key) });
  const sampleOf = { ...about, contract: client.registry, request: ZERO_HASH, model, prover: publisher.sender.address };
  const sample = { input, output, c, proof: await prove(challenge("sample", sampleOf)) };
  const registered = await register(client, { model: facts, manifestURI: "", key, sample }, publisher);

  const drafted = draftRequest({
    requester: requester.sender.address,
    model,
    from: { kind: "data", bytes: input },
    now: (await client.head()).time,
    fee: 10n ** 15n,
    allowDevelopmentKeys: true,
  });
  const asked = await request(client, drafted, { payment: "direct" }, requester);
  const { id, request: struct } = asked.seen;
  const claim = { ...about, contract: coordinator, request: id, model, prover: node.sender.address };
  const proof = await prove(challenge("claim", claim));
  const answer = { request: struct, answer: { input, output, c, proof }, prover: node.sender.address };
  const fulfilled = await settle(`fulfil:${id}`, fulfilCall(coordinator, answer), node);
  if ((await client.resultOf(id)) === undefined) throw new Error("the chain holds no result");
  look();
  await prover.close();
  await chain.close();
  return {
    seconds: {},
    figures: {
      register: Number(registered.receipt?.gasUsed),
      request: Number(asked.receipt.gasUsed),
      fulfil: Number(fulfilled.gasUsed),
      inputBytes: input.length,
      outputBytes: output.length,
    },
  };
};
