"""Operations that ask for everything there is."""

VOTER = "voter { name isAnonymous isMe member { id name handle } }"
RESULT = """
  revision calculatedAt isFinal rules reason decisionId
  winner { id title } runnerUp { id title } finalists { id title }
  scores { choice { title } score stars average rank fiveStarBallots }
  preferences { choice { title } counts { over { title } ballots } }
  runoff { votes { choice { title } ballots } equal }
  tieBreaks { kind round choices { title } won { title } numbers { choice { title } number } }
  participation { eligible cast inherited abstained none lobbyists counted }
"""
BALLOT = f"""
  kind isCounted {VOTER} stars {{ choice {{ title }} microstars stars }} tags comment
  sources {{ member {{ name isMe member {{ id handle }} }} weight weightFraction path {{ name member {{ id }} }} }}
"""
DECISION = f"""
query Decision($id: ID!) {{ decision(id: $id) {{
  id title description status opensAt closesAt publishedAt resultsVisibility showsBallots tags
  choices {{ id title description lot }}
  calculation {{ decisionId status inputRevision calculatedRevision lastCalculated isFinal isCalculating error }}
  result {{ {RESULT} }}
  myBallot {{ {BALLOT} }}
  ballots(first: 8) {{ totalCount edges {{ cursor node {{ {BALLOT} }} }} }}
  history(first: 10) {{ totalCount edges {{ node {{ {RESULT} }} }} }}
  influence(first: 100) {{ totalCount edges {{ node {{ {VOTER} ballots }} }} }}
  delegationGraph {{ isComplete nodes {{ {VOTER} kind }} edges {{ follower followee tags }} }}
}} }}
"""
MEMBER = "id name handle role isManager isAnonymous joinedAt isMe"
FOLLOWING = f"totalCount edges {{ node {{ id tags order createdAt follower {{ {MEMBER} }} followee {{ {MEMBER} }} }} }}"
COMMUNITY = f"""
query Community($id: ID!) {{
  me {{ name handle memberships {{ totalCount edges {{ node {{ community {{ name }} role }} }} }} }}
  communities(first: 20) {{ totalCount edges {{ node {{ id name description memberCount visibility autoApprove }} }} }}
  decisions(communityId: $id) {{ totalCount edges {{ node {{ id title status result {{ isFinal }} }} }} }}
  community(id: $id) {{
    id name memberCount membership {{ role }} application {{ id message }}
    decisions(first: 50) {{ totalCount edges {{ node {{ id title tags myBallot {{ kind }} result {{ revision }} }} }} }}
    members(first: 20) {{ totalCount edges {{ cursor node {{
      {MEMBER} followings(first: 10) {{ {FOLLOWING} }} followers(first: 10) {{ {FOLLOWING} }} }} }} }}
    applications(first: 20) {{ totalCount edges {{ node {{ id message status applicant {{ name handle }} }} }} }}
  }}
}}
"""
LEDGER = """
query Ledger($id: ID!, $newestFirst: Boolean!) { ledger(communityId: $id, first: 100, newestFirst: $newestFirst) {
  totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  edges { cursor node { revision time kind actor summary decisionId before after hash previousHash } }
} }
"""
WHAT_IF = f"""
query WhatIf($id: ID!, $changes: [ChangeInput!]!) {{ whatIf(decisionId: $id, changes: $changes) {{
  before {{ {RESULT} }} after {{ {RESULT} }} othersChanged
  myBallotBefore {{ kind stars {{ microstars }} tags }} myBallotAfter {{ kind stars {{ microstars }} tags }}
  mySourcesAfter {{ member {{ name member {{ id }} }} weight weightFraction path {{ name }} }}
  decisionsChanged {{ id title }}
}} }}
"""
NODE = f"""
query Node($id: ID!) {{ node(id: $id) {{ id __typename
  ... on Member {{ {MEMBER} }} ... on Following {{ tags }} ... on Decision {{ title }} ... on Community {{ name }}
  ... on Application {{ message }}
}} }}
"""
