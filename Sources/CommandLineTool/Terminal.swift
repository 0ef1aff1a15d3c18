import Glibc

/// What a file descriptor is connected to.
public struct Terminal: Sendable {
  /// The descriptor.
  public let descriptor: Int32
  /// True if a person looks at it.
  public let isInteractive: Bool
  /// True if lines may be drawn over and coloured: interactive, and `TERM` is not `dumb`.
  public let canRedraw: Bool
  /// Emphasis: on an able terminal only, and not with `NO_COLOR` (no-color.org).
  public let style: TextStyle

  /// Looks at a descriptor and the environment.
  public init(descriptor: Int32) {
    let term = getenv("TERM").map { String(cString: $0) }
    let noColour = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
    self.init(descriptor: descriptor, isInteractive: isatty(descriptor) == 1, term: term, noColour: noColour)
  }

  init(descriptor: Int32, isInteractive: Bool, term: String?, noColour: Bool) {
    self.descriptor = descriptor
    self.isInteractive = isInteractive
    canRedraw = isInteractive && term != nil && term != "dumb" && term != ""
    style = TextStyle(isEnabled: canRedraw && !noColour)
  }

  /// Columns for text: at most 100, so that lines stay readable; 80 if there is no terminal.
  public var width: Int { min(100, max(40, columns ?? 80)) }

  /// Columns that the terminal has now; nil if it is none.
  public var columns: Int? {
    var size = winsize()
    guard isInteractive, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }
}
