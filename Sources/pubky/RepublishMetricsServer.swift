import Addresses
import CommandLineTool
import EventLoops
import HTTP
import Mainline
import MainlineProtocol
import PlainText
import Republisher

/// `pubky republish --metrics`: what Prometheus asks for, over HTTP.
struct RepublishMetricsServer: Sendable {
  private let server: HTTPServer

  /// Where it listens.
  var endpoint: Endpoint? { server.localEndpoints.first }

  /// Begins to answer on a loop that runs.
  ///
  /// - Throws: `CommandError` if the address cannot be had.
  static func start(
    _ endpoint: Endpoint, on loop: EventLoop, _ republisher: Republisher, _ node: MainlineNode
  ) async throws(CommandError) -> RepublishMetricsServer {
    let start = ContinuousClock.now
    var router = HTTPRouter()
    router.on(.get, "/metrics") { _, _ in
      let text = Self.text(await republisher.status, await node.info(), uptime: start.duration(to: .now))
      return HTTPResponse(
        .ok, fields: [.contentType: PrometheusText.contentType, .cacheControl: "no-store"],
        body: .bytes(Array(text.utf8)))
    }
    var settings = HTTPServerConfiguration(endpoint)
    settings.maximumConnections = 64
    settings.maximumConnectionsPerAddress = 8
    let server = HTTPServer(settings, on: [loop], handler: router.handler)
    do throws(SystemError) {
      try await server.start()
    } catch {
      if error.isAddressInUse {
        throw CommandError("port_in_use", "\(error)", advice: "Choose another port with --metrics.", exitCode: .usage)
      }
      throw CommandError("system", "the metrics cannot be served: \(error)", exitCode: .refused)
    }
    return RepublishMetricsServer(server: server)
  }

  /// Listens no longer.
  func stop() async { await server.shutdown(grace: .seconds(1)) }

  // MARK: - Metrics

  static func text(_ status: RepublishStatus, _ node: NodeInfo?, uptime: Duration) -> String {
    var text = PrometheusText()
    text.add(
      "pubky_republish_info", .gauge, "The program's version; always 1.", [([("version", Pubky.version)], 1)])
    text.add(
      "pubky_republish_uptime_seconds", .gauge, "Seconds since the start; a value that keeps falling means restarts.",
      uptime.fractionalSeconds)
    RepublishMetrics.add(status, prefix: "pubky_republish", to: &text)
    if let node { add(node, to: &text) }
    return text.text
  }

  private static func add(_ node: NodeInfo, to text: inout PrometheusText) {
    let counts = node.statistics
    text.add(
      "pubky_republish_dht_nodes", .gauge,
      "Good nodes in the routing table; none means that the network cannot be reached.",
      Double(node.families.reduce(0) { $0 + $1.goodNodes }))
    text.add(
      "pubky_republish_dht_response_ratio", .gauge,
      "Share of the last 1000 requests that were answered, 0 to 1; below a quarter means a bad connection or a firewall.",
      node.responseRate ?? .nan)
    text.add(
      "pubky_republish_dht_requests_total", .counter, "Requests to nodes of the DHT; it should grow.",
      Double(counts.requestsSent))
    text.add(
      "pubky_republish_dht_timeouts_total", .counter,
      "Requests without an answer; growing as fast as the requests means that UDP does not get through.",
      Double(counts.timeouts))
    text.add(
      "pubky_republish_dht_datagrams_total", .counter,
      "Datagrams by direction; far more out than in means that UDP does not get through.",
      [
        ([("direction", "in")], Double(counts.datagramsReceived)),
        ([("direction", "out")], Double(counts.datagramsSent)),
      ])
    text.add(
      "pubky_republish_dht_bytes_total", .counter,
      "Bytes of datagrams by direction; what a second costs is what --rate bounds.",
      [([("direction", "in")], Double(counts.bytesReceived)), ([("direction", "out")], Double(counts.bytesSent))])
  }
}
