// Has a client of others query, watch, vote and receive the next event: `node clients.mjs CLIENT URL TOKEN DECISION CHOICE`.
// CHOICE is the position of the choice that gets five stars. Each is used as its documents begin: nothing is set that a
// newcomer would not set. Prints what it got, as JSON.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { createHash } from "node:crypto";
import { OperationTypeNode } from "graphql";
import { Client, cacheExchange, fetchExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const [name, url, token, decisionId, position] = process.argv.slice(2);
const authorization = token === "-" ? {} : { authorization: `Bearer ${token}` };
const socketUrl = url.replace("http", "ws");

const QUERY = "query($id: ID!) { decision(id: $id) { id title choices { id title } result { revision } } me { handle } }";
const WATCH = "subscription($id: ID!) { decisionResult(decisionId: $id) { revision winner { title } } }";
const VOTE = `mutation($id: ID!, $stars: [StarsInput!]!) {
  castVote(input: {decisionId: $id, stars: $stars}) { receipt errors { code } } }`;

const sha256 = (text) => createHash("sha256").update(text).digest("hex");

const apollo = (...links) => {
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.from([
      ...links,
      ApolloLink.split(
        ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
        new GraphQLWsLink(createClient({ url: socketUrl, connectionParams: authorization, webSocketImpl: WebSocket })),
        new HttpLink({ uri: url, headers: authorization }),
      ),
    ]),
  });
  return {
    query: async (variables) => (await client.query({ query: gql(QUERY), variables })).data,
    mutate: async (variables) => (await client.mutate({ mutation: gql(VOTE), variables })).data,
    watch: (variables, seen) => client.subscribe({ query: gql(WATCH), variables }).subscribe(({ data }) => seen(data)),
  };
};

const urql = () => {
  const client = new Client({
    url,
    exchanges: [cacheExchange, fetchExchange],
    fetchSubscriptions: true,
    fetchOptions: { headers: authorization },
  });
  const data = (result) => {
    if (result.error) throw result.error;
    return result.data;
  };
  return {
    query: async (variables) => data(await client.query(QUERY, variables)),
    mutate: async (variables) => data(await client.mutation(VOTE, variables)),
    watch: (variables, seen) => client.subscription(WATCH, variables).subscribe((result) => seen(data(result))),
  };
};

const byHash = () => apollo(new PersistedQueryLink({ sha256, useGETForHashedQueries: true }));

const client = { apollo, urql, byHash }[name]();
const { decision, me } = await client.query({ id: decisionId });
const events = [];
let told = () => {};
client.watch({ id: decisionId }, (data) => {
  events.push(data.decisionResult);
  told();
});
const until = async (reached) => {
  while (!reached()) await new Promise((resolve) => { told = resolve; });
};
await until(() => events.length > 0);
const stars = decision.choices.map((choice, index) => ({ choiceId: choice.id, stars: index === Number(position) ? 5 : 0 }));
const vote = await client.mutate({ id: decisionId, stars });
if (vote.castVote.errors.length === 0) await until(() => events.at(-1)?.winner?.title === decision.choices[position].title);
console.log(JSON.stringify({ title: decision.title, me, vote: vote.castVote, events }));
process.exit(0);
