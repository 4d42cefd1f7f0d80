// What the SDK does not believe: endpoints that lie about models, requests and answers; provers whose proofs do not hold;
// chains that change their mind.
import { expect } from "chai";
import { AbiCoder, getBytes, hexlify, keccak256, toBeHex } from "ethers";
import { coordinatorAbi, registryAbi } from "../../../node/chain/codec.ts";
import { TOPICS } from "../../../node/chain/codec.ts";
import type { Hex } from "../../../node/core/domain.ts";
import type { Manifests } from "../../../node/sdk/index.ts";
import { DEADLINE, FEE, INPUT, MODEL, modelFacts, OUTPUT, START } from "../../support/contracts.ts";
import { trapdoorOf, keyWords, verifyingKeyOf, bytesOfWords } from "../../support/trapdoor.ts";
import { type Bend, failure, kindsOf, openSdkChain, type SdkStage } from "../../support/sdk.ts";

const TERMS = { fee: FEE, within: DEADLINE - START } as const;
const selectorOf = (call: { params?: unknown[] }): string => ((call.params?.[0] ?? {}) as { data?: string }).data?.slice(0, 10) ?? ""; // prettier-ignore

describe("what the SDK does not believe", function () {
  this.timeout(20_000);
  let opened: Awaited<ReturnType<typeof openSdkChain>>;
  let s: SdkStage;
  before(async () => {
    opened = await openSdkChain();
  });
  beforeEach(async () => {
    s = await opened.stage();
  });
  after(() => opened.close());

  /** Changes a view's value. */
  const ofView =
    (
      abi: typeof coordinatorAbi,
      name: string,
      change: (values: Record<string, unknown>) => Record<string, unknown>,
    ): Bend =>
    (call, answer) => {
      const { selector } = abi.getFunction(name)!;
      if (call.method !== "eth_call" || selectorOf(call) !== selector) return answer;
      const [value] = abi.decodeFunctionResult(name, answer as string);
      const changed = change((value as { toObject(): Record<string, unknown> }).toObject());
      return abi.encodeFunctionResult(name, [changed]);
    };
  /** Changes an event's arguments, by their positions. */
  const ofEvent =
    (name: string, change: (args: unknown[]) => unknown[]): Bend =>
    (call, answer) => {
      if (call.method !== "eth_getLogs") return answer;
      const event = coordinatorAbi.getEvent(name)!;
      return (answer as { topics: string[]; data: string }[]).map((log) => {
        if (log.topics[0] !== event.topicHash) return log;
        const args = [...coordinatorAbi.decodeEventLog(event, log.data, log.topics)];
        return { ...log, ...coordinatorAbi.encodeEventLog(event, change(args)) };
      });
    };
  const both =
    (...bends: Bend[]): Bend =>
    (call, answer) =>
      bends.reduce((so, bend) => bend(call, so), answer);

  /** A fulfilled request, and what its result is at a bent endpoint. */
  async function seenThrough(bend: Bend, verify: "chain" | "proof" = "proof") {
    const asked = await (await s.client()).infer(s.model, INPUT, TERMS);
    await s.fulfil(s.answerTo(asked, INPUT));
    expect((await asked.result()).verified).to.equal("proof");
    const reader = await s.client({ rpc: s.endpoint(bend) });
    return (await reader.open(asked.id)).result({ verify });
  }

  const other = hexlify(Uint8Array.from(OUTPUT, (byte, i) => (i === 3 ? byte ^ 1 : byte)));
  const lyingOutput = both(
    ofEvent("Fulfilled", (args) => args.with(7, other)),
    ofView(coordinatorAbi, "resultOf", (result) => ({ ...result, output: other })),
  );

  it("an output that events and views agree on and that was never proven", async () => {
    expect(hexlify((await seenThrough(lyingOutput, "chain")).bytes)).to.equal(other);
    const error = await failure(seenThrough(lyingOutput));
    expect([error.code, error.message]).to.deep.equal([
      "integrity",
      "the answer cannot be believed: the proof does not hold",
    ]);
  });

  it("a proof about another private input, which whoever proves it may choose", async () => {
    const model = await s.another({ inputKinds: 8 });
    const asked = await s.request({ model, inputKind: 3 });
    const lie = s.answer(asked, { c: 5n, inputHash: toBeHex(5n, 32) as Hex, output: getBytes(other) });
    await s.fulfil(s.answer(asked));
    const bend = both(
      ofEvent("Fulfilled", (args) => args.with(6, lie.c).with(7, other).with(8, lie.words)),
      ofView(coordinatorAbi, "resultOf", (result) => ({ ...result, output: other })),
    );
    const believed = await (await s.client()).open(asked.id).then((seen) => seen.result());
    expect([hexlify(believed.bytes), believed.verified]).to.deep.equal([hexlify(OUTPUT), "proof"]);
    const error = await failure((await (await s.client({ rpc: s.endpoint(bend) })).open(asked.id)).result());
    expect([error.code, error.message]).to.match(/integrity,.*another private input/);
  });

  it("an event that the stored result does not bear out", async () => {
    for (const bend of [
      ofEvent("Fulfilled", (args) => args.with(7, other)),
      ofEvent("Fulfilled", (args) => args.with(2, s.signers.rival.address)),
      ofEvent("Fulfilled", (args) => args.with(4, 9)),
      ofView(coordinatorAbi, "resultOf", (result) => ({ ...result, model: keccak256("0x") })),
      ofView(coordinatorAbi, "resultOf", (result) => ({ ...result, environment: keccak256("0x") })),
      ofView(coordinatorAbi, "resultOf", (result) => ({ ...result, evidence: 0 })),
    ]) {
      expect((await failure(seenThrough(bend, "chain"))).code).to.equal("integrity");
    }
  });

  it("evidence that both say and that lacks what was required, or hides a development key", async () => {
    for (const evidence of [0, 9]) {
      const bend = both(
        ofEvent("Fulfilled", (args) => args.with(4, evidence)),
        ofView(coordinatorAbi, "resultOf", (result) => ({ ...result, evidence })),
      );
      expect((await failure(seenThrough(bend, "chain"))).code).to.equal("integrity");
    }
  });

  it("a request whose struct or input is not what its id is a hash of", async () => {
    const changed = (field: string, value: unknown): Bend =>
      ofEvent("Requested", (args) =>
        args.with(3, { ...(args[3] as { toObject(): object }).toObject(), [field]: value }),
      );
    const input = Uint8Array.from(INPUT);
    input[0] = input[0]! ^ 1;
    for (const [bend, code] of [
      [changed("maxFee", FEE + 1n), "input"],
      [changed("deadline", DEADLINE + 1), "input"],
      [ofEvent("Requested", (args) => args.with(4, input)), "integrity"],
    ] as const) {
      expect((await failure(seenThrough(bend, "chain"))).code).to.equal(code);
    }
  });

  it("a model whose key, digests or tensors are not what its id is a hash of", async () => {
    const key = bytesOfWords(keyWords(verifyingKeyOf(trapdoorOf("evil"))));
    const bends = [
      ((call, answer) =>
        call.method === "eth_call" && selectorOf(call) === registryAbi.getFunction("keyOf")!.selector
          ? AbiCoder.defaultAbiCoder().encode(["bytes"], [key])
          : answer) satisfies Bend,
      ofView(registryAbi, "modelOf", (model) => ({ ...model, tensors: modelFacts({ outputLength: 21 }).tensors })),
      ofView(registryAbi, "modelOf", (model) => ({ ...model, manifestDigest: keccak256("0x") })),
      ofView(registryAbi, "modelOf", (model) => ({ ...model, keyKind: 0 })),
      ofView(registryAbi, "modelOf", (model) => ({ ...model, inputKinds: 8 })),
    ];
    for (const bend of bends) {
      const reader = await s.client({ rpc: s.endpoint(bend) });
      const error = await failure(reader.model(s.model));
      expect(error.code, error.message).to.equal("integrity");
    }
    // What the id does not cover may change.
    const retired = ofView(registryAbi, "modelOf", (model) => ({ ...model, retired: true }));
    expect((await (await s.client({ rpc: s.endpoint(retired) })).model(s.model)).record.retired).to.equal(true);
  });

  it("an endpoint that failed once is asked again", async () => {
    let fails = true;
    const client = await s.client({
      rpc: s.endpoint((call, answer) => {
        if (fails && call.method === "eth_call" && selectorOf(call) === registryAbi.getFunction("modelOf")!.selector) throw new Error("down"); // prettier-ignore
        return answer;
      }),
    });
    expect((await failure(client.model(s.model))).code).to.equal("chain");
    fails = false;
    expect((await client.model(s.model)).id).to.equal(s.model);
  });

  it("an endpoint that fails now and then is forgiven while it waits, and not for ever", async () => {
    let failing = 0;
    const client = await s.client({
      rpc: s.endpoint((call, answer) => {
        if (call.method === "eth_getLogs" && failing-- > 0) throw new Error("down");
        return answer;
      }),
    });
    const asked = await client.infer(s.model, INPUT, TERMS);
    const watching = asked.events()[Symbol.asyncIterator]();
    await watching.next();
    failing = 5;
    const patient = watching.next();
    await s.fulfil(s.answerTo(asked, INPUT));
    expect((await patient).value).to.deep.include({ kind: "fulfilled" });
    const late = await client.infer(s.model, INPUT, TERMS);
    const impatient = late.events()[Symbol.asyncIterator]();
    await impatient.next();
    failing = 6;
    expect((await failure(impatient.next())).code).to.equal("chain");
  });

  it("a manifest of another digest, or with other tensors; a good one gives the names", async () => {
    const border = (name: string, length: number, bits: number, signed: boolean, exponent: number) => ({
      name,
      shape: [length],
      type: { bits, signed },
      exponent,
    });
    const text = (output: object): string => JSON.stringify({ inputs: [border("pixels", 64, 8, false, 0)], outputs: [output] }); // prettier-ignore
    const good = text(border("scores", 10, 16, true, -8));
    const bad = text(border("scores", 10, 16, true, -7));
    const model = async (registered: string, manifests: Record<string, string> | Manifests) => {
      const digest = `0x${Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(registered))).toString("hex")}`;
      const facts = { ...MODEL, manifestDigest: digest };
      const id = s.registration({ facts }).id;
      await s.register({ facts }).catch(() => undefined);
      const given = typeof manifests === "function" ? manifests : { [id]: manifests["text"] as string };
      return (await s.client({ manifests: given })).model(id);
    };
    const named = await model(good, { text: good });
    expect([named.inputs[0]?.name, named.outputs[0]?.name]).to.deep.equal(["pixels", "scores"]);
    const fetched = await model(good, async (_, uri) => {
      expect(uri).to.equal(MODEL.manifestURI);
      return getBytes(hexlify(Buffer.from(good)));
    });
    expect(fetched.outputs[0]?.name).to.equal("scores");
    expect((await failure(model(good, { text: `${good} ` }))).message).to.contain("is not the one");
    expect((await failure(model(bad, { text: bad }))).message).to.contain("other tensors");
    expect((await failure(model("{", { text: "{" }))).message).to.contain("cannot be read");
  });

  it("a block that is not deep enough: nothing is told before its confirmations", async () => {
    const client = await s.client({ confirmations: 2 });
    const asked = await client.infer(s.model, INPUT, TERMS);
    const told = async () => (await s.toldSoFar(asked.id, { confirmations: 2 })).map(({ kind }) => kind);
    await s.chain.helpers.mine();
    expect(await told()).to.deep.equal([]);
    await s.chain.helpers.mine();
    expect(await told()).to.deep.equal(["made"]);
    await s.fulfil(s.answerTo(asked, INPUT));
    await s.chain.helpers.mine();
    expect(await told()).to.deep.equal(["made"]);
    await s.chain.helpers.mine();
    expect((await asked.result()).price).to.equal(FEE);
    expect(await kindsOf(asked)).to.deep.equal(["made", "fulfilled"]);
  });

  it("a request of one's own whose event says less than was asked", async () => {
    const bend = ofEvent("Requested", (args) =>
      args.with(3, { ...(args[3] as { toObject(): object }).toObject(), requiredEvidence: 0 }),
    );
    const asked = await (await s.client({ rpc: s.endpoint(bend) })).infer(s.model, INPUT, TERMS);
    await s.fulfil(s.answerTo(asked, INPUT));
    const error = await failure(asked.result());
    expect([error.code, error.message]).to.match(/integrity,.*not what its id is a hash of/);
  });

  describe("a chain that is reorganised", () => {
    /** Makes `act`'s blocks go, and `empty` others come. */
    async function undo(act: () => Promise<unknown>, empty: number): Promise<void> {
      const { provider } = s.chain.connection;
      const id: unknown = await provider.request({ method: "evm_snapshot" });
      await act();
      await provider.request({ method: "evm_revert", params: [id] });
      await s.chain.helpers.mine(empty, { interval: 1 });
    }

    it("an answer that went with its block is told as such, and the next one is believed", async () => {
      const asked = await (await s.client()).infer(s.model, INPUT, TERMS);
      await undo(async () => {
        await s.fulfil(s.answerTo(asked, INPUT));
        expect((await asked.result()).price).to.equal(FEE);
      }, 3);
      const waiting = asked.result();
      await s.fulfil(s.answerTo(asked, INPUT), s.signers.rival);
      expect((await waiting).price).to.equal(FEE);
      expect(await kindsOf(asked)).to.deep.equal(["made", "fulfilled", "reorged", "fulfilled"]);
    });

    it("an answer that goes while it is judged is waited for again", async () => {
      const { provider } = s.chain.connection;
      let before: unknown;
      const view = coordinatorAbi.getFunction("resultOf")!.selector;
      const bend: Bend = async (call, answer) => {
        if (before === undefined || call.method !== "eth_call" || selectorOf(call) !== view) return answer;
        await provider.request({ method: "evm_revert", params: [before] });
        await s.chain.helpers.mine(2);
        before = undefined;
        return provider.request(call);
      };
      const asked = await (await s.client({ rpc: s.endpoint(bend) })).infer(s.model, INPUT, TERMS);
      before = await provider.request({ method: "evm_snapshot" });
      await s.fulfil(s.answerTo(asked, INPUT));
      const waiting = asked.result();
      while (before !== undefined) await asked.status();
      await s.fulfil(s.answerTo(asked, INPUT));
      expect((await waiting).price).to.equal(FEE);
      expect(await kindsOf(asked)).to.deep.equal(["made", "fulfilled", "reorged", "fulfilled"]);
    });

    it("a request that went with its block is waited for until it can no longer be made", async () => {
      const client = await s.client();
      let asked: Awaited<ReturnType<typeof client.infer>> | undefined;
      await undo(async () => {
        asked = await client.infer(s.model, INPUT, { ...TERMS, submitWithin: 100 });
        await asked.status();
        expect((await s.toldSoFar(asked.id)).map(({ kind }) => kind)).to.deep.equal(["made"]);
      }, 2);
      await s.chain.at(asked!.request.submitBy + 1);
      await s.chain.helpers.mine();
      const error = await failure(asked!.result());
      expect([error.code, error.message]).to.deep.equal(["chain", "a reorg threw the request out of the chain"]);
      expect(error.mend).to.contain("Nothing was paid");
      expect((await kindsOf(asked!)).at(-1)).to.equal("lost");
    });
  });

  it("reads the topics that it looks for from the contracts' interface", () => {
    expect(TOPICS.fulfilled).to.equal(coordinatorAbi.getEvent("Fulfilled")!.topicHash);
  });
});
