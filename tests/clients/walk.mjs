// Has a client of others query, watch, vote and receive the next event. It cannot vote as a visitor (TOKEN is "-"):
// then VOTER, the token of somebody who can, does. Returns what it got.
import { collected, connect, voteForAnother } from "./connections.mjs";
import { QUERY, VOTE, WATCH } from "./operations.js";

export const walk = async (name, url, token, voter, id) => {
  const client = connect(name, url, token);
  const { decision, me } = await client.query(QUERY, { id });
  const { events, seen, until } = collected();
  client.watch(WATCH, { id }, ({ decisionResult }) => {
    if (decisionResult !== null) seen(decisionResult);
  });
  await until(() => events.length > 0);
  const { wanted, vote } = voteForAnother(decision, events[0].winner);
  const { castVote } = await client.mutate(VOTE, vote);
  if (castVote.errors.length > 0) await connect(name, url, voter).mutate(VOTE, vote);
  await until(() => events.at(-1).winner?.title === wanted);
  return { title: decision.title, me, vote: castVote, wanted, events };
};
