// Counts on how many transactions, of how many tests, the two EVMs agreed, and fails the run if they differ on one. Hooks
// of the root suite: a difference does not keep other tests from running; the names of all tests that differ come at the end.
import { shadow, differences, type Shadow } from "./shadow.ts";

/** Of a run of at least this many files that use the chain, i.e. of the whole suite: at least so many transactions. */
const WHOLE = { files: 25, tests: 500, transactions: 2_500 };

const shadows: Shadow[] = [];
const tally = { tests: 0, transactions: 0, files: new Set<string>(), differ: [] as string[] };

/** A shadow of the chain behind `provider`, which must be at genesis; compared after each test. */
export async function shadowed(provider: Parameters<typeof shadow>[0]): Promise<Shadow> {
  const opened = await shadow(provider);
  shadows.push(opened);
  return opened;
}

if (typeof afterEach === "function") {
  afterEach("the second EVM agrees", async function () {
    this.timeout(120_000);
    let count = 0;
    for (const each of shadows) {
      const { transactions, accounts } = await each.pairs();
      count += transactions.length;
      const found = [...differences(transactions), ...differences(accounts)];
      if (found.length > 0) tally.differ.push(`${this.currentTest?.fullTitle()}:\n    ${found.join("\n    ")}`);
    }
    if (count === 0) return;
    tally.tests++;
    tally.transactions += count;
    tally.files.add(this.currentTest?.file ?? "");
  });

  after("the second EVM agreed on everything", () => {
    const { tests, transactions, files, differ } = tally;
    if (shadows.length === 0) return;
    process.stdout.write(
      `  second EVM: ${transactions} transactions of ${tests} tests in ${files.size} files run again, ${differ.length} tests differ\n`,
    );
    if (differ.length > 0) throw new Error(`the two EVMs differ in ${differ.length} tests:\n  ${differ.join("\n  ")}`);
    const enough = tests >= WHOLE.tests && transactions >= WHOLE.transactions;
    if (files.size >= WHOLE.files && !enough) throw new Error(`fewer than ${JSON.stringify(WHOLE)} in a whole run`);
  });
}
