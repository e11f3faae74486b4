"""The plan language: a pure half (the standard library only) and a reading half that imports it."""
