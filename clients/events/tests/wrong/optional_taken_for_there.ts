import type { SessionCanceled } from "../../src/index.ts";

export const wrong = (one: SessionCanceled): number => Date.parse(one.starts_at);
