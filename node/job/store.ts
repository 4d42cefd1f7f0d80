// Jobs, the chain's cursor and the sender's intents, in one database; the queue's messages (pg-boss) are written in the same
// transactions. The jobs table is the truth: a message only says "look at this job, it had this version". No step logic.
import { type ConstructorOptions, type Db, PgBoss } from "pg-boss";
import type { BlockRef, RequestSeen } from "../chain/codec.ts";
import type { Sink } from "../chain/follow.ts";
import type { Intent, IntentLog } from "../chain/submit.ts";
import { NodeError } from "../core/errors.ts";
import type { Log } from "../core/ports.ts";
import { type Database, openDatabase, type Place, type Row, type Sql } from "./database.ts";
import { close, fromJson, type Job, OPEN_STATES, type OpenState, type State, toJson } from "./job.ts";

export interface Message {
  readonly job: number;
  readonly version: number;
}

export interface Store {
  readonly boss: PgBoss;
  readonly kind: Database["kind"];
  /** Follower's side: events, cursor and first messages in one transaction. */
  readonly sink: Sink;
  /** Sender's side. */
  readonly intents: IntentLog;
  load(id: number): Promise<Job | undefined>;
  /**
   * Stores `next` in place of the version that it was made from, with the message for its next step in `delayMs`.
   * False: the job has changed meanwhile (closed by a reorg, or done by another worker) and `next` is dropped.
   */
  put(next: Job, delayMs?: number): Promise<boolean>;
  /** Sends messages for the open jobs in these states; those that have one keep it. */
  wake(states: readonly OpenState[]): Promise<void>;
  list(filter?: { readonly states?: readonly State[]; readonly limit?: number }): Promise<readonly Job[]>;
  count(): Promise<Readonly<Record<State, number>>>;
  cursor(): Promise<BlockRef | undefined>;
  close(): Promise<void>;
}

export interface StoreOptions {
  readonly place: Place;
  /** What the data belongs to: chain, coordinator, sender. A store opened for something else refuses. */
  readonly owner: string;
  readonly log: Log;
  /** Told the ids of jobs that a reorg has closed, after the commit. */
  readonly onClosed?: (ids: readonly number[]) => void;
  /** Source of pg-boss's time; tests bring their own. */
  readonly clock?: ConstructorOptions["clock"];
}

const FACTS = [
  "create schema if not exists glassbox",
  "create table if not exists glassbox.facts (name text primary key, value text not null)",
];
const SCHEMA = [
  `create table if not exists glassbox.jobs (
     id bigint generated always as identity primary key, version int not null, request text not null,
     state text not null, block_number bigint not null, block_hash text not null, body jsonb not null,
     created_at timestamptz not null default now(), updated_at timestamptz not null default now())`,
  "create unique index if not exists jobs_request_open on glassbox.jobs (request) where state <> 'closed'",
  "create index if not exists jobs_open on glassbox.jobs (state) where state <> 'closed'",
  "create table if not exists glassbox.trail (number bigint primary key, hash text not null)",
  `create table if not exists glassbox.intents (
     nonce bigint primary key, names text[] not null, state text not null, body jsonb not null)`,
  "create index if not exists intents_open on glassbox.intents (nonce) where state = 'open'",
  "create index if not exists intents_names on glassbox.intents using gin (names)",
];
/** Raised when a table changes shape; a store of another version refuses to open. */
const SCHEMA_VERSION = "2";
/** How far back a reorg is followed block by block; the blocks of open jobs are kept for longer. */
const TRAIL = 256;

export const queueOf = (state: OpenState): string => `glassbox.${state}`;

export async function openStore(options: StoreOptions): Promise<Store> {
  const db = await openDatabase(options.place);
  try {
    return await openOn(db, options);
  } catch (error) {
    await db.close();
    throw error;
  }
}

async function openOn(db: Database, options: StoreOptions): Promise<Store> {
  const { log, onClosed } = options;
  await db.transaction(async (sql) => {
    for (const statement of FACTS) await sql.query(statement);
    await claim(
      sql,
      "schema",
      SCHEMA_VERSION,
      "It was written by another version: update Glassbox, or use a new data folder.",
    );
    await claim(sql, "owner", options.owner, "It belongs to another chain, coordinator or key: use a new data folder.");
    for (const statement of SCHEMA) await sql.query(statement);
  });
  const boss = new PgBoss({
    ...db.boss,
    schema: "glassbox_queue",
    schedule: false,
    useListenNotify: true,
    // How often dead workers are looked for: on PostgreSQL a killed node's jobs go on after less than a minute.
    superviseIntervalSeconds: 15,
    monitorIntervalSeconds: 15,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  boss.on("error", (error) => log.error({ error: error.message }, "the queue had an error"));
  boss.on("warning", (warning) => log.warn({ warning: warning.message }, "the queue warns"));
  await boss.start();
  for (const state of OPEN_STATES) {
    // exclusive: one message per job and version, waiting or at work. A worker that dies is noticed by its heartbeat.
    const rules = { notify: true, heartbeatSeconds: 30, expireInSeconds: 86_399, retryLimit: 1_000_000, retryDelay: 1 };
    await boss.createQueue(queueOf(state), { policy: "exclusive", ...rules, deleteAfterSeconds: 3600 });
  }
  // The embedded database has one process, this one: whoever held a message is dead, and jobs are woken below.
  if (db.kind === "embedded") for (const state of OPEN_STATES) await boss.deleteAllJobs(queueOf(state));

  const within = (sql: Sql): { db: Db } => ({
    db: { executeSql: async (text, values) => ({ rows: await sql.query(text, values ?? []) }) },
  });
  async function message(sql: Sql, job: Job, delayMs = 0): Promise<void> {
    if (job.state === "closed") return;
    const data: Message = { job: job.id, version: job.version };
    const startAfter = delayMs > 0 ? { startAfter: Math.ceil(delayMs / 1000) } : {};
    const singletonKey = `${job.id}.${job.version}`;
    await boss.send(queueOf(job.state), data, { singletonKey, ...startAfter, ...within(sql) });
  }

  async function put(sql: Sql, next: Job, delayMs?: number): Promise<boolean> {
    const stored: Job = { ...next, version: next.version + 1 };
    const rows = await sql.query(
      `update glassbox.jobs set version = $3, state = $4, body = $5, updated_at = now()
       where id = $1 and version = $2 returning id`,
      [next.id, next.version, stored.version, stored.state, bodyOf(stored)],
    );
    if (rows.length === 0) return false;
    await message(sql, stored, delayMs);
    return true;
  }

  async function accept(sql: Sql, asked: RequestSeen): Promise<void> {
    const body = bodyOf({ asked, attempts: 0 });
    const [row] = await sql.query(
      `insert into glassbox.jobs (version, request, state, block_number, block_hash, body)
       values (1, $1, 'accepted', $2, $3, $4) on conflict do nothing returning id`,
      [asked.id, asked.block.number, asked.block.hash, body],
    );
    if (row === undefined) return; // a job for it is open already
    await message(sql, { id: Number(row["id"]), version: 1, state: "accepted", asked, attempts: 0 });
  }

  const sink: Sink = {
    trail: async () => (await db.query("select number, hash from glassbox.trail order by number desc")).map(refOf),
    async advance(events, cursor) {
      await db.transaction(async (sql) => {
        for (const asked of events) await accept(sql, asked);
        for (const { number, hash } of [...events.map(({ block }) => block), cursor]) {
          const text =
            "insert into glassbox.trail values ($1, $2) on conflict (number) do update set hash = excluded.hash";
          await sql.query(text, [number, hash]);
        }
        await sql.query(
          `delete from glassbox.trail where number < $1
           and number not in (select block_number from glassbox.jobs where state <> 'closed')
           and number not in (select number from glassbox.trail order by number desc limit $2)`,
          [cursor.number, TRAIL],
        );
      });
    },
    async rewind(to) {
      const height = to?.number ?? -1;
      const closed = await db.transaction(async (sql) => {
        await sql.query("delete from glassbox.trail where number > $1", [height]);
        const text = "select * from glassbox.jobs where state <> 'closed' and block_number > $1 for update";
        const jobs = (await sql.query(text, [height])).map(jobOf);
        for (const job of jobs) {
          const { number, hash } = job.asked.block;
          await put(sql, close(job, "reorged", `block ${number} (${hash}) of the request left the chain`));
        }
        return jobs.map(({ id }) => id);
      });
      onClosed?.(closed);
    },
  };

  return {
    boss,
    kind: db.kind,
    sink,
    intents: intentLog(db),
    async load(id) {
      const [row] = await db.query("select * from glassbox.jobs where id = $1", [id]);
      return row === undefined ? undefined : jobOf(row);
    },
    put: (next, delayMs) => db.transaction((sql) => put(sql, next, delayMs)),
    async wake(states) {
      const rows = await db.query("select * from glassbox.jobs where state = any($1) order by id", [states]);
      if (rows.length === 0) return;
      await db.transaction(async (sql) => {
        for (const row of rows) await message(sql, jobOf(row));
      });
    },
    async list({ states = [...OPEN_STATES, "closed"], limit = 100 } = {}) {
      const text = "select * from glassbox.jobs where state = any($1) order by id desc limit $2";
      return (await db.query(text, [states, limit])).map(jobOf);
    },
    async count() {
      const rows = await db.query("select state, count(*) as n from glassbox.jobs group by state");
      const counts = { accepted: 0, inferred: 0, proved: 0, submitted: 0, settled: 0, closed: 0 };
      for (const row of rows) counts[row["state"] as State] = Number(row["n"]);
      return counts;
    },
    cursor: async () =>
      (await db.query("select number, hash from glassbox.trail order by number desc limit 1")).map(refOf)[0],
    async close() {
      await boss.stop({ graceful: true, timeout: 10_000 });
      await db.close();
    },
  };
}

/** Writes the fact on first use, and refuses a store that says otherwise. */
async function claim(sql: Sql, name: string, value: string, mend: string): Promise<void> {
  await sql.query("insert into glassbox.facts values ($1, $2) on conflict do nothing", [name, value]);
  const [row] = await sql.query("select value from glassbox.facts where name = $1", [name]);
  if (row?.["value"] === value) return;
  const message = `the job store's ${name} is ${String(row?.["value"])}, not ${value}`;
  throw new NodeError("environment", message, { mend });
}

/** Columns keep id, version and state; the rest of a job is the body. */
function bodyOf(value: object): string {
  const { id: _id, version: _version, state: _state, ...body } = value as Partial<Job>;
  return toJson(body);
}

function jobOf(row: Row): Job {
  const body = fromJson(row["body"]) as object;
  return { ...body, id: Number(row["id"]), version: Number(row["version"]), state: row["state"] as State } as Job;
}

const refOf = (row: Row): BlockRef => ({ number: Number(row["number"]), hash: row["hash"] as BlockRef["hash"] });

function intentLog(db: Database): IntentLog {
  const intentOf = (row: Row): Intent => fromJson(row["body"]) as Intent;
  return {
    async find(name) {
      const text =
        "select body from glassbox.intents where names @> array[$1::text] and state <> 'void' order by nonce desc limit 1";
      return (await db.query(text, [name])).map(intentOf)[0];
    },
    open: async () =>
      (await db.query("select body from glassbox.intents where state = 'open' order by nonce")).map(intentOf),
    async nextNonce() {
      const [row] = await db.query("select coalesce(max(nonce) + 1, 0) as next from glassbox.intents");
      return Number(row?.["next"]);
    },
    async save(intent) {
      await db.query(
        `insert into glassbox.intents (nonce, names, state, body) values ($1, $2, $3, $4)
         on conflict (nonce) do update set names = excluded.names, state = excluded.state, body = excluded.body`,
        [intent.nonce, [...intent.names], intent.state, toJson(intent)],
      );
    },
  };
}
