// MainlineSimulator
