"""An episode as a picture: the world beside the inspector, in a window or in a file."""
