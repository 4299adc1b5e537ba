"""An episode as a picture: the world beside the mind, in a window or in a file."""
