import MainlineProtocol

/// The network of an experiment.
public struct NetworkPlan: Sendable, Hashable {
  /// Nodes, at any time.
  public var nodes = 500
  /// How datagrams fare: by default over a wide area and without loss.
  public var conditions: NetworkConditions
  /// How long nodes stay.
  public var sessions = SessionTimes.endless
  /// Share of the nodes behind routers with address translation, a fifth of them behind each kind and two fifths behind
  /// port-restricted ones. They are no servers unless they are found to be reachable.
  public var natShare = 0.0
  /// How long it takes until all nodes have joined, evenly one after the other; at least 20 ms each.
  public var growth: Duration = .seconds(600)
  /// How long they then settle before anything is measured. Nodes that join all at once know their neighbourhood as it was
  /// in that moment, and look again after 15 minutes: a network is itself only after that.
  public var settling: Duration = .seconds(1200)
  /// Which nodes do not serve items.
  public var cooperation = Cooperation()

  /// Bounds of what a run can be asked for.
  public static let nodeBounds = 10...100_000

  /// 500 nodes that stay.
  public init() {
    conditions = NetworkConditions()
    conditions.latency = .wideArea
  }

  /// What a report says about it.
  func fields(seed: UInt64) -> [Report.Field] {
    var fields: [Report.Field] = [
      .init("seed", .text(String(seed))), .init("nodes", .count(nodes)),
      .init("loss", .number(conditions.loss, digits: 4)), .init("nat", .number(natShare, digits: 4)),
    ]
    switch sessions {
    case .endless: fields.append(.init("sessions", .text("endless")))
    case .exponential(let mean):
      fields.append(.init("sessions", .text("exponential, mean \(Int(mean.inSeconds)) s")))
    case .residualWeibull(let scale, let shape):
      let shape = FixedPoint.text(shape, digits: 3)
      fields.append(.init("sessions", .text("measured, scale \(Int(scale.inSeconds)) s, shape \(shape)")))
    }
    if cooperation.withoutItems > 0 {
      fields.append(.init("without_items", .number(cooperation.withoutItems, digits: 4)))
    }
    if cooperation.full > 0 { fields.append(.init("full", .number(cooperation.full, digits: 4))) }
    if cooperation.forgetful > 0 { fields.append(.init("forgetful", .number(cooperation.forgetful, digits: 4))) }
    return fields
  }
}
