// PkarrClient
