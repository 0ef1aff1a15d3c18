// MainlineProtocol
