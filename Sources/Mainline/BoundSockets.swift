import Addresses
import EventLoops

/// The sockets of a node, bound but not yet open.
struct BoundSockets {
  var sockets: [UDPSocket] = []

  /// Binds a socket for each address: all on the same port if that can be had.
  init(_ configuration: MainlineConfiguration) throws(SystemError) {
    let explicit = configuration.port
    for address in configuration.bindAddresses {
      let wanted = sockets.first?.localEndpoint.port ?? explicit ?? MainlineConfiguration.defaultPort
      do throws(SystemError) {
        sockets.append(try UDPSocket(boundTo: Endpoint(address, port: wanted)))
      } catch {
        // Only who did not ask for a port gets another one.
        guard error.isAddressInUse, (explicit ?? 0) == 0, wanted != 0 else { throw error }
        sockets.append(try UDPSocket(boundTo: Endpoint(address, port: 0)))
      }
    }
  }
}
