import Cryptography
import Pkarr
import Testing

@testable import PkarrStore

@Suite("Queue of writes")
struct WriteQueueTests {
  @Test("batches come in the order of arrival; a newer packet takes the place of one that waits")
  func order() throws {
    var queue = WriteQueue()
    for key in 0..<10 {
      queue.put(.packet(Sample.packet(key)), for: Sample.key(key), stamp: UInt64(key), isNew: true, now: UInt64(key))
    }
    let position = queue.put(
      .packet(Sample.packet(3, version: 2)), for: Sample.key(3), stamp: 99, isNew: true, now: 50)
    #expect(position == 4)
    #expect(queue.count == 10 && queue.difference == 10 && queue.oldest == 0)
    let first = queue.takeBatch(atMost: 4)
    #expect(first.map(\.position) == [1, 2, 3, 4] && first[3].stamp == 99)
    #expect(queue.oldest == 4 && queue.donePosition == 0)
    queue.finish(first)
    #expect(queue.count == 6 && queue.donePosition == 4 && queue.write(for: Sample.key(3)) == nil)
    let second = queue.takeBatch(atMost: 100)
    #expect(second.map(\.position) == Array(5...10) && queue.waiting == 0 && queue.oldest == nil)
    queue.finish(second)
    #expect(queue.isEmpty && queue.difference == 0 && queue.bytes == 0 && queue.donePosition == queue.lastPosition)
  }

  @Test("a packet that is replaced while its batch is under way waits for the next one, and is read meanwhile")
  func replacedUnderWay() throws {
    var queue = WriteQueue()
    let key = Sample.key(1)
    queue.put(.packet(Sample.packet(1)), for: key, stamp: 1, isNew: true, now: 0)
    let first = queue.takeBatch(atMost: 10)
    let isUsedUnderWay = queue.use(key, stamp: 5)
    let position = queue.put(.packet(Sample.packet(1, version: 2)), for: key, stamp: 2, isNew: true, now: 0)
    let isUsedWaiting = queue.use(key, stamp: 6)
    #expect(!isUsedUnderWay && position == 2 && isUsedWaiting)
    queue.finish(first)
    #expect(queue.write(for: key)?.packet?.timestamp.microseconds == 2 && queue.donePosition == 1)
    // It is in the file by now, so it will not be one more.
    #expect(queue.difference == 0)
    queue.put(.nothing, for: key, stamp: 3, isNew: false, now: 0)
    #expect(queue.difference == -1 && queue.write(for: key)?.packet == nil)
    let second = queue.takeBatch(atMost: 10)
    queue.put(.packet(Sample.packet(1, version: 3)), for: key, stamp: 4, isNew: true, now: 0)
    #expect(queue.difference == 1)
    queue.finish(second)
    #expect(queue.difference == 1 && queue.count == 1)
    queue.finish(queue.takeBatch(atMost: 10))
    #expect(queue.isEmpty && queue.difference == 0 && queue.bytes == 0 && queue.lastPosition == 3)
  }
}
