// The operations that clients of others send. They are named after this file, and tagged, as Relay's compiler wants it.
const graphql = String.raw;

export const QUERY = graphql`
  query operationsQuery($id: ID!) {
    decision(id: $id) { id title choices { id title } result { revision } }
    me { handle }
  }
`;
export const WATCH = graphql`
  subscription operationsSubscription($id: ID!) {
    decisionResult(decisionId: $id) { revision winner { title } }
  }
`;
export const VOTE = graphql`
  mutation operationsMutation($id: ID!, $stars: [StarsInput!]!) {
    castVote(input: { decisionId: $id, stars: $stars }) { receipt errors { code } }
  }
`;
// The vote tells nothing of the decision, so that a store hears of its new result by the subscription alone.
export const STORED_QUERY = graphql`
  query operationsStoredQuery($id: ID!) {
    decision(id: $id) { id result { revision winner { title } } }
  }
`;
export const STORED_WATCH = graphql`
  subscription operationsStoredSubscription($id: ID!) {
    decisionResult(decisionId: $id) { decision { id result { revision winner { title } } } }
  }
`;
