import Addresses
import EventLoops
import PkarrClient
import TLS

/// Why a DNS server could not be started.
public enum PKDNSStartError: Error, Sendable {
  /// Another program listens on an address already.
  case addressInUse(Endpoint)
  /// The system does not let this user have a port below 1024.
  case portNotAllowed(Endpoint)
  /// A socket or thread cannot be had.
  case system(SystemError)
  /// A certificate or key cannot be used.
  case tls(TLSError)
  /// The networks of keys cannot be used.
  case network(PkarrClientBuildError)

  init(_ error: SystemError, _ endpoint: Endpoint) {
    switch error.code {
    case _ where error.isAddressInUse: self = .addressInUse(endpoint)
    case SystemError.notPermitted where endpoint.port < 1024: self = .portNotAllowed(endpoint)
    default: self = .system(error)
    }
  }
}

extension SystemError {
  /// `EACCES`
  fileprivate static let notPermitted: Int32 = 13
}

extension PKDNSStartError: CustomStringConvertible {
  /// What was wrong, and where, in one line.
  public var description: String {
    switch self {
    case .addressInUse(let endpoint): "another program listens on \(endpoint)"
    case .portNotAllowed(let endpoint): "this user may not listen on \(endpoint)"
    case .system(let error): "\(error)"
    case .tls(let error): "\(error)"
    case .network(let error): "\(error)"
    }
  }

  /// What to do about it; nil if that is plain.
  public var advice: String? {
    switch self {
    case .addressInUse(let endpoint) where endpoint.port == 53:
      """
      On desktops that is mostly systemd-resolved or Docker. Either listen on another port or address (general.socket = \
      "127.0.0.1:5353") and let systemd-resolved send names of keys there (see packaging/systemd/pubky-dns.conf), or end \
      its own listener: DNSStubListener=no in /etc/systemd/resolved.conf.
      """
    case .addressInUse: "Choose another port, or end the other program: ss -lnup shows it."
    case .portNotAllowed:
      """
      Ports below 1024 need CAP_NET_BIND_SERVICE: let systemd start the server (packaging/systemd/pubky-dns.service), run \
      setcap cap_net_bind_service=+ep on the program, or choose another port.
      """
    case .system, .tls, .network: nil
    }
  }
}
