import PlainText

/// Plots one below the other as an SVG document, readable on light and on dark pages and without colours.
struct SVGDocument {
  let plots: [Plot]

  private static let width = 760.0
  private static let plotHeight = 400.0
  private static let left = 70.0
  private static let right = 190.0
  private static let top = 44.0
  private static let bottom = 58.0

  /// Told apart also by people who see fewer colours (the palette of Okabe and Ito), light enough for dark pages.
  private static let colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56a0d3", "#7f7f7f", "#b03a2e"]
  private static let dashes = ["", "7 3", "2 3", "9 3 2 3", "12 4", "4 2", "1 2", "8 2 2 2 2 2"]

  var text: String {
    let height = Self.plotHeight * Double(plots.count)
    var lines = [
      """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(number(Self.width)) \(number(height))" \
      width="\(number(Self.width))" height="\(number(height))" font-family="sans-serif" font-size="12" role="img">
      """,
      "<title>\(Self.escape(plots.map(\.title).joined(separator: "; ")))</title>",
      """
      <style>
      text { fill: #222; } .axis { stroke: #555; } .grid { stroke: #ddd; } .paper { fill: #fff; }
      @media (prefers-color-scheme: dark) {
        text { fill: #ddd; } .axis { stroke: #aaa; } .grid { stroke: #333; } .paper { fill: #111; }
      }
      </style>
      """,
      "<rect class=\"paper\" width=\"100%\" height=\"100%\"/>",
    ]
    for (index, plot) in plots.enumerated() {
      lines.append("<g transform=\"translate(0 \(number(Self.plotHeight * Double(index))))\">")
      lines += draw(plot)
      lines.append("</g>")
    }
    lines.append("</svg>")
    return lines.joined(separator: "\n") + "\n"
  }

  // MARK: One plot

  private func draw(_ plot: Plot) -> [String] {
    let points = plot.series.flatMap(\.points)
    let x = PlotScale(
      plot.x, values: points.map(\.x), pixels: Self.left...(Self.width - Self.right), isReversed: false)
    let y = PlotScale(
      plot.y, values: points.map(\.y), pixels: Self.top...(Self.plotHeight - Self.bottom), isReversed: true)
    var lines = [label(plot.title, x: Self.left, y: 24, "font-size=\"15\"")]
    lines += frame(plot, x, y)
    for (index, series) in plot.series.enumerated() {
      lines += draw(series, index, x, y)
      lines += legend(series, index)
    }
    return lines
  }

  private func frame(_ plot: Plot, _ x: PlotScale, _ y: PlotScale) -> [String] {
    let right = Self.width - Self.right
    let foot = Self.plotHeight - Self.bottom
    var lines: [String] = []
    for mark in y.marks {
      let place = y.place(mark.value)
      lines.append(line("grid", Self.left, place, right, place))
      lines.append(label(mark.text, x: Self.left - 8, y: place + 4, "text-anchor=\"end\""))
    }
    for mark in x.marks {
      let place = x.place(mark.value)
      lines.append(line("grid", place, Self.top, place, foot))
      lines.append(label(mark.text, x: place, y: foot + 18, "text-anchor=\"middle\""))
    }
    lines.append(line("axis", Self.left, foot, right, foot))
    lines.append(line("axis", Self.left, Self.top, Self.left, foot))
    lines.append(label(plot.x.title, x: (Self.left + right) / 2, y: foot + 40, "text-anchor=\"middle\""))
    let middle = (Self.top + foot) / 2
    lines.append(
      label(
        plot.y.title, x: 18, y: middle, "text-anchor=\"middle\" transform=\"rotate(-90 18 \(number(middle)))\""))
    return lines
  }

  private func draw(_ series: Plot.Series, _ index: Int, _ x: PlotScale, _ y: PlotScale) -> [String] {
    let colour = Self.colours[index % Self.colours.count]
    let places = series.points.filter { $0.x.isFinite && $0.y.isFinite }.map { (x.place($0.x), y.place($0.y)) }
    switch series.style {
    case .line, .dashed:
      let dash = series.style == .dashed ? "4 4" : Self.dashes[index % Self.dashes.count]
      let corners = places.map { "\(number($0.0)),\(number($0.1))" }.joined(separator: " ")
      return [
        """
        <polyline points="\(corners)" fill="none" stroke="\(colour)" stroke-width="2"\
        \(dash.isEmpty ? "" : " stroke-dasharray=\"\(dash)\"")/>
        """
      ]
    case .points:
      return places.map {
        "<circle cx=\"\(number($0.0))\" cy=\"\(number($0.1))\" r=\"4\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"1.5\"/>"
      }
    case .bars:
      let width = zip(places, places.dropFirst()).map { $1.0 - $0.0 }.min().map { max(1, $0 * 0.8) } ?? 12
      let foot = Self.plotHeight - Self.bottom
      return places.map {
        """
        <rect x="\(number($0.0 - width / 2))" y="\(number($0.1))" width="\(number(width))" \
        height="\(number(max(0, foot - $0.1)))" fill="\(colour)" fill-opacity="0.75"/>
        """
      }
    }
  }

  private func legend(_ series: Plot.Series, _ index: Int) -> [String] {
    let left = Self.width - Self.right + 14
    let height = Self.top + 8 + 20 * Double(index)
    let colour = Self.colours[index % Self.colours.count]
    let sample: String
    switch series.style {
    case .line, .dashed:
      let dash = series.style == .dashed ? "4 4" : Self.dashes[index % Self.dashes.count]
      sample = """
        <line x1="\(number(left))" y1="\(number(height))" x2="\(number(left + 26))" y2="\(number(height))" \
        stroke="\(colour)" stroke-width="2"\(dash.isEmpty ? "" : " stroke-dasharray=\"\(dash)\"")/>
        """
    case .points:
      sample = """
        <circle cx="\(number(left + 13))" cy="\(number(height))" r="4" fill="none" stroke="\(colour)" stroke-width="1.5"/>
        """
    case .bars:
      sample = """
        <rect x="\(number(left + 6))" y="\(number(height - 6))" width="14" height="12" fill="\(colour)" \
        fill-opacity="0.75"/>
        """
    }
    return [sample, label(series.name, x: left + 34, y: height + 4, "")]
  }

  // MARK: Pieces

  private func line(_ kind: String, _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double) -> String {
    "<line class=\"\(kind)\" x1=\"\(number(x1))\" y1=\"\(number(y1))\" x2=\"\(number(x2))\" y2=\"\(number(y2))\"/>"
  }

  private func label(_ text: String, x: Double, y: Double, _ attributes: String) -> String {
    let more = attributes.isEmpty ? "" : " " + attributes
    return "<text x=\"\(number(x))\" y=\"\(number(y))\"\(more)>\(Self.escape(text))</text>"
  }

  private func number(_ value: Double) -> String {
    let text = FixedPoint.text(value, digits: 1)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  /// Text between tags and in attributes; characters that XML does not allow become spaces.
  static func escape(_ text: String) -> String {
    let allowed = text.unicodeScalars.map { $0.value < 0x20 || $0 == "\u{fffe}" || $0 == "\u{ffff}" ? " " : $0 }
    return HTMLText.escape(String(String.UnicodeScalarView(allowed)))
  }
}
