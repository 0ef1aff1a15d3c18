import Foundation

/// Names for files and folders that a test makes and removes.
enum TemporaryFile {
  static func path() -> String {
    FileManager.default.temporaryDirectory.appending(path: "pkdns-test-\(UUID().uuidString)").path
  }

  /// Removes a file, or a folder with all in it.
  static func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }
}
