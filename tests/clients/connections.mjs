// Clients of others, each used as its documents begin: nothing is set that a newcomer would not set. They run in Node and
// on pages, beside what Relay's compiler has made of operations.js.
// `connect(client, url, token)` has `query`, `mutate` and `watch`, which take a document of operations.js and its
// variables. TOKEN is "-" for a visitor.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { OperationTypeNode } from "graphql";
import { Client, cacheExchange, fetchExchange } from "urql";
import { createClient } from "graphql-ws";
import {
  Environment, Network, Observable, RecordSource, Store, commitMutation, fetchQuery, requestSubscription,
} from "relay-runtime";

const sha256 = async (text) => {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
};

const socketClient = (url, headers) => createClient({ url: url.replace("http", "ws"), connectionParams: headers });

const apollo = (url, headers, ...links) => {
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.from([
      ...links,
      ApolloLink.split(
        ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
        new GraphQLWsLink(socketClient(url, headers)),
        new HttpLink({ uri: url, headers }),
      ),
    ]),
  });
  return {
    query: async (document, variables) => (await client.query({ query: gql(document), variables })).data,
    mutate: async (document, variables) => (await client.mutate({ mutation: gql(document), variables })).data,
    watch: (document, variables, seen) =>
      client.subscribe({ query: gql(document), variables }).subscribe(({ data }) => seen(data)),
  };
};

const urql = (url, headers) => {
  const client = new Client({
    url,
    exchanges: [cacheExchange, fetchExchange],
    fetchSubscriptions: true,
    fetchOptions: { headers },
  });
  const data = (result) => {
    if (result.error) throw result.error;
    return result.data;
  };
  return {
    query: async (document, variables) => data(await client.query(document, variables)),
    mutate: async (document, variables) => data(await client.mutation(document, variables)),
    watch: (document, variables, seen) =>
      client.subscription(document, variables).subscribe((result) => seen(data(result))),
  };
};

const relay = (url, headers) => {
  const socket = socketClient(url, headers);
  // The compiler may put hashes into the place of texts, which go into a list.
  const document = ({ id, text }) => (text === null ? { documentId: `sha256:${id}` } : { query: text });
  const ask = async (request, variables) => {
    const answer = await fetch(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ ...document(request), variables }),
    });
    return answer.json();
  };
  const listen = (request, variables) =>
    Observable.create((sink) => {
      // graphql-ws sends nothing without a query, be it empty.
      const sent = { operationName: request.name, query: "", ...document(request), variables };
      return socket.subscribe(sent, sink);
    });
  const environment = new Environment({
    network: Network.create(ask, listen),
    store: new Store(new RecordSource()),
  });
  // Relay's plugin for Babel would put what the compiler made into the place of the text.
  const compiled = async (document) => {
    const [, name] = /\w+ (\w+)/.exec(document);
    return (await import(`./__generated__/${name}.graphql.js`)).default;
  };
  return {
    query: async (document, variables) =>
      fetchQuery(environment, await compiled(document), variables, { fetchPolicy: "store-or-network" }).toPromise(),
    mutate: async (document, variables) => {
      const mutation = await compiled(document);
      return new Promise((onCompleted, onError) => {
        commitMutation(environment, { mutation, variables, onCompleted, onError });
      });
    },
    watch: async (document, variables, onNext) => {
      const onError = (error) => { throw error; };
      requestSubscription(environment, { subscription: await compiled(document), variables, onNext, onError });
    },
  };
};

const makers = {
  apollo: (url, headers) => apollo(url, headers),
  byHash: (url, headers) => apollo(url, headers, new PersistedQueryLink({ sha256, useGETForHashedQueries: true })),
  urql,
  relay,
};

export const connect = (client, url, token) =>
  makers[client](url, token === "-" ? {} : { authorization: `Bearer ${token}` });

// Returns events that can be waited for: `seen` takes one, `until` ends when what is asked of them holds.
export const collected = () => {
  const events = [];
  let told = () => {};
  const seen = (event) => {
    events.push(event);
    told();
  };
  const until = async (reached) => {
    while (!reached()) await new Promise((resolve) => { told = resolve; });
  };
  return { events, seen, until };
};

// Returns a vote for a choice that does not win now, and its title.
export const voteForAnother = ({ id, choices }, winner) => {
  const wanted = choices.findLast(({ title }) => title !== winner?.title);
  const stars = choices.map((choice) => ({ choiceId: choice.id, stars: choice === wanted ? 5 : 0 }));
  return { wanted: wanted.title, vote: { id, stars } };
};
