"""What no file may have imported: a test sees that it was not."""


def spring(*_):
    raise SystemExit("a file has run code")
