// A client of CrowdVote's API: asks by fetch, and watches over WebSocket. Every operation in generated.ts can be given to it.
import { type Client, type ClientOptions, createClient } from "graphql-ws";
import type { TypedDocumentString } from "./generated.js";

export * from "./generated.js";

/** An error as the API tells it; `extensions.code` is for programs. */
export interface ApiError {
  readonly message: string;
  readonly extensions?: { readonly code?: string };
}

/** What the API did not do, and why. */
export class Refused extends Error {
  readonly errors: readonly ApiError[];

  constructor(errors: readonly ApiError[]) {
    super(errors.map((error) => error.message).join(" "));
    this.name = "Refused";
    this.errors = errors;
  }

  get codes(): string[] {
    return this.errors.map((error) => error.extensions?.code ?? "");
  }
}

export interface Options {
  /** An API token; without one you are a visitor. */
  readonly token?: string;
  /** Settings of graphql-ws, such as `webSocketImpl` for a Node without a WebSocket of its own. */
  readonly socket?: Partial<ClientOptions>;
}

interface Answer<Result> {
  readonly data?: Result | null;
  readonly errors?: readonly ApiError[];
}

function dataOf<Result>({ data, errors }: Answer<Result>): Result {
  if (errors) throw new Refused(errors);
  return data as Result;
}

/** A site's API, whose address ends with `/graphql/`. */
export class CrowdVote {
  readonly #address: string;
  readonly #authorization: Record<string, string>;
  readonly #settings: Partial<ClientOptions>;
  #socket: Client | undefined;

  constructor(address: string, { token, socket = {} }: Options = {}) {
    this.#address = address;
    this.#authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    this.#settings = socket;
  }

  /** Carry out a query or a mutation; throws what the API refuses. A mutation's `errors` are part of its answer. */
  async ask<Result, Variables>(document: TypedDocumentString<Result, Variables>, variables: Variables): Promise<Result> {
    const answer = await fetch(this.#address, {
      method: "POST",
      // A browser's session of the site does not count: only the token does.
      credentials: "omit",
      headers: { "content-type": "application/json", accept: "application/json", ...this.#authorization },
      body: JSON.stringify({ query: document.toString(), variables }),
    });
    return dataOf((await answer.json()) as Answer<Result>);
  }

  /** Yield what a subscription yields, until the loop that reads it is left; throws what the API refuses. */
  async *watch<Result, Variables extends Record<string, unknown>>(
    document: TypedDocumentString<Result, Variables>,
    variables: Variables,
  ): AsyncGenerator<Result, void, undefined> {
    const events = this.#connected().iterate<Result>({ query: document.toString(), variables });
    try {
      for await (const event of events) yield dataOf(event as Answer<Result>);
    } catch (thrown) {
      throw Array.isArray(thrown) ? new Refused(thrown as ApiError[]) : thrown;
    }
  }

  /** End every subscription. */
  async close(): Promise<void> {
    await this.#socket?.dispose();
    this.#socket = undefined;
  }

  // Whoever only asks needs no WebSocket, which Node 20 has not. It connects again when the site has restarted.
  #connected(): Client {
    this.#socket ??= createClient({
      url: this.#address.replace(/^http/, "ws"),
      connectionParams: this.#authorization,
      ...this.#settings,
    });
    return this.#socket;
  }
}
