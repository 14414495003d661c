"""What a step looks like: pure data, computed without Qt, painted by `cnnviz.render`."""
