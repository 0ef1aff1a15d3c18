// PkarrStore
