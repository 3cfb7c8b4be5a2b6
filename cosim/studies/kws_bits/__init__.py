"""Study kws-bits: accuracy of keyword spotting against bits."""
