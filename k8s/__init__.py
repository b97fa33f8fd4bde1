"""What a real cluster needs: kind's configuration, the image, autoscaling, end-to-end tests."""
