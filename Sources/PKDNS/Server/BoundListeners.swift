import Addresses
import EventLoops

/// The sockets of a server, bound before anything else is begun: what cannot be had stops the start at once.
struct BoundListeners: Sendable {
  /// For each thread, its sockets for datagrams.
  var datagrams: [[DatagramServer]]
  /// For each thread, its sockets for streams, and whether they are encrypted.
  var streams: [[(listener: StreamListener, isEncrypted: Bool)]]
  /// The addresses for UDP and TCP.
  var endpoints: [Endpoint] = []
  /// The addresses for TLS.
  var encryptedEndpoints: [Endpoint] = []

  private static let attempts = 20

  /// Binds all addresses for `loops` threads.
  init(_ configuration: PKDNSConfiguration, inherited: [(descriptor: Int32, name: String)], loops: Int)
    throws(PKDNSStartError)
  {
    datagrams = Array(repeating: [], count: loops)
    streams = Array(repeating: [], count: loops)
    let adopted = try adopt(inherited)
    if !adopted.plain {
      for endpoint in configuration.general.sockets { try bind(endpoint, loops) }
    }
    guard let tls = configuration.tls, !adopted.encrypted else { return }
    for endpoint in tls.listen {
      do throws(SystemError) {
        let bound = try bindStreams(endpoint, loops, isEncrypted: true)
        encryptedEndpoints.append(bound)
      } catch {
        throw PKDNSStartError(error, endpoint)
      }
    }
  }

  /// The same port for UDP and TCP, whichever the system chooses if it may.
  private mutating func bind(_ endpoint: Endpoint, _ loops: Int) throws(PKDNSStartError) {
    for attempt in 1...Self.attempts {
      do throws(SystemError) {
        // Sockets that share a port would share it with another server of the same user as well: ask first.
        if loops > 1, endpoint.port != 0 { _ = try DatagramServer(boundTo: endpoint) }
        let first = try DatagramServer(boundTo: endpoint, reusesPort: loops > 1)
        let bound = first.localEndpoint
        _ = try bindStreams(bound, loops, isEncrypted: false)
        datagrams[0].append(first)
        for index in 1..<max(loops, 1) {
          datagrams[index].append(try DatagramServer(boundTo: bound, reusesPort: true))
        }
        endpoints.append(bound)
        return
      } catch {
        // The port was free for datagrams but not for streams.
        guard endpoint.port == 0, error.isAddressInUse, attempt < Self.attempts else {
          throw PKDNSStartError(error, endpoint)
        }
      }
    }
  }

  private mutating func bindStreams(
    _ endpoint: Endpoint, _ loops: Int, isEncrypted: Bool
  ) throws(SystemError) -> Endpoint {
    if loops > 1, endpoint.port != 0 { _ = try StreamListener(boundTo: endpoint) }
    var listeners = [try StreamListener(boundTo: endpoint, reusesPort: loops > 1)]
    let bound = listeners[0].localEndpoint ?? endpoint
    for _ in 1..<max(loops, 1) { listeners.append(try StreamListener(boundTo: bound, reusesPort: true)) }
    for (index, listener) in listeners.enumerated() { streams[index].append((listener, isEncrypted)) }
    return bound
  }

  /// Takes over sockets of systemd, all on the first thread. A name of `tls` (`FileDescriptorName=`) makes a stream
  /// encrypted; those named `https`, `http` and `admin` are not for here.
  private mutating func adopt(
    _ inherited: [(descriptor: Int32, name: String)]
  ) throws(PKDNSStartError) -> (plain: Bool, encrypted: Bool) {
    var adopted = (plain: false, encrypted: false)
    for (descriptor, name) in inherited where !["https", "http", "admin"].contains(name) {
      do throws(SystemError) {
        if let server = try? DatagramServer(adopting: descriptor) {
          datagrams[0].append(server)
          endpoints.append(server.localEndpoint)
          adopted.plain = true
        } else {
          let listener = try StreamListener(adopting: descriptor)
          let isEncrypted = name == "tls"
          streams[0].append((listener, isEncrypted))
          if isEncrypted {
            adopted.encrypted = true
            if let endpoint = listener.localEndpoint { encryptedEndpoints.append(endpoint) }
          } else {
            adopted.plain = true
          }
        }
      } catch {
        throw .system(error)
      }
    }
    return adopted
  }
}
