import { Booking, type Caller, type Servers } from "../../src/index.ts";

const SERVERS: Servers = {
  checkout: "https://checkout.example",
  consultation: "https://consultation.example/",
  notifier: "https://notifier.example",
  calendar: "https://calendar.example",
};
const QUICK = { deadline: 1_000, attempt: 500, firstPause: 1, longestPause: 10 };

type Step = Error | (() => Response) | ((request: Request) => Response | Promise<Response>);

/** A caller whose network answers by a script, the last step once more to whatever comes after; `asked` keeps what was asked. */
export function script(...steps: Step[]): { booking: (caller?: Caller) => Booking; asked: Request[]; sent: (name: string) => (string | null)[] } {
  const asked: Request[] = [];
  const answer = async (request: Request): Promise<Response> => {
    asked.push(request);
    const step = steps.length > 1 ? steps.shift() : steps[0];
    if (step instanceof Error || step === undefined) throw step ?? new Error("an empty script");
    request.signal.throwIfAborted();
    return step(request);
  };
  return {
    booking: (caller = {}) => new Booking(SERVERS, { token: "a token", patience: QUICK, fetch: answer, ...caller }),
    asked,
    sent: (name) => asked.map((request) => request.headers.get(name)),
  };
}

/** A success. */
export function ok(body: unknown, headers: Record<string, string> = {}, status = 200): () => Response {
  return () => Response.json(body, { status, headers });
}

/** A refusal. */
export function problem(status: number, code: string, members: object = {}, headers: Record<string, string> = {}): () => Response {
  const body = { type: `urn:booking:problem:${code}`, title: code, status, detail: "No.", instance: "/", code, ...members };
  return () => Response.json(body, { status, headers: { ...headers, "Content-Type": "application/problem+json" } });
}
