"""Study lorenz: an almost-linear RNN reconstructs a chaotic attractor, in floating point and on ramps of few bits."""
