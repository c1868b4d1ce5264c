"""
Coming from Open Event Server.

`facts` says what is read there, `source` reads it; `users`, `events`, `roles`, `links` and
`platform_keys` decide, one row at a time and without a database, what becomes of it; the modules
named `write_…` bring what was decided into our tables; `run` does all of it in order. `on_demand`
does the same for one event or person (`subjects`), by a `lookup` at the moment they are asked for.
"""
