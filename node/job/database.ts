// One way to speak SQL to either database: PGlite embedded in this process (default), or PostgreSQL 15 and newer. Holds
// pools and transactions, no tables. SQL elsewhere uses what PostgreSQL 15 has, with $1 parameters.
import { PGlite, type Transaction } from "@electric-sql/pglite";
import pg from "pg";
import { type ConstructorOptions, fromPglite } from "pg-boss";
import { asNodeError, NodeError } from "../core/errors.ts";

export type Row = Readonly<Record<string, unknown>>;

export interface Sql {
  query(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

export interface Database extends Sql {
  readonly kind: "embedded" | "postgres";
  /** Commits if `work` resolves, rolls back if it throws. Inside, only the given Sql may be used. */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** How pg-boss reaches the same database. */
  readonly boss: ConstructorOptions;
  close(): Promise<void>;
}

/** Where jobs are kept: a folder for the embedded database (undefined: in memory, for tests), or a connection string. */
export type Place = { readonly dir: string | undefined } | { readonly url: string };

export async function openDatabase(place: Place): Promise<Database> {
  try {
    return "url" in place ? await openPostgres(place.url) : await openEmbedded(place.dir);
  } catch (cause) {
    const where = "url" in place ? "PostgreSQL" : (place.dir ?? "memory");
    throw new NodeError("environment", `the database (${where}) does not open: ${asNodeError(cause).message}`, {
      mend:
        "url" in place
          ? "Check the server, the connection string and the user's rights."
          : "Check free disk space and that no other process uses the folder.",
      cause,
    });
  }
}

async function openEmbedded(dir: string | undefined): Promise<Database> {
  const lite = dir === undefined ? await PGlite.create() : await PGlite.create(dir);
  const sqlOf = (target: PGlite | Transaction): Sql => ({
    query: async (text, values = []) => (await target.query<Row>(text, [...values])).rows,
  });
  return {
    kind: "embedded",
    ...sqlOf(lite),
    transaction: (work) => lite.transaction((tx) => work(sqlOf(tx))),
    boss: { db: fromPglite(lite), backend: "pglite" },
    close: () => lite.close(),
  };
}

async function openPostgres(url: string): Promise<Database> {
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  // An idle connection that breaks is replaced at the next query; without a listener it would end the process.
  pool.on("error", () => undefined);
  const sqlOf = (target: pg.Pool | pg.PoolClient): Sql => ({
    query: async (text, values = []) => (await target.query<Row>(text, [...values])).rows,
  });
  await pool.query("select 1").catch(async (error: unknown) => {
    await pool.end();
    throw error;
  });
  return {
    kind: "postgres",
    ...sqlOf(pool),
    async transaction(work) {
      const client = await pool.connect();
      try {
        await client.query("begin");
        const result = await work(sqlOf(client));
        await client.query("commit");
        client.release();
        return result;
      } catch (error) {
        // A connection that cannot even roll back is thrown away.
        const broken = await client.query("rollback").then(
          () => false,
          () => true,
        );
        client.release(broken);
        throw error;
      }
    },
    boss: { connectionString: url },
    close: () => pool.end(),
  };
}
