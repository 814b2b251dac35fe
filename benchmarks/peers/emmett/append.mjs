// Emmett on PostgreSQL: load a stream of five events, append one more with the expected version. No read row.
import { getPostgreSQLEventStore } from "@event-driven-io/emmett-postgresql";
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import pg from "pg";

const [url, wanted, clients] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const pool = new pg.Pool({ connectionString: url, max: clients });
const store = getPostgreSQLEventStore(url, { connectionOptions: { pool } });
await store.schema.migrate();
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const filler = "x".repeat(400);
const moved = (startsAt) => ({ type: "Rescheduled", data: { startsAt, filler } });
const folding = { evolve: (state, event) => ({ ...state, ...event.data }), initialState: () => ({}) };
const each = Math.floor(wanted / clients);
const ids = Array.from({ length: each * clients }, () => `session-${randomUUID()}`);

const shared = async (work) => {
  const left = ids.values();
  const client = async () => {
    for (const id of left) await work(id);
  };
  await Promise.all(Array.from({ length: clients }, client));
};

await shared((id) => store.appendToStream(id, ["1", "2", "3", "4", "5"].map(moved)));
console.log("ready");
await lines.next();
const started = process.hrtime.bigint();
await shared(async (id) => {
  const { currentStreamVersion } = await store.aggregateStream(id, folding);
  await store.appendToStream(id, [moved("later")], { expectedStreamVersion: currentStreamVersion });
});
const seconds = Number(process.hrtime.bigint() - started) / 1e9;
const { currentStreamVersion } = await store.aggregateStream(ids.at(-1), folding);
if (currentStreamVersion !== 6n) throw new Error(`the last stream is at ${currentStreamVersion}`);
console.log(JSON.stringify([ids.length, seconds]));
await lines.next();
process.exit(0);
