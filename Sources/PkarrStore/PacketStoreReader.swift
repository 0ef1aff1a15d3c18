import EventLoops
import Glibc
import Pkarr

/// Reads the packets of a ``PacketStore`` that this process does not have open, and changes nothing: neither the file nor
/// which packets count as used.
///
/// The file is read page by page and never mapped, and LMDB takes no part, so damage ends in an error. Another process may
/// have the store open and write: pages that change while they are read look like damage, and then all is read again. What
/// was written in the meantime may or may not be among what is read.
public enum PacketStoreReader {
  /// Readings of a store that changes, before that is an error.
  private static let attempts = 5

  /// True if a directory holds the file of a store.
  public static func hasStore(_ directory: String) -> Bool {
    (try? Directory(path: directory).hasPackets()) ?? false
  }

  /// All packets, at most `limit`, in the order of their cache keys. Those that are not as they were written are left out;
  /// signatures are not checked.
  ///
  /// - Throws: `StoreError.damaged` if the file is no store of ours or damaged, `.system` if it cannot be read.
  public static func packets(of directory: String, limit: Int) throws(StoreError) -> [SignedPacket] {
    var damage = FileDamage("")
    for _ in 0..<attempts {
      switch try read(directory, limit: limit) {
      case .success(let packets): return packets
      case .failure(let found): damage = found
      }
    }
    throw .damaged(damage.description)
  }

  private static func read(
    _ directory: String, limit: Int
  ) throws(StoreError) -> Result<[SignedPacket], FileDamage> {
    let file: PageFile
    do throws(SystemError) {
      file = try PageFile(Directory(path: directory).packets)
    } catch {
      throw .system(error)
    }
    let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
    guard MetaPage.isLMDB(file, pageSize: pageSize) else {
      return .failure(FileDamage("the file is no store of packets"))
    }
    var packets: [SignedPacket] = []
    do throws(FileDamage) {
      try FileAudit.visitPackets(file, pageSize: pageSize) { stored in
        if let packet = try? SignedPacket(cachedForm: stored.form.bytes), stored.isIntact(packet.publicKey.target) {
          packets.append(packet)
        }
        return packets.count < limit
      }
      return .success(packets)
    } catch {
      return .failure(error)
    }
  }
}
