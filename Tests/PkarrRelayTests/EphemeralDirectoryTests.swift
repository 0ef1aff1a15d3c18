import Foundation
import Testing

@testable import PkarrRelay

@Suite("The directory of a relay without a place of its own")
struct EphemeralDirectoryTests {
  private func names(_ folder: TemporaryFolder) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  }

  /// A directory as a relay leaves it that was killed.
  private func abandon(_ name: String, in folder: TemporaryFolder, lock: String? = "lock") throws {
    let path = folder.path + "/" + name
    try FileManager.default.createDirectory(
      atPath: path + "/pkarr-cache", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    for file in ["pkarr-cache/data.mdb", "pkarr-cache/lock.mdb"] + (lock.map { [$0] } ?? []) {
      #expect(FileManager.default.createFile(atPath: path + "/" + file, contents: Data("x".utf8)))
    }
  }

  @Test("what a dead relay has left behind is removed, and what a living one uses stays")
  func abandoned() throws {
    let folder = try TemporaryFolder()
    let living = try #require(EphemeralDirectory(below: folder.path))
    try Data("used".utf8).write(to: URL(fileURLWithPath: living.path + "/used"))
    try abandon("pubky-relay-0032SSN7Q4EVG", in: folder)
    let second = try #require(EphemeralDirectory(below: folder.path))
    #expect(try Set(names(folder)) == Set([living.path, second.path].map { ($0 as NSString).lastPathComponent }))
    #expect(FileManager.default.fileExists(atPath: living.path + "/used"))
    living.remove()
    second.remove()
    #expect(try names(folder).isEmpty)
  }

  @Test(
    "what is not certain to be a dead relay's stays: another name, no lock, a link, a directory that others may write")
  func uncertain() throws {
    let folder = try TemporaryFolder()
    let elsewhere = try TemporaryFolder()
    try abandon("pubky-relay-something", in: folder)
    try abandon("other-0032SSN7Q4EVG", in: folder)
    try abandon("pubky-relay-0032SSN7Q4EV1", in: folder, lock: nil)
    try abandon("pubky-relay-0032SSN7Q4EV2", in: folder)
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o777], ofItemAtPath: folder.path + "/pubky-relay-0032SSN7Q4EV2")
    try abandon("0032SSN7Q4EVG", in: elsewhere)
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/pubky-relay-0032SSN7Q4EV3", withDestinationPath: elsewhere.path + "/0032SSN7Q4EVG")
    try Data().write(to: URL(fileURLWithPath: folder.path + "/pubky-relay-0032SSN7Q4EV4"))
    let before = try names(folder)
    EphemeralDirectory.removeAbandoned(below: folder.path)
    #expect(try names(folder) == before && before.count == 6)
    #expect(FileManager.default.fileExists(atPath: elsewhere.path + "/0032SSN7Q4EVG/pkarr-cache/data.mdb"))
  }

  @Test("links in a dead relay's directory are removed, and not what they lead to")
  func links() throws {
    let folder = try TemporaryFolder()
    let elsewhere = try TemporaryFolder()
    let kept = elsewhere.path + "/kept"
    try Data("kept".utf8).write(to: URL(fileURLWithPath: kept))
    try abandon("pubky-relay-0032SSN7Q4EVG", in: folder)
    let path = folder.path + "/pubky-relay-0032SSN7Q4EVG"
    try FileManager.default.createSymbolicLink(atPath: path + "/folder", withDestinationPath: elsewhere.path)
    try FileManager.default.createSymbolicLink(atPath: path + "/pkarr-cache/file", withDestinationPath: kept)
    EphemeralDirectory.removeAbandoned(below: folder.path)
    #expect(try names(folder).isEmpty)
    #expect(FileManager.default.fileExists(atPath: kept))
  }

  @Test("where nothing can be made there is none")
  func unwritable() throws {
    let folder = try TemporaryFolder()
    let file = folder.path + "/file"
    try Data().write(to: URL(fileURLWithPath: file))
    #expect(EphemeralDirectory(below: file) == nil)
    #expect(EphemeralDirectory(below: folder.path + "/nothing") == nil)
  }
}
