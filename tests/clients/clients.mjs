// Has a client of others query, watch, vote and receive the next event:
// `node clients.mjs CLIENT URL TOKEN DECISION MADE`. Prints what it got, as JSON.
import { collected, connect, voteForAnother } from "./connections.mjs";
import { QUERY, VOTE, WATCH } from "./operations.js";

const [name, url, token, id, made] = process.argv.slice(2);
const client = await connect(name, url, token, made);
const { decision, me } = await client.query(QUERY, { id });
const { events, seen, until } = collected();
client.watch(WATCH, { id }, ({ decisionResult }) => {
  if (decisionResult !== null) seen(decisionResult);
});
await until(() => events.length > 0);
const { wanted, vote } = voteForAnother(decision, events[0].winner);
const { castVote } = await client.mutate(VOTE, vote);
if (castVote.errors.length === 0) await until(() => events.at(-1).winner?.title === wanted);
console.log(JSON.stringify({ title: decision.title, me, vote: castVote, events }));
process.exit(0);
