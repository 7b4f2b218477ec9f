"""Components of our own: plain HTML, CSS and JavaScript files, no build step, nothing fetched from anywhere."""
