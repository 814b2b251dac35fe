import type { Service } from "./operations.ts";

/** More tokens of one header are not read (docs/api.md). */
const MOST = 8;

/** What one browser session has seen: the Consistency-Tokens of its last answers, the newest first, for its next call elsewhere. */
export class Seen {
  #tokens: [service: string, token: string][];

  /** Goes on where one was that was put away by `dump`. */
  constructor(kept: Iterable<readonly [string, string]> = []) {
    this.#tokens = [...kept].map(([service, token]) => [service, token]);
  }

  /** Remember that the service answered with this token. */
  take(service: Service, token: string | null): void {
    if (token === null) return;
    const kept = this.#tokens.filter(([one, other]) => one !== service || other !== token);
    const tooOld = new Set(kept.filter(([one]) => one === service).slice(MOST - 1));
    this.#tokens = [[service, token], ...kept.filter((one) => !tooOld.has(one))];
  }

  /** For a call of the service: what others told, for it knows its own. */
  header(service: Service): string | undefined {
    const others = this.#tokens.filter(([one]) => one !== service).slice(0, MOST);
    return others.map(([, token]) => token).join(",") || undefined;
  }

  /** For a session store. */
  dump(): [service: string, token: string][] {
    return [...this.#tokens];
  }
}
