"""Notices: changes in the ledger, and what time brings, become rows of an outbox; senders mail them.

Webhooks are told through an outbox of the same kind.

# Note [None lost, hardly one doubled]
A notice is a row, written in the transaction of what it tells of, or of the cursor that has read it. A sender holds a
row for a while (a lease), mails it, and marks it as sent in a transaction of its own. A process that dies leaves rows
whose lease runs out, and another takes them. A mail is doubled only if the process dies, or stalls for longer than the
lease, between the mail server's answer and that mark: at most one mail for each process. Both copies have the same
Message-ID.
"""
