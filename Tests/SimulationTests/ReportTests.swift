import Foundation
import MainlineSimulator
import PlainText
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// What reports look like to other programs.
@Suite struct ReportTests {
  static var report: Report {
    var report = Report(
      "survival", title: "A \"test\"", parameters: [.init("seed", .text("1"))],
      columns: [.init("name", "name"), .init("share", "share"), .init("count", "count")])
    report.rows = [
      [.text("plain"), .number(0.123456, digits: 4), .count(3)],
      [.text("with, comma"), .missing, .count(-1)],
      [.text("with \"quotes\""), .number(-0.00001, digits: 2), .count(0)],
      [.text("two\nlines"), .number(12.5, digits: 0), .count(1)],
    ]
    report.figures = [.init("best", "the best", .share(1, of: 3))]
    return report
  }

  @Test("comma-separated values quote what needs it and nothing else (RFC 4180)")
  func csv() {
    #expect(
      Self.report.csv == """
        name,share,count
        plain,0.1235,3
        "with, comma",,-1
        "with ""quotes""\",0.00,0
        "two
        lines",13,1

        """)
  }

  @Test("each row is a JSON object, the last one has parameters and figures")
  func json() throws {
    let lines = Self.report.jsonLines.map(\.description)
    #expect(lines.count == 5)
    let objects = try lines.map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(objects.allSatisfy { $0["experiment"] as? String == "survival" })
    #expect(objects[0]["share"] as? Double == 0.1235)
    #expect(objects[1]["share"] is NSNull)
    let figures = try #require(objects[4]["figures"] as? [[String: Any]])
    #expect(figures.first?["name"] as? String == "best")
    #expect(figures.first?["value"] as? Double == 0.33333)
  }

  /// Counts the elements of a document; fails if it is not well-formed.
  final class Counter: NSObject, XMLParserDelegate {
    var elements: [String: Int] = [:]
    var texts: [String] = []
    private var text = ""

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
      attributes: [String: String]
    ) {
      elements[name, default: 0] += 1
      text = ""
    }
    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
    func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
      if name == "text" { texts.append(text) }
      text = ""
    }
  }

  static func parse(_ svg: String) throws -> Counter {
    let counter = Counter()
    let parser = XMLParser(data: Data(svg.utf8))
    parser.delegate = counter
    try #require(parser.parse(), "\(String(describing: parser.parserError))")
    return counter
  }

  @Test("a picture is well-formed XML, whatever stands in its texts and numbers")
  func svg() throws {
    var report = Self.report
    #expect(report.svg == nil)
    report.plots = [
      Plot(
        "<&\"'>\u{1}", x: .init("a & b", logarithmic: true), y: .init("ç, %", range: 0...100),
        series: [
          .init("line", [.init(1, 0), .init(10, 50), .init(1000, 100), .init(.nan, 1), .init(-3, .infinity)]),
          .init("points", style: .points, [.init(5, 5), .init(6, 200)]),
          .init("none", style: .dashed, []),
        ]),
      Plot(
        "bars", x: .init("x"), y: .init("y"),
        series: [.init("bars", style: .bars, [.init(1, 2), .init(2, 4), .init(3, 0)])]),
      Plot("nothing", x: .init("x", logarithmic: true), y: .init("y"), series: []),
      Plot("one point", x: .init("x"), y: .init("y"), series: [.init("one", [.init(3, 3)])]),
    ]
    let svg = try #require(report.svg)
    let counter = try Self.parse(svg)
    #expect(counter.elements["svg"] == 1)
    #expect(counter.elements["polyline"] == 3)
    #expect(counter.elements["circle"] == 3)
    #expect(counter.texts.contains("<&\"'> "))
    #expect(counter.texts.contains("1000"))
    #expect(!svg.contains("nan") && !svg.contains("inf"))
    #expect(report.svg == svg)
  }

  @Test("marks of an axis are round numbers within it, at most a dozen")
  func marks() throws {
    for end in [0.7, 1, 3, 24, 48, 100, 999, 12_345] {
      let plot = Plot(
        "t", x: .init("x"), y: .init("y"), series: [.init("s", [.init(0, 0), .init(end, end)])])
      var report = Self.report
      report.plots = [plot]
      let counter = try Self.parse(try #require(report.svg))
      // Title, two names of axes and one of a series; the rest are marks, as many on both axes.
      let marks = counter.texts.filter { Double($0) != nil }
      #expect((6...26).contains(marks.count), "\(end): \(marks)")
      #expect(marks.contains("0") || marks.contains("0.0"))
    }
  }
}
