"""What every driver, layer and user may rely on; standard library only."""
