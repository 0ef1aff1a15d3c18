import Addresses
import DNSWire
import EventLoops

@testable import PKDNS

/// Asks many questions at once on one TCP connection, and tells in which order the answers come.
final class PipelinedClient: DescriptorHandler, @unchecked Sendable {
  private let socket: StreamSocket
  private let loop: EventLoop
  private var watch: Watch?
  private var output: [UInt8] = []
  private var frames = StreamFrames()
  private var names: [String] = []
  private let wanted: Int
  private var continuation: CheckedContinuation<[String], Never>?

  private init(_ socket: StreamSocket, _ queries: [[UInt8]], _ loop: EventLoop) {
    self.socket = socket
    self.loop = loop
    wanted = queries.count
    for query in queries { query.withUnsafeBytes { StreamFrames.append($0, to: &output) } }
  }

  /// The names of the answers as they came; fewer than were asked if the connection was closed.
  static func ask(_ names: [String], at endpoint: Endpoint, on loop: EventLoop) async throws -> [String] {
    let queries = try names.map { WireQuery(try DomainName($0), .a).bytes }
    let client = PipelinedClient(try StreamSocket(connectingTo: endpoint), queries, loop)
    return await withCheckedContinuation { continuation in
      loop.execute {
        client.continuation = continuation
        client.watch = try? loop.watch(client.socket.descriptor, for: [.reading, .writing], handler: client)
      }
    }
  }

  func descriptorReady(_ readiness: Readiness) {
    if readiness.contains(.writing), !output.isEmpty {
      guard let count = try? output.withUnsafeBytes({ try socket.write($0) }) else { return finish() }
      output.removeFirst(count)
      if output.isEmpty, let watch { loop.update(watch, for: .reading) }
    }
    guard readiness.contains(.reading) else { return }
    var piece = [UInt8](repeating: 0, count: 65_536)
    guard let count = try? piece.withUnsafeMutableBytes({ try socket.read(into: $0) }), count > 0 else {
      return finish()
    }
    piece[..<count].withUnsafeBytes { bytes in
      frames.receive(bytes) { message in
        names.append(FirstQuestion(message)?.name.description ?? "?")
        return true
      }
    }
    if names.count >= wanted { finish() }
  }

  func eventLoopStopped() { finish() }

  private func finish() {
    if let watch { loop.unwatch(watch) }
    watch = nil
    socket.close()
    continuation?.resume(returning: names)
    continuation = nil
  }
}
