// Mainline
