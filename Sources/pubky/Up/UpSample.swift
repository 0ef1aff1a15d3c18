import CommandLineTool
import Pkarr

/// The key and the zone that `pubky up` publishes. Both are made once and never overwritten.
struct UpSample: Sendable {
  let keypair: Keypair
  let keyPath: String
  /// True if the key was made just now.
  let isNew: Bool
  let zone: ZoneInput.Zone

  /// What stands in a sample zone.
  static let zoneText = """
    ; A small zone: what is published under your key. Names are relative to the key; @ is the key itself.
    $TTL 300
    @         A      127.0.0.1
    _hello    TXT    "world"
    www       CNAME  @
    @         HTTPS  1 . alpn="h2"

    """

  /// Reads the sample key, and the zone file at `path` or else the sample zone; makes what is missing.
  ///
  /// - Throws: `CommandError` if something cannot be read or made, or the zone does not fit into a packet.
  static func prepare(zone path: String?, _ console: Console) throws(CommandError) -> UpSample {
    let keyPath = KeyFile.configurationFolder + "/demo.key"
    if path == nil || !KeyFile.exists(keyPath) {
      do throws(CommandError) {
        try NewFile.makeFolders(above: keyPath)
      } catch {
        throw explain(error)
      }
    }
    let isNew = try make(keyPath) { (path: String) throws(CommandError) in try KeyFile.create(path, Keypair()) }
    let keypair = try KeyFile.read(keyPath, console)
    let zonePath = path ?? KeyFile.configurationFolder + "/demo.zone"
    if path == nil {
      _ = try make(zonePath) { (path: String) throws(CommandError) in
        try NewFile.create(path, holding: Array(zoneText.utf8))
      }
    }
    let zone = try ZoneInput.read(zonePath, for: keypair.publicKey, console)
    // Whatever is wrong with the zone shall be said before anything starts.
    PacketOutput.warnIfTooLargeForSome(try ZoneInput.sign(zone, by: keypair, timestamp: nil), console)
    return UpSample(keypair: keypair, keyPath: keyPath, isNew: isNew, zone: zone)
  }

  /// Makes a file unless there is one; true if it did.
  private static func make(
    _ path: String, _ create: (String) throws(CommandError) -> Void
  ) throws(CommandError) -> Bool {
    if KeyFile.exists(path) { return false }
    do throws(CommandError) {
      try create(path)
      return true
    } catch {
      // Another run has just made it.
      if KeyFile.exists(path) { return false }
      throw explain(error)
    }
  }

  private static func explain(_ error: CommandError) -> CommandError {
    var error = error
    error.advice = "The sample key is kept there. Another folder: XDG_CONFIG_HOME=FOLDER \(ProgramName.asTyped) up"
    return error
  }
}
