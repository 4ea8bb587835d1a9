"""The law of privacy, tested as a law: nobody else can tell two worlds apart that differ only in who wrote what.

Two worlds are lived through in turn, by one script and under one clock. They differ only in which of two anonymous
members wrote which ballot and at which moment of an hour, or in ballots that are hidden now. Somebody else (a visitor,
a member, one with four helpers, a manager, an operator) acts in both in the same way and collects whatever the site
gives them. What they collect has to be the same, pseudonyms renamed.

    worlds          a town and its script: who casts what, when
    adversaries     who somebody else is, and what they do
    surfaces        collecting: every page, query, subscription, export, log line and list of the administration
    operations      every question and every change that the schema of the API allows, made from it
    transcripts     what was collected, brought into one form, and the first difference in words
    test_two_worlds the law
    test_told       what is told of things that nobody may know of, and to voters of what others will see
    test_breaks     ways in which it was once broken, each by itself
"""
