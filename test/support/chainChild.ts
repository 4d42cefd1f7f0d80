// A node in a process of its own, for tests that kill it: works until every request it sees is closed, then ends with 0.
// Arguments: JSON of rpcUrl, coordinator, model, place, startBlock, market, fault (a named point at which it kills itself hard).
import { connect } from "../../node/chain/client.ts";
import type { Address, ModelId } from "../../node/core/domain.ts";
import type { Place } from "../../node/job/database.ts";
import { systemClock } from "../../node/app/observe.ts";
import { nodeOn } from "./chain.ts";
import { memoryJournal, policyOf } from "./fakes.ts";

export interface ChildOptions {
  readonly rpcUrl: string;
  readonly coordinator: Address;
  readonly model: ModelId;
  readonly place: Place;
  readonly startBlock: number;
  readonly fault: string | undefined;
  /** Claims each request first, and sends answers together. */
  readonly market: boolean;
}

if (import.meta.main) {
  const options = JSON.parse(process.argv[2] as string) as ChildOptions;
  const client = await connect({ rpc: options.rpcUrl, coordinator: options.coordinator });
  const log = memoryJournal();
  const node = await nodeOn(
    { client, model: options.model },
    {
      place: options.place,
      startBlock: options.startBlock,
      log,
      ...(options.market
        ? { policy: policyOf({ claim: "always" }), batchSize: 4, batchMs: 300, clock: systemClock }
        : {}),
      fault: (point) => {
        if (point === options.fault) process.kill(process.pid, "SIGKILL");
      },
      onStored: (job) => {
        if (job.state === "closed") void end();
      },
    },
  );
  async function end(): Promise<void> {
    const { accepted, inferred, proved, submitted, settled } = (await node.status()).jobs;
    if (accepted + inferred + proved + submitted + settled > 0) return;
    await node.stop();
    process.exit(0);
  }
  await node.start();
  for (;;) {
    await node.tick();
    await end();
    await systemClock.sleep(50);
  }
}
