// Reads COUNT records of TOPICS as any program on Node would, and prints each as one line of JSON: where it was, its key
// and time, and what the CloudEvents SDK makes of it (null of a tombstone, which that SDK doesn't know).
// Usage: node read.mjs BOOTSTRAP COUNT TOPIC...
import { zstdDecompressSync } from "node:zlib";
import { Kafka as Binding } from "cloudevents";
import kafkajs from "kafkajs";

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;
// kafkajs brings gzip alone; Node itself has zstd since 22.15.
CompressionCodecs[CompressionTypes.ZSTD] = () => ({ decompress: async (packed) => zstdDecompressSync(packed) });

const [bootstrap, count, ...topics] = process.argv.slice(2);
const consumer = new Kafka({ clientId: "node", brokers: [bootstrap], logLevel: logLevel.ERROR }).consumer({ groupId: topics[0] });
let left = Number(count);

const late = setTimeout(() => {
  console.error(`${left} records did not come`);
  process.exit(1);
}, 30_000);

await consumer.connect();
await consumer.subscribe({ topics, fromBeginning: true });
await consumer.run({
  eachMessage: async ({ topic, message }) => {
    // kafkajs gives bytes, the SDK wants texts.
    const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, value.toString()]));
    const event = message.value === null ? null : Binding.toEvent({ ...message, key: message.key.toString(), headers });
    console.log(JSON.stringify({ topic, key: message.key.toString(), timestamp: Number(message.timestamp), headers, event }));
    left -= 1;
    if (left === 0) {
      clearTimeout(late);
      setImmediate(() => consumer.disconnect());
    }
  },
});
