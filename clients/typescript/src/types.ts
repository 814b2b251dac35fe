import type { paths } from "./schema.d.ts";

export type Method = "get" | "put" | "post" | "delete";

/** Paths that answer this method with JSON, or with nothing. */
export type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, { responses: infer R }> ? ([BodyOf<R>] extends [never] ? never : P) : never;
}[keyof paths];

export type OperationOf<P extends keyof paths, M extends Method> = paths[P] extends Record<M, infer O> ? O : never;

type BodyOf<R> = R extends { 200: infer A } ? Json<A> : R extends { 201: infer A } ? Json<A> : R extends { 204: unknown } ? undefined : never;
type Json<A> = A extends { content: { "application/json": infer B } } ? B : never;

/** What a success of the operation holds. */
export type DataOf<O> = O extends { responses: infer R } ? BodyOf<R> : never;

/** No text is of this type, so that no code that is written down can be meant; every code that is newer than the client is. */
declare enum Undeclared {
  code = "",
}

/** A problem whose code is newer than this client: take it by its `status`. */
export interface UndeclaredProblem {
  code: Undeclared;
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
}

/** Why the operation may be refused, told apart by `code`; each code has members of its own. */
export type ProblemOf<O> = O extends { responses: infer R } ? { [S in keyof R]: Problems<R[S]> }[keyof R] | UndeclaredProblem : never;
type Problems<A> = A extends { content: { "application/problem+json": infer P } } ? P : never;

/** `If-None-Match` of a read is `readUnlessChanged`'s. */
type Parameters<O> = O extends { parameters: infer P; responses: infer R }
  ? R extends { 304: unknown }
    ? Omit<P, "header" | "cookie"> & { header?: P extends { header?: infer H } ? Omit<NonNullable<H>, "If-None-Match"> : never }
    : Omit<P, "cookie">
  : never;
type Body<O> = O extends { requestBody: { content: { "application/json": infer B } } }
  ? { body: B }
  : O extends { requestBody?: { content: { "application/json": infer B } } }
    ? { body?: B }
    : { body?: never };
type Needed<T> = { [K in keyof T]-?: {} extends Pick<T, K> ? never : K }[keyof T];
type Params<O> = [Needed<Parameters<O>>] extends [never] ? { params?: Parameters<O> } : { params: Parameters<O> };

/** What an operation is called with. */
export type Options<O> = Params<O> & Body<O> & { signal?: AbortSignal };

/** Left out only where nothing is needed. */
export type Given<O> = [Needed<Options<O>>] extends [never] ? [options?: Options<O>] : [options: Options<O>];

/** One of `data` and `problem`; `etag` is for `If-Match` of a change that is decided on this, and for `readUnlessChanged`. */
export type Result<O> =
  | { data: DataOf<O>; problem?: never; etag: TagOf<O>; response: Response }
  | { data?: never; problem: ProblemOf<O>; etag?: never; response: Response };

type TagOf<O> = O extends { responses: infer R } ? ([R[keyof R & (200 | 201)]] extends [{ headers: { ETag: unknown } }] ? string : undefined) : never;

/** 304: what the caller has is still so. */
export interface Unchanged {
  unchanged: true;
  data?: never;
  problem?: never;
  etag: string;
  response: Response;
}

/** Paths of lists. */
export type ListPath = { [P in keyof paths]: OperationOf<P, "get"> extends infer O ? (DataOf<O> extends Page ? P : never) : never }[PathOf<"get">];
export interface Page {
  items: unknown[];
  next_cursor?: string | null;
}
export type ItemOf<P extends ListPath> = DataOf<OperationOf<P, "get">> extends { items: (infer I)[] } ? I : never;
