"""What a real cluster needs: kind's configuration, the image, end-to-end tests."""
