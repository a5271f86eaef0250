"""``carcloc report``: one self-contained page about a procedure or a test, for people. No torch."""
