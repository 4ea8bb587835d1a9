"""The law of privacy, tested as a law: nobody else can tell two worlds apart that differ only in who wrote what.

One script lives through two worlds in turn, under one clock. They differ only in which of two anonymous members wrote
which ballot and at which moment of an hour, or in ballots that are hidden now. Somebody else (a visitor, a member, one
with four helpers, a manager, an operator) acts in both in the same way and collects everything that the site gives
them. The two collections have to be the same, pseudonyms renamed.

    worlds          a town and its script: who casts what, when
    adversaries     the somebody else, and their acts
    surfaces        collecting: every page, query, subscription, export, log line and list of the administration
    operations      every query and every mutation that the API's schema allows, made from it
    transcripts     the collections in one form, and their first difference in words
    test_two_worlds the law
    test_told       what is told of things that nobody may know of, and to voters of what others will see
    test_breaks     ways in which it was once broken, each by itself
    test_breaks_of_names  the same, where nobody is anonymous at first
"""
