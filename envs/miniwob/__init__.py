"""MiniWoB++ in a real browser: forms, menus, tables, mail, calendars, from the pages of the package `miniwob`.

`env` has the environment. Imports the base of text environments and the browser; above envs it is made by its id.
"""
