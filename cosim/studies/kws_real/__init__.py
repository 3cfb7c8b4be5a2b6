"""Study kws-real: published keyword networks on real speech, from floating point to whole chips."""
