/// What an `EventLoop` calls when a file descriptor can be read from or written to. Called on the loop's thread only.
public protocol DescriptorHandler: AnyObject {
  /// The descriptor is ready. The handler may remove itself and others from the loop.
  func descriptorReady(_ readiness: Readiness)
  /// The loop stops, and has forgotten the descriptor, which is the handler's to close.
  func eventLoopStopped()
}

/// What a file descriptor is ready for, or what to wait for.
public struct Readiness: OptionSet, Hashable, Sendable {
  /// The bits of `epoll_ctl(2)`.
  public let rawValue: UInt32

  /// From the bits of `epoll_ctl(2)`.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Reading would not block.
  public static let reading = Readiness(rawValue: 0x001)
  /// Writing would not block.
  public static let writing = Readiness(rawValue: 0x004)
  /// The descriptor has an error to report; always waited for.
  public static let failed = Readiness(rawValue: 0x008)
  /// The other side hung up; always waited for.
  public static let hungUp = Readiness(rawValue: 0x010)
  /// The other side of a stream will send no more.
  public static let peerClosed = Readiness(rawValue: 0x2000)
  /// Tell each change once, not again and again while it lasts: the handler reads and writes until it would block.
  public static let edgeTriggered = Readiness(rawValue: 1 << 31)
}

/// Names a file descriptor that an `EventLoop` watches.
public struct Watch: Hashable, Sendable {
  let slot: UInt32
  let generation: UInt32

  /// The 64 bits that epoll hands back with each event.
  var token: UInt64 { UInt64(generation) << 32 | UInt64(slot) }

  init(slot: UInt32, generation: UInt32) {
    self.slot = slot
    self.generation = generation
  }

  init(token: UInt64) {
    self.init(slot: UInt32(truncatingIfNeeded: token), generation: UInt32(truncatingIfNeeded: token >> 32))
  }
}

/// The descriptors that a loop watches. A slot's generation changes when it is vacated, so an event that epoll reported
/// in the same batch for a descriptor that has gone since then is recognised as stale, also if the slot or even the
/// descriptor's number is in use again.
struct DescriptorTable {
  private struct Slot {
    var generation: UInt32 = 0
    var descriptor: Int32 = -1
    var handler: (any DescriptorHandler)?
  }

  private var slots: [Slot] = []
  private var vacant: [UInt32] = []

  mutating func insert(_ descriptor: Int32, _ handler: any DescriptorHandler) -> Watch {
    let slot: UInt32
    if let reused = vacant.popLast() {
      slot = reused
    } else {
      slot = UInt32(slots.count)
      slots.append(Slot())
    }
    slots[Int(slot)].descriptor = descriptor
    slots[Int(slot)].handler = handler
    return Watch(slot: slot, generation: slots[Int(slot)].generation)
  }

  private func isCurrent(_ watch: Watch) -> Bool {
    Int(watch.slot) < slots.count && slots[Int(watch.slot)].generation == watch.generation
      && slots[Int(watch.slot)].handler != nil
  }

  func handler(_ watch: Watch) -> (any DescriptorHandler)? { isCurrent(watch) ? slots[Int(watch.slot)].handler : nil }

  func descriptor(_ watch: Watch) -> Int32? { isCurrent(watch) ? slots[Int(watch.slot)].descriptor : nil }

  /// Forgets a descriptor and returns it with its handler; nil if it was forgotten before.
  mutating func remove(_ watch: Watch) -> (descriptor: Int32, handler: any DescriptorHandler)? {
    guard let handler = handler(watch) else { return nil }
    let descriptor = slots[Int(watch.slot)].descriptor
    slots[Int(watch.slot)].generation &+= 1
    slots[Int(watch.slot)].descriptor = -1
    slots[Int(watch.slot)].handler = nil
    vacant.append(watch.slot)
    return (descriptor, handler)
  }

  /// Forgets all and returns their handlers.
  mutating func removeAll() -> [any DescriptorHandler] {
    slots.indices.compactMap { remove(Watch(slot: UInt32($0), generation: slots[$0].generation))?.handler }
  }
}
