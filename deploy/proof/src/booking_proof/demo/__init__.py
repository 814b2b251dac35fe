"""`booking demo`: the product's flow, played through the public interface alone, each step followed to its end."""
