extension RecordData {
  /// Data of an SOA record (RFC 1035 §3.3.13).
  public struct SOA: Hashable, Sendable {
    /// The primary name server (MNAME).
    public var primaryServer: DomainName
    /// The mailbox of the person responsible (RNAME), its `@` written as a dot.
    public var mailbox: DomainName
    /// Version of the zone.
    public var serial: UInt32
    /// Seconds between refreshes of a secondary.
    public var refresh: UInt32
    /// Seconds until a failed refresh is tried again.
    public var retry: UInt32
    /// Seconds until a zone that cannot be refreshed is no longer served.
    public var expire: UInt32
    /// TTL of negative answers, in seconds (RFC 2308).
    public var minimum: UInt32

    /// Makes the data of an SOA record.
    public init(
      primaryServer: DomainName, mailbox: DomainName, serial: UInt32, refresh: UInt32, retry: UInt32, expire: UInt32,
      minimum: UInt32
    ) {
      self.primaryServer = primaryServer
      self.mailbox = mailbox
      self.serial = serial
      self.refresh = refresh
      self.retry = retry
      self.expire = expire
      self.minimum = minimum
    }
  }
}

extension RecordData.SOA {
  init(from reader: inout RecordDataReader) throws(MessageError) {
    primaryServer = try reader.readName()
    mailbox = try reader.readName()
    serial = try reader.readUInt32()
    refresh = try reader.readUInt32()
    retry = try reader.readUInt32()
    expire = try reader.readUInt32()
    minimum = try reader.readUInt32()
  }

  func write(to writer: inout MessageWriter) {
    writer.write(primaryServer)
    writer.write(mailbox)
    writer.output.write(serial)
    writer.output.write(refresh)
    writer.output.write(retry)
    writer.output.write(expire)
    writer.output.write(minimum)
  }

  init(presentation fields: inout FieldReader) throws(FieldError) {
    primaryServer = try fields.nextName("the primary server")
    mailbox = try fields.nextName("the mailbox of the person responsible")
    serial = try fields.nextNumber("a serial number")
    refresh = try fields.nextDuration("the refresh time")
    retry = try fields.nextDuration("the retry time")
    expire = try fields.nextDuration("the expiry time")
    minimum = try fields.nextDuration("the TTL of negative answers")
  }

  func presentation(_ names: NameStyle) -> String {
    "\(names.text(primaryServer)) \(names.text(mailbox)) "
      + "\(serial) \(refresh) \(retry) \(expire) \(minimum)"
  }
}
