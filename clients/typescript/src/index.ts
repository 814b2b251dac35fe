/** Booking from TypeScript: a `Booking` for each caller, operations by method and path, everything typed by docs/openapi.json. */
export { Booking, type Caller, type Servers } from "./booking.ts";
export { Refused, Unanswered, Unexpected } from "./errors.ts";
export type { Service } from "./operations.ts";
export { PATIENCE, type Patience } from "./patience.ts";
export type { components, paths } from "./schema.d.ts";
export { Seen } from "./seen.ts";
export type { DataOf, OperationOf, ProblemOf, Result, Unchanged, UndeclaredProblem } from "./types.ts";
