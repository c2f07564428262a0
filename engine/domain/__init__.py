"""The words of the product: frozen values, columnar batches, ports and errors."""
