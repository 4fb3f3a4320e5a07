"""Alerts: rules on levels and on the feed, evaluated once by the feed, kept in the cache, sent to webhooks.

`rules` says what can be asked for, `evaluate` decides (pure), `words` says it, `watch` runs it beside the feed, and
`courier` sends it.
"""
