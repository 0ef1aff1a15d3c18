import PlainText

/// Rows under headings.
public struct Table: Sendable {
  /// Where the text of a column stands.
  public enum Alignment: Sendable {
    /// At the left.
    case left
    /// At the right: for numbers.
    case right
  }

  private let headings: [String]
  private let alignments: [Alignment]
  private var rows: [[String]] = []

  /// An empty table.
  public init(_ headings: [String], alignments: [Alignment] = []) {
    self.headings = headings
    self.alignments = headings.indices.map { $0 < alignments.count ? alignments[$0] : .left }
  }

  /// Adds a row. Control characters are spelled out.
  public mutating func add(_ row: [String]) {
    rows.append(headings.indices.map { $0 < row.count ? ControlCharacters.escape(row[$0]) : "" })
  }

  /// Lines for a person: headings, aligned columns, an indent.
  public func lines(style: TextStyle, indent: Int = 4) -> [String] {
    let widths = headings.indices.map { column in
      ([headings] + rows).map { $0[column].count }.max() ?? 0
    }
    let margin = String(repeating: " ", count: indent)
    func line(_ cells: [String]) -> String {
      var text = ""
      for (column, cell) in cells.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        if column > 0 { text += "   " }
        text += alignments[column] == .right ? padding + cell : cell + padding
      }
      while text.hasSuffix(" ") { text.removeLast() }
      return margin + text
    }
    return [style.dim(line(headings))] + rows.map(line)
  }

  /// Lines for a program: cells between tabs, no headings.
  public var plainLines: [String] { rows.map { $0.joined(separator: "\t") } }
}
