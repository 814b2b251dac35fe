/** Statuses that pass. 500 does not: it is a fault, which another try would only log again. */
const AGAIN = new Set([408, 429, 502, 503, 504]);

/** Milliseconds. What a call asks a service to wait for (`wait`, `wait_for_seconds`) comes on top of the first two. */
export interface Patience {
  /** For all tries of a call; the last refusal, or Unanswered, comes rather than waiting beyond it. */
  deadline: number;
  /** For one try; a service gives up waiting for its database after 12 seconds. */
  attempt: number;
  firstPause: number;
  longestPause: number;
}

export const PATIENCE: Patience = { deadline: 30_000, attempt: 15_000, firstPause: 100, longestPause: 5_000 };

/** Whether an answer of this status may be another one soon. */
export function passes(status: number): boolean {
  return AGAIN.has(status);
}

/** After so many tries: doubled each time, by chance up to a half shorter, and never less than what `Retry-After` says. */
export function pauseAfter(tries: number, patience: Patience, retryAfter: string | null = null): number {
  const most = Math.min(patience.longestPause, patience.firstPause * 2 ** Math.min(tries - 1, 20));
  const told = retryAfter !== null && /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : 0;
  return Math.max(told, most * (0.5 + Math.random() / 2));
}
