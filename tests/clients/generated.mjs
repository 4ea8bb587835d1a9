// Has the generated client query, watch, vote and receive the next event:
// `node generated.mjs CLIENT URL TOKEN DECISION CHOICE`. CLIENT is the path of its built index.js; CHOICE is the position
// of the choice that gets five stars. Prints what it got, as JSON.
import WebSocket from "ws";

const [path, url, token, id, position] = process.argv.slice(2);
const api = await import(path);

// Node 20 has no WebSocket of its own.
const site = new api.CrowdVote(url, { token: token === "-" ? undefined : token, socket: { webSocketImpl: WebSocket } });
const { decision } = await site.ask(api.DecisionDocument, { id });
const { me } = await site.ask(api.MyOpenDecisionsDocument, {});
const wanted = decision.choices[position];
const events = [];
let vote;
for await (const { decisionResult } of site.watch(api.DecisionResultDocument, { decisionId: id })) {
  events.push(decisionResult);
  vote ??= (await site.ask(api.CastVoteDocument, { input: { decisionId: id, stars: [{ choiceId: wanted.id, stars: 5 }] } })).castVote;
  if (vote.errors.length > 0 || decisionResult?.winner?.id === wanted.id) break;
}
const refusal = async (asking) => {
  try {
    await asking();
  } catch (thrown) {
    return thrown.codes ?? String(thrown);
  }
};
const refused = {
  asked: await refusal(() => site.ask(api.MembersDocument, { communityId: id })),
  watched: await refusal(() => site.watch(api.DecisionResultDocument, { decisionId: "nothing" }).next()),
};
await site.close();
console.log(JSON.stringify({ title: decision.title, me, vote, wanted, events, refused }));
