/// A picture of numbers: lines or points over two axes.
public struct Plot: Sendable, Hashable {
  /// An axis.
  public struct Axis: Sendable, Hashable {
    /// What stands beside it, with the unit.
    public var title: String
    /// True if equal steps are equal factors.
    public var isLogarithmic: Bool
    /// What it shows; nil: as much as the numbers need.
    public var range: ClosedRange<Double>?

    /// An axis.
    public init(_ title: String, logarithmic: Bool = false, range: ClosedRange<Double>? = nil) {
      self.title = title
      isLogarithmic = logarithmic
      self.range = range
    }
  }

  /// Points that belong together.
  public struct Series: Sendable, Hashable {
    /// How they are drawn.
    public enum Style: Sendable, Hashable {
      /// A line through all points.
      case line
      /// A broken line: what is not measured here.
      case dashed
      /// Points alone.
      case points
      /// A bar from the foot of the plot for each point; `width` is its share of the distance to the next.
      case bars
    }

    /// A point.
    public struct Point: Sendable, Hashable {
      /// Along the horizontal axis.
      public var x: Double
      /// Along the vertical axis.
      public var y: Double

      /// A point.
      public init(_ x: Double, _ y: Double) {
        self.x = x
        self.y = y
      }
    }

    /// What the legend says.
    public var name: String
    /// How it is drawn.
    public var style: Style
    /// The points, in the order in which a line connects them.
    public var points: [Point]

    /// Joins the parts.
    public init(_ name: String, style: Style = .line, _ points: [Point]) {
      self.name = name
      self.style = style
      self.points = points
    }
  }

  /// One line above it.
  public var title: String
  /// The horizontal axis.
  public var x: Axis
  /// The vertical axis.
  public var y: Axis
  /// What is drawn, in the order of the legend.
  public var series: [Series]

  /// Joins the parts.
  public init(_ title: String, x: Axis, y: Axis, series: [Series]) {
    self.title = title
    self.x = x
    self.y = y
    self.series = series
  }
}
