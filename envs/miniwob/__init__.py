"""MiniWoB++ in a real browser: forms, menus, tables, mail, calendars, from the pages of the package `miniwob`."""
