import Addresses
import CommandLineTool
import EventLoops
import HTTP
import Pkarr
import PlainText
import WireFormat

/// Where a home router tells its address, in the form that routers have for dynamic DNS (dyndns2: `GET /nic/update`). What it
/// tells takes the place of what services say for `{external_ipv4}` and `{external_ipv6}`.
final class RouterUpdates: Sendable {
  static let listen = Option<Endpoint>(
    "dyndns", value: "ADDRESS:PORT", "With --every: take the addresses that a router tells here (dyndns2)",
    parse: { (text: String) throws(InvalidValue) in
      guard let endpoint = Endpoint(text) else { throw InvalidValue("\"\(text)\" is not ADDRESS:PORT") }
      return endpoint
    })
  static let passwordFile = Option(
    "dyndns-password", value: "FILE", completion: .file, "The file of the password that the router must send")

  private struct State {
    var addresses: [IPAddress.Family: IPAddress] = [:]
    var version = 0
  }

  private let key: PublicKey
  private let password: [UInt8]
  private let loop: EventLoop
  private let state = LockedValue(State())
  private let server = LockedValue<HTTPServer?>(nil)

  private init(_ key: PublicKey, password: [UInt8]) throws(SystemError) {
    self.key = key
    self.password = password
    loop = try EventLoop(name: "dyndns")
  }

  deinit { loop.requestStop() }

  /// What the command line asks for; nil if it does not.
  ///
  /// - Throws: `CommandError` if there is no password, or the address cannot be had.
  static func start(
    _ arguments: ParsedArguments, for key: PublicKey, _ console: Console
  ) async throws(CommandError) -> RouterUpdates? {
    guard let endpoint = arguments[listen] else { return nil }
    let path = try arguments.required(passwordFile)
    let text = try InputFile.readText(path, limit: 4096, what: "a password")
    let password = Array(text.utf8.drop { $0 <= 0x20 }.reversed().drop { $0 <= 0x20 }.reversed())
    guard password.count >= 8 else {
      throw .input("\(InputFile.displayName(path)): the password is shorter than 8 characters")
    }
    do throws(SystemError) {
      let updates = try RouterUpdates(key, password: password)
      try await updates.open(endpoint)
      return updates
    } catch {
      if error.isAddressInUse {
        throw CommandError("port_in_use", "\(error)", advice: "Choose another port with --dyndns.", exitCode: .usage)
      }
      throw CommandError("system", "\(error)", exitCode: .refused)
    }
  }

  private func open(_ endpoint: Endpoint) async throws(SystemError) {
    try loop.start()
    var settings = HTTPServerConfiguration(endpoint)
    settings.maximumConnections = 64
    settings.maximumConnectionsPerAddress = 8
    let server = HTTPServer(settings, on: [loop]) { [weak self] request in
      self?.answer(request) ?? .text("911\n", status: .serviceUnavailable)
    }
    try await server.start()
    self.server.withLock { $0 = server }
  }

  /// Where it listens.
  var endpoint: Endpoint? { server.withLock { $0?.localEndpoints.first } }
  /// Grows with each change.
  var version: Int { state.withLock { $0.version } }
  /// What was told last.
  func address(_ family: IPAddress.Family) -> IPAddress? { state.withLock { $0.addresses[family] } }

  // MARK: - Requests

  /// The words that routers know: `good`, `nochg`, `badauth`, `nohost`, `dnserr`.
  private func answer(_ request: HTTPRequest) -> HTTPResponse {
    guard request.target.path == "/nic/update", request.method == .get else { return HTTPResponse(.notFound) }
    guard isAuthorized(request.fields["authorization"]) else {
      var response = HTTPResponse.text("badauth\n", status: HTTPStatus(401))
      response.fields.append("www-authenticate", "Basic realm=\"dyndns\"")
      return response
    }
    let parameters = request.target.parameters ?? []
    let hosts = parameters.filter { $0.name == "hostname" }.flatMap { $0.value.split(separator: ",") }
    guard !hosts.isEmpty, hosts.allSatisfy(isOurs) else { return .text("nohost\n") }
    var told = parameters.filter { $0.name == "myip" || $0.name == "myipv6" }.flatMap { $0.value.split(separator: ",") }
      .map { IPAddress($0) }
    if told.isEmpty { told = [request.context.peer?.address] }
    let addresses = told.compactMap(\.self)
    // Routers behind another one tell its private address, where nobody would find anything.
    guard addresses.count == told.count, addresses.allSatisfy(\.isGlobalUnicast) else { return .text("dnserr\n") }
    let isNew = state.withLock { state in
      let before = state.addresses
      for address in addresses { state.addresses[address.family] = address }
      if state.addresses != before { state.version += 1 }
      return state.addresses != before
    }
    return .text("\(isNew ? "good" : "nochg") \(addresses.map(\.description).joined(separator: ","))\n")
  }

  private func isAuthorized(_ field: String?) -> Bool {
    guard let field, field.lowercased().hasPrefix("basic "), let pair = Base64.decode(Array(field.utf8.dropFirst(6))),
      let colon = pair.firstIndex(of: UInt8(ascii: ":"))
    else { return false }
    let given = pair[(colon + 1)...]
    // As long for a wrong password as for the right one.
    var difference = given.count ^ password.count
    for (index, byte) in given.enumerated() { difference |= Int(byte ^ password[index % password.count]) }
    return difference == 0
  }

  /// True for the key, a name below it, and either under a suffix.
  private func isOurs(_ host: Substring) -> Bool {
    host.lowercased().split(separator: ".").suffix(2).contains(Substring(key.z32))
  }
}
