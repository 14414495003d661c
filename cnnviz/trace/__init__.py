"""Which step are we at, and what does Python hold there? All by arithmetic; nothing is recorded."""
