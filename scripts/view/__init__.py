"""An episode as a picture: the world beside the inspector, in a window or in a file.

Imports the canvas and records of episodes; the commands that show or record episodes import it.
"""
