print("pubky")
