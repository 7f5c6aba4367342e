"""From pictures to what a network is trained on."""
