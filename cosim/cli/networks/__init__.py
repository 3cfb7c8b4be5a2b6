"""Commands of networks: training, and what hardware does to them."""
