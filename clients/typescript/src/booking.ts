import createClient from "openapi-fetch";

import { Refused, Unanswered, Unexpected } from "./errors.ts";
import { SERVICE_OF, type Service } from "./operations.ts";
import { passes, PATIENCE, type Patience, pauseAfter } from "./patience.ts";
import type { paths } from "./schema.d.ts";
import { Seen } from "./seen.ts";
import type { DataOf, Given, ItemOf, ListPath, Method, OperationOf, PathOf, ProblemOf, Result, Unchanged } from "./types.ts";

/** One address of whatever stands before all services, or one of each. */
export type Servers = string | Record<Service, string>;

/** Who calls, and how. */
export interface Caller {
  /** A bearer token, or what gives one for each try. */
  token?: string | (() => string | Promise<string>);
  /** What their session saw before; else nothing. */
  seen?: Seen;
  /** They go with every call: `X-Request-Id`, `traceparent`. */
  headers?: Record<string, string>;
  patience?: Partial<Patience>;
  /** Else the platform's. */
  fetch?: (request: Request) => Promise<Response>;
}

/**
 * Calls Booking's operations by method and path, as one person or service. A call returns its `data` or the `problem` that refused
 * it, and throws Unanswered or Unexpected.
 *
 * Calls that got no answer, 408, 429, 502, 503 and 504 are sent again: reads, and commands with the same Idempotency-Key.
 */
export class Booking {
  readonly seen: Seen;
  readonly #servers: Servers;
  readonly #caller: Caller;
  readonly #patience: Patience;
  readonly #client;

  constructor(servers: Servers, caller: Caller = {}) {
    for (const address of typeof servers === "string" ? [servers] : Object.values(servers)) new URL(address);
    this.seen = caller.seen ?? new Seen();
    this.#servers = servers;
    this.#caller = caller;
    this.#patience = { ...PATIENCE, ...caller.patience };
    this.#client = createClient<paths>(caller.fetch ? { fetch: caller.fetch } : {});
  }

  GET<P extends PathOf<"get">>(path: P, ...[options]: Given<OperationOf<P, "get">>): Promise<Result<OperationOf<P, "get">>> {
    return this.#call("get", path, options) as Promise<Result<OperationOf<P, "get">>>;
  }

  PUT<P extends PathOf<"put">>(path: P, ...[options]: Given<OperationOf<P, "put">>): Promise<Result<OperationOf<P, "put">>> {
    return this.#call("put", path, options) as Promise<Result<OperationOf<P, "put">>>;
  }

  POST<P extends PathOf<"post">>(path: P, ...[options]: Given<OperationOf<P, "post">>): Promise<Result<OperationOf<P, "post">>> {
    return this.#call("post", path, options) as Promise<Result<OperationOf<P, "post">>>;
  }

  DELETE<P extends PathOf<"delete">>(path: P, ...[options]: Given<OperationOf<P, "delete">>): Promise<Result<OperationOf<P, "delete">>> {
    return this.#call("delete", path, options) as Promise<Result<OperationOf<P, "delete">>>;
  }

  /** Reads what is another than this `etag`'s. */
  readUnlessChanged<P extends PathOf<"get">>(
    etag: string,
    path: P,
    ...[options]: Given<OperationOf<P, "get">>
  ): Promise<Result<OperationOf<P, "get">> | Unchanged> {
    const { params, ...rest } = (options ?? {}) as Untyped;
    const conditional = { ...rest, params: { ...params, header: { ...params?.header, "If-None-Match": etag } } };
    return this.#call("get", path, conditional) as Promise<Result<OperationOf<P, "get">> | Unchanged>;
  }

  /** A list, page after page, from the given `cursor` on. Throws Refused. */
  async *pages<P extends ListPath>(path: P, ...[options]: Given<OperationOf<P, "get">>): AsyncGenerator<DataOf<OperationOf<P, "get">>> {
    const { params, ...rest } = (options ?? {}) as Untyped;
    for (let cursor = params?.query?.cursor; ; ) {
      const query = { ...params?.query, ...(cursor ? { cursor } : {}) };
      const { data, problem } = await this.#call("get", path, { ...rest, params: { ...params, query } });
      if (problem) throw new Refused(problem as ProblemOf<OperationOf<P, "get">>);
      yield data as DataOf<OperationOf<P, "get">>;
      cursor = (data as { next_cursor?: string | null }).next_cursor;
      if (!cursor) return;
    }
  }

  /** A list's items, as many as there are. Throws Refused. */
  async *items<P extends ListPath>(path: P, ...given: Given<OperationOf<P, "get">>): AsyncGenerator<ItemOf<P>> {
    for await (const page of this.pages(path, ...given)) yield* (page as { items: ItemOf<P>[] }).items;
  }

  async #call(method: Method, path: keyof paths, options: unknown): Promise<Untold> {
    const { params = {}, body, signal } = (options ?? {}) as Untyped;
    for (const value of Object.values(params.path ?? {}))
      if (/^\.{0,2}$/.test(String(value))) throw new RangeError(`"${value}" is no id`); // it would lead elsewhere
    const service = SERVICE_OF[path];
    const baseUrl = (typeof this.#servers === "string" ? this.#servers : this.#servers[service]).replace(/\/+$/, "");
    const key = method === "get" ? undefined : (params.header?.["Idempotency-Key"] ?? crypto.randomUUID());
    const tokens = this.seen.header(service);
    const asked = secondsAsked(params.query ?? {}) * 1000;
    const until = performance.now() + this.#patience.deadline + asked;
    const operation = `${method.toUpperCase()} ${path}`;
    for (let tries = 1; ; tries++) {
      const token = typeof this.#caller.token === "function" ? await this.#caller.token() : this.#caller.token;
      const left = Math.min(this.#patience.attempt + asked, until - performance.now());
      const limit = AbortSignal.timeout(Math.max(1, Math.ceil(left)));
      let pause: number;
      try {
        const { data, error, response } = await (this.#client.request as Untyped)(method, path, {
          params,
          body,
          baseUrl,
          signal: signal ? AbortSignal.any([signal, limit]) : limit,
          headers: {
            ...this.#caller.headers,
            ...(token ? { Authorization: `Bearer ${token}` } : {}),
            ...(key ? { "Idempotency-Key": key } : {}),
            ...(tokens ? { "Consistency-Token": tokens } : {}),
          },
        });
        pause = pauseAfter(tries, this.#patience, response.headers.get("Retry-After"));
        if (!passes(response.status) || performance.now() + pause >= until) return this.#taken(operation, service, data, error, response);
      } catch (broken) {
        if (broken instanceof Unexpected || signal?.aborted) throw broken;
        pause = pauseAfter(tries, this.#patience);
        if (performance.now() + pause >= until) throw new Unanswered(operation, key, broken);
      }
      await paused(pause, signal);
    }
  }

  #taken(operation: string, service: Service, data: unknown, error: unknown, response: Response): Untold {
    const told = { response, etag: response.headers.get("ETag") ?? undefined };
    if (response.status === 304) return { ...told, unchanged: true };
    if (response.ok) {
      this.seen.take(service, response.headers.get("Consistency-Token"));
      return { ...told, data };
    }
    if (!response.headers.get("Content-Type")?.startsWith("application/problem+json")) throw new Unexpected(operation, response);
    return { ...told, problem: error };
  }
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Untyped = any;
interface Untold {
  response: Response;
  etag: string | undefined;
  data?: unknown;
  problem?: unknown;
  unchanged?: true;
}

/** Seconds that a service waits at most, because the call asks for it. */
function secondsAsked(query: Record<string, unknown>): number {
  const [told, unlessTold] = query.wait_for ? [query.wait_for_seconds, 30] : [query.wait, 2];
  return typeof told === "number" ? told : unlessTold;
}

function paused(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
