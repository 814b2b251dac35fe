// From a record of a topic to what it says, typed by its `type`: if (one.type === "…SessionScheduled.v1") one.data.starts_at
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { TYPES, type Data } from "./events.ts";

export * from "./events.ts";

/** Who says it, about what, when, and because of what. */
export interface Envelope {
  /** The event's identity for ever: what was read before is told by it. */
  id: string;
  source: string;
  /** What it is about; the record's key. */
  subject: string;
  /** When it happened. */
  time: Date;
  /** The aggregate's version, from 1 without gaps, or the row's; not there on booking.assessments.v1. */
  sequence: number | undefined;
  actor: string | undefined;
  correlationId: string | undefined;
  causationId: string | undefined;
  traceparent: string | undefined;
}

export type EventType = keyof Data;

/** An event of this contract; its `type` says what its `data` are. */
export type BookingEvent = { [T in EventType]: Envelope & { kind: "event"; type: T; data: Data[T] } }[EventType];

/** The key's row is gone: on compacted topics alone. */
export type Tombstone = Envelope & { kind: "tombstone"; type: string };

/** A type, or a version of one, that is newer than this package: go on, or take a newer one. */
export type Unknown = Envelope & { kind: "unknown"; type: string & {}; data: unknown };

export type Told = BookingEvent | Tombstone | Unknown;

/** A record that is none of this contract's; the message says why. */
export class NotOfTheContract extends Error {}

/** As kafkajs and its successors give it. */
export interface Message {
  key: Buffer | null;
  value: Buffer | null;
  headers?: Record<string, Buffer | string | (Buffer | string)[] | undefined> | undefined;
}

/** What a record says. Throws NotOfTheContract for a header that is missing or malformed, or a value that is no JSON. */
export function told(message: Message): Told {
  const envelope = envelopeOf(message);
  const type = needed(message, "ce_type");
  if (message.value === null) return { ...envelope, kind: "tombstone", type };
  const data = parsed(message.value.toString(), "the value");
  if (!known(type)) return { ...envelope, kind: "unknown", type, data };
  return { ...envelope, kind: "event", type, data } as BookingEvent; // the writer keeps to the schema of this type
}

/** What kafkajs needs to read the batches: CompressionCodecs[CompressionTypes.ZSTD] = zstd. */
export const zstd = () => ({
  compress: async (encoder: { buffer: Buffer }): Promise<Buffer> => zstdCompressSync(encoder.buffer),
  decompress: async (packed: Buffer): Promise<Buffer> => zstdDecompressSync(packed),
});

const KNOWN: ReadonlySet<string> = new Set(TYPES);

function known(type: string): type is EventType {
  return KNOWN.has(type);
}

function envelopeOf(message: Message): Envelope {
  const who = parsed(header(message, "ce_metadata") ?? "{}", "ce_metadata") as Record<string, string | undefined>;
  const id = needed(message, "ce_id");
  const time = new Date(needed(message, "ce_time"));
  if (Number.isNaN(time.getTime())) throw new NotOfTheContract("ce_time is no instant");
  const sequence = header(message, "ce_sequence");
  if (sequence !== undefined && !/^[1-9][0-9]{0,17}$/.test(sequence)) throw new NotOfTheContract("ce_sequence is no version");
  if (message.key === null) throw new NotOfTheContract("the key is missing");
  return {
    id,
    source: needed(message, "ce_source"),
    subject: message.key.toString(),
    time,
    sequence: sequence === undefined ? undefined : Number(sequence),
    actor: who["actor"],
    correlationId: who["correlation_id"] ?? id,
    causationId: who["causation_id"],
    traceparent: header(message, "traceparent"),
  };
}

function header(message: Message, name: string): string | undefined {
  const value = message.headers?.[name];
  if (Array.isArray(value)) throw new NotOfTheContract(`${name} is there more than once`);
  return value?.toString();
}

function needed(message: Message, name: string): string {
  const value = header(message, name);
  if (value === undefined) throw new NotOfTheContract(`${name} is missing`);
  return value;
}

function parsed(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new NotOfTheContract(`${what} is no JSON`);
  }
}
