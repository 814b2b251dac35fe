/**
 * No answer until the deadline: a command may have been done or not. Send it again with this `idempotencyKey`: it is done once,
 * and you get the first answer.
 */
export class Unanswered extends Error {
  override name = "Unanswered";
  readonly idempotencyKey: string | undefined;

  constructor(operation: string, idempotencyKey: string | undefined, cause: unknown) {
    super(`${operation} got no answer`, { cause });
    this.idempotencyKey = idempotencyKey;
  }
}

/** An answer that is none of Booking's: something in between spoke, such as a proxy. */
export class Unexpected extends Error {
  override name = "Unexpected";
  readonly response: Response;

  constructor(operation: string, response: Response) {
    super(`${operation}: ${response.status}`);
    this.response = response;
  }
}

/** A refusal where nothing can be returned: while a list is read. */
export class Refused<P extends { code: string; status: number; detail: string }> extends Error {
  override name = "Refused";
  readonly problem: P;

  constructor(problem: P) {
    super(`${problem.status} ${problem.code}: ${problem.detail}`);
    this.problem = problem;
  }
}
