import PlainText

/// What an experiment found: a table, the figures that sum it up, and pictures of both. The same experiment with the same
/// seed gives the same report, byte for byte.
public struct Report: Sendable, Hashable {
  /// A cell of the table or a figure.
  public enum Value: Sendable, Hashable {
    /// Words.
    case text(String)
    /// A count.
    case count(Int)
    /// A number, shown with so many digits behind the point.
    case number(Double, digits: Int)
    /// Nothing was measured.
    case missing

    /// A share between 0 and 1, with five digits.
    public static func share(_ part: Int, of whole: Int) -> Value {
      whole == 0 ? .missing : .number(Double(part) / Double(whole), digits: 5)
    }
  }

  /// A name for programs (small letters, digits and underscores) and a value.
  public struct Field: Sendable, Hashable {
    /// The name.
    public var name: String
    /// The value.
    public var value: Value

    /// Joins a name and a value.
    public init(_ name: String, _ value: Value) {
      self.name = name
      self.value = value
    }
  }

  /// A column of the table.
  public struct Column: Sendable, Hashable {
    /// The name for programs.
    public var name: String
    /// The heading for people.
    public var title: String

    /// Joins a name and a heading.
    public init(_ name: String, _ title: String) {
      self.name = name
      self.title = title
    }
  }

  /// A figure that sums something up.
  public struct Figure: Sendable, Hashable {
    /// The name for programs.
    public var name: String
    /// What it is, for people.
    public var title: String
    /// The figure.
    public var value: Value

    /// Joins the parts.
    public init(_ name: String, _ title: String, _ value: Value) {
      self.name = name
      self.title = title
      self.value = value
    }
  }

  /// The experiment: `survival`.
  public var experiment: String
  /// One line for people.
  public var title: String
  /// What it was run with.
  public var parameters: [Field]
  /// The columns of the table.
  public var columns: [Column]
  /// The rows of the table, a value for each column.
  public var rows: [[Value]] = []
  /// What sums it up.
  public var figures: [Figure] = []
  /// Pictures, to be shown one below the other.
  public var plots: [Plot] = []

  /// A report without rows.
  public init(_ experiment: String, title: String, parameters: [Field], columns: [Column]) {
    self.experiment = experiment
    self.title = title
    self.parameters = parameters
    self.columns = columns
  }
}

// MARK: - Text

extension Report.Value {
  /// The value as people and other programs read it: plain digits, empty if it is missing.
  public var text: String {
    switch self {
    case .text(let text): text
    case .count(let count): String(count)
    case .number(let number, let digits): FixedPoint.text(number, digits: digits)
    case .missing: ""
    }
  }

  /// The value in JSON.
  public var json: JSON {
    switch self {
    case .text(let text): .string(text)
    case .count(let count): JSON(count)
    case .number(let number, let digits): .number(FixedPoint.rounded(number, digits: digits))
    case .missing: .null
    }
  }
}

/// Numbers with a fixed number of digits behind the point, the same on every machine.
enum FixedPoint {
  private static func scale(_ digits: Int) -> Double {
    (0..<max(0, min(9, digits))).reduce(1) { scale, _ in scale * 10 }
  }

  static func rounded(_ number: Double, digits: Int) -> Double {
    let scale = scale(digits)
    return (number * scale).rounded() / scale
  }

  static func text(_ number: Double, digits: Int) -> String {
    let digits = max(0, min(9, digits))
    guard number.isFinite, number.magnitude < 1e9 else { return number.isNaN ? "" : number.description }
    let scaled = Int64((number.magnitude * scale(digits)).rounded())
    let sign = number < 0 && scaled > 0 ? "-" : ""
    guard digits > 0 else { return sign + String(scaled) }
    let whole = scaled / Int64(scale(digits))
    let fraction = String(scaled % Int64(scale(digits)))
    return sign + "\(whole)." + String(repeating: "0", count: digits - fraction.utf8.count) + fraction
  }
}

extension Report {
  /// The table as comma-separated values (RFC 4180, with a line feed at the end of each line), the names of the columns
  /// first.
  public var csv: String {
    let lines = [columns.map(\.name)] + rows.map { $0.map(\.text) }
    return lines.map { $0.map(Self.quoted).joined(separator: ",") + "\n" }.joined()
  }

  private static func quoted(_ cell: String) -> String {
    guard cell.utf8.contains(where: { $0 == 0x22 || $0 == 0x2c || $0 == 0x0a || $0 == 0x0d }) else { return cell }
    return "\"" + cell.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
  }

  /// One object for each row, and a last one with the parameters and what sums it up.
  public var jsonLines: [JSON] {
    let head = JSON.Field("experiment", .string(experiment))
    var lines = rows.map { row in
      JSON.object([head] + zip(columns, row).map { JSON.Field($0.name, $1.json) })
    }
    lines.append(
      .object([
        head, .init("parameters", .object(parameters.map { .init($0.name, $0.value.json) })),
        .init(
          "figures",
          .array(figures.map { ["name": .string($0.name), "title": .string($0.title), "value": $0.value.json] })),
      ]))
    return lines
  }

  /// All pictures in one SVG document; nil if there are none.
  public var svg: String? { plots.isEmpty ? nil : SVGDocument(plots: plots).text }
}
