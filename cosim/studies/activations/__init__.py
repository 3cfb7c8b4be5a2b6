"""Study activations: the gallery of functions, compiled and measured."""
