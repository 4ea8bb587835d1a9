// Has a client that keeps what it has read query, watch and vote, and query again when it is told of a result:
// `node stores.mjs CLIENT URL TOKEN DECISION`. Prints, as JSON, which operations it sent over HTTP, and each
// result that it was told of beside the one that it then read.
import "./websocket.mjs";
import { collected, connect, voteForAnother } from "./connections.mjs";
import { QUERY, STORED_QUERY, STORED_WATCH, VOTE } from "./operations.js";

const [name, url, token, id] = process.argv.slice(2);
const asked = [];
const { fetch } = globalThis;
globalThis.fetch = (address, request) => {
  asked.push(/\w+ (\w+)/.exec(JSON.parse(request.body).query)[1]);
  return fetch(address, request);
};

const client = connect(name, url, token);
const { decision } = await client.query(QUERY, { id });
await client.query(STORED_QUERY, { id });
const { events, seen, until } = collected();
client.watch(STORED_WATCH, { id }, async ({ decisionResult }) => {
  if (decisionResult === null) return;
  const read = (await client.query(STORED_QUERY, { id })).decision.result;
  seen({ told: decisionResult.decision.result, read });
});
await until(() => events.length > 0);
const { wanted, vote } = voteForAnother(decision, events[0].told.winner);
const { castVote } = await client.mutate(VOTE, vote);
if (castVote.errors.length === 0) await until(() => events.at(-1).told.winner?.title === wanted);
console.log(JSON.stringify({ asked, vote: castVote, wanted, events }));
process.exit(0);
