"""PyTorch's only home: depth networks and the plane sweep."""
