"""The door: sign-in with Schwab, sessions, the guard in front of every route, and protective headers.

`app.access.door.install` puts it on a server; `app.access.listener` is a process of its own, and loads none of that.
"""
