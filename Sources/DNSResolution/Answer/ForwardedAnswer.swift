import Addresses
import DNSWire

/// What another DNS server answered, reduced to what belongs to the question.
struct ForwardedAnswer: Sendable {
  /// The response code: NOERROR, NXDOMAIN or YXDOMAIN.
  var code: ResponseCode
  var answers: [ResourceRecord] = []
  var authorities: [ResourceRecord] = []
  var additionals: [ResourceRecord] = []
  var isAuthentic = false
  var isTruncated = false
  /// The name at the end of the chain of aliases, in lower case.
  var lastName: DomainName
  /// Aliases on the way there.
  var aliasCount = 0
  /// True if the name at the end has records of the type.
  var hasData = false
  /// Seconds that the answer may be kept; nil for not at all.
  var life: UInt32?
  /// What the server said about its answer (RFC 8914).
  var error: ExtendedError?
}

/// How the reply of another server was read.
enum ForwardedReading: Sendable {
  case answer(ForwardedAnswer)
  /// It points to servers further down: the cut, their names, and addresses of some of them.
  case referral(cut: DomainName, servers: [DomainName], glue: [IPAddress])
  /// It is of no use: the code to pass on, and why.
  case failure(ResponseCode, ExtendedError)
}

/// Reads replies of other servers: only records that answer the question are taken, whatever else they hold.
struct ForwardedReader {
  /// Most records of a reply that are looked at.
  private static let maximumRecords = 4096

  let question: ForwardQuestion
  let cache: ResolutionPolicy.CachePolicy
  /// For a server of a delegation: the name that was delegated. It may tell of nothing else.
  let cut: DomainName?

  /// Reads a reply whose id, question and sender were checked.
  func read(_ bytes: RawSpan) -> ForwardedReading {
    let message: Message
    do throws(MessageError) {
      message = try Message(parsing: bytes, rules: .tolerant)
    } catch {
      return .failure(.serverFailure, .unreachable("a malformed answer of another server"))
    }
    guard message.header.isResponse, message.questions.count == 1,
      message.questions[0].type == question.type, message.questions[0].name.equalsIgnoringASCIICase(question.name),
      message.answers.count + message.authorities.count + message.additionals.count <= Self.maximumRecords
    else { return .failure(.serverFailure, .unreachable("an answer of another server to something else")) }
    guard let code = ResponseCode(rawValue: UInt16(message.header.responseCode)),
      [.noError, .noSuchName, .nameExists].contains(code)
    else {
      return failure(message)
    }
    if let cut, code == .noError, message.answers.isEmpty, !message.header.isAuthoritative,
      let referral = referral(message, below: cut)
    {
      return referral
    }
    return .answer(answer(message, code))
  }

  private func failure(_ message: Message) -> ForwardedReading {
    let said = ExtendedError(of: message)
    let code = message.header.responseCode
    switch ResponseCode(rawValue: UInt16(code)) {
    case .refused: return .failure(.refused, said ?? .unreachable("another server answered REFUSED"))
    case .notImplemented: return .failure(.notImplemented, said ?? .unreachable("another server answered NOTIMP"))
    default: return .failure(.serverFailure, said ?? .unreachable("another server answered with code \(code)"))
    }
  }

  private func accepts(_ name: DomainName) -> Bool { cut.map { name.hasSuffix($0) } ?? true }

  /// The records of a section, owners in lower case, TTLs within their bounds.
  private func clean(_ records: [ResourceRecord]) -> [ResourceRecord] {
    records.compactMap { record in
      guard record.class == question.class, record.type != .opt else { return nil }
      var record = record
      record.cacheFlush = false
      record.name = record.name.lowercased
      guard accepts(record.name) else { return nil }
      // RFC 2181 §8: with the top bit set it is 0.
      record.ttl = record.ttl > UInt32(Int32.max) ? 0 : min(record.ttl, cache.maximumForwardedTTL)
      return record
    }
  }

  private func answer(_ message: Message, _ code: ResponseCode) -> ForwardedAnswer {
    var answer = ForwardedAnswer(code: code, lastName: question.name)
    answer.isAuthentic = message.header.isAuthentic
    answer.isTruncated = message.header.isTruncated
    answer.error = ExtendedError(of: message)
    collect(clean(message.answers), into: &answer)
    let authorities = clean(message.authorities)
    let isNegative = !answer.hasData
    answer.authorities = authorities.filter { record in
      switch record.type {
      case .soa: isNegative
      case .nsec, .nsec3, .rrsig, .ds: question.wantsDNSSEC
      default: false
      }
    }.map { $0.type == .soa ? $0.forNegativeAnswer : $0 }
    if [.https, .svcb, .srv, .mx].contains(question.type), answer.hasData {
      answer.additionals = clean(message.additionals).filter { $0.type == .a || $0.type == .aaaa }
    }
    answer.life = life(of: answer)
    return answer
  }

  /// Takes the chain of aliases from the question's name to its end, and what stands there.
  private func collect(_ records: [ResourceRecord], into answer: inout ForwardedAnswer) {
    var names: Set<DomainName> = [question.name]
    while true {
      let here = records.filter { $0.name == answer.lastName }
      let found = here.filter { $0.type == question.type || question.type == .any && $0.type != .rrsig }
      if !found.isEmpty {
        answer.answers += found
        answer.hasData = true
        break
      }
      guard let alias = here.first(where: { $0.type == .cname }), case .cname(let target) = alias.data else { break }
      if let dname = records.first(where: {
        $0.type == .dname && $0.name != alias.name && alias.name.hasSuffix($0.name)
      }),
        !answer.answers.contains(dname)
      {
        answer.answers.append(dname)
      }
      answer.answers.append(alias)
      answer.lastName = target.lowercased
      answer.aliasCount += 1
      // A loop: what was found stays, there is no end to find.
      guard names.insert(answer.lastName).inserted, answer.aliasCount <= 32 else { break }
    }
    guard question.wantsDNSSEC else { return }
    let owners = Set(answer.answers.map(\.name))
    answer.answers += records.filter { $0.type == .rrsig && owners.contains($0.name) && question.type != .rrsig }
  }

  private func life(of answer: ForwardedAnswer) -> UInt32? {
    guard !answer.isTruncated else { return nil }
    var life = (answer.answers + answer.authorities).map(\.ttl).min()
    if !answer.hasData {
      // RFC 2308 §5: without SOA there is nothing to go by.
      guard let soa = answer.authorities.first(where: { $0.type == .soa }) else { return nil }
      life = min(life ?? soa.ttl, soa.ttl, cache.maximumNegativeTTL)
    }
    guard let life, life > 0 else { return nil }
    return min(max(life, cache.minimumForwardedTTL), cache.maximumForwardedTTL)
  }

  private func referral(_ message: Message, below cut: DomainName) -> ForwardedReading? {
    let records = clean(message.authorities).filter { record in
      record.serverName != nil && record.name != cut && question.name.hasSuffix(record.name)
    }
    guard let deepest = records.max(by: { $0.name.wire.count < $1.name.wire.count })?.name else { return nil }
    let servers = records.filter { $0.name == deepest }.compactMap(\.serverName)
    let glue = clean(message.additionals).filter { servers.contains($0.name) }.compactMap(\.data.ipAddress)
    return .referral(cut: deepest, servers: servers, glue: glue)
  }
}
