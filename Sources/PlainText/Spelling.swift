/// Guesses what was meant by a word that is not known.
public enum Spelling {
  /// The known word nearest to `word`: at most one slip for each three letters begun, or one that `word` abbreviates; nil
  /// if none is near.
  public static func nearest(to word: some StringProtocol, in known: some Sequence<String>) -> String? {
    let limit = 1 + word.utf8.count / 3
    guard word.utf8.count <= 64 else { return nil }
    var best: (distance: Int, word: String)?
    for candidate in known {
      let distance =
        word.utf8.count >= 3 && candidate.hasPrefix(word) ? 1 : self.distance(Array(word.utf8), Array(candidate.utf8))
      // A guess that shares nothing with what was typed is no help.
      guard distance <= limit, distance < max(word.utf8.count, candidate.utf8.count) else { continue }
      if distance < best?.distance ?? .max { best = (distance, candidate) }
    }
    return best?.word
  }

  /// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other (optimal string
  /// alignment).
  static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var beforePrevious: [Int] = []
    var previous = Array(0...b.count)
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        var cost = min(previous[j] + (a[i] == b[j] ? 0 : 1), previous[j + 1] + 1, row[j] + 1)
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforePrevious[j - 1] + 1) }
        row.append(cost)
      }
      beforePrevious = previous
      previous = row
    }
    return previous[b.count]
  }
}
