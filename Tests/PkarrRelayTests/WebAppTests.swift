import Foundation
import HTTP
import Testing

@testable import PkarrRelay

@Suite("The web app as it is sent")
struct WebAppTests {
  private static let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"

  @Test("browsers get the app at /, and programs the status page as from other relays")
  func choice() async throws {
    let relay = RelayFixture()
    for (accept, isApp) in [
      (Self.browser, true), ("text/html", true), ("text/html;q=0.5,*/*;q=0.1", true), (nil, false), ("*/*", false),
      ("text/*", false), ("application/json", false), ("text/html;q=0", false), ("nonsense", false),
    ] as [(String?, Bool)] {
      var fields: HTTPFields = [:]
      if let accept { fields.append(.accept, accept) }
      for method in [HTTPMethod.get, .head] {
        let response = try await relay.send(method, "/", fields: fields)
        #expect(response.status == .ok && response.fields[.contentType] == "text/html; charset=utf-8")
        #expect((response.fields[.etag] != nil) == isApp, "\(accept ?? "none")")
        #expect(response.fields.values("vary").count == 1 && response.fields["vary"]?.contains("accept") == true)
      }
    }
    let status = try await relay.send(.get, "/status", fields: [.accept: Self.browser])
    #expect(String(decoding: status.bytes ?? [], as: UTF8.self).contains("<h2>Version</h2>"))
    // A query is the page's own affair.
    let shared = try await relay.send(.get, "/?pk=x", fields: [.accept: Self.browser])
    #expect(shared.bytes == WebApp.page.body)
  }

  @Test("who has the page already is told so")
  func conditional() async throws {
    let relay = RelayFixture()
    let tag = WebApp.page.etag.description
    let fields: HTTPFields = [.accept: Self.browser, .ifNoneMatch: tag]
    let response = try await relay.send(.get, "/", fields: fields)
    #expect(response.status == .notModified && response.bytes == [] && response.fields[.etag] == tag)
    #expect(response.fields["content-security-policy"] != nil)
    let other = try await relay.send(.get, "/", fields: [.accept: Self.browser, .ifNoneMatch: "\"other\""])
    #expect(other.status == .ok && other.bytes == WebApp.page.body)
  }

  @Test("the page is whole, and its policy names its one script and its one style")
  func policy() {
    let page = String(decoding: WebApp.page.body, as: UTF8.self)
    #expect(page.components(separatedBy: "<script").count == 2 && page.components(separatedBy: "<style").count == 2)
    for mark in [
      " style=", " src=", "<link rel=\"stylesheet", "/* style.css */", "/* app.js */", "\nimport ", "export ",
    ] {
      #expect(!page.contains(mark), "\(mark)")
    }
    let policy = WebApp.page.contentSecurityPolicy
    #expect(policy.hasPrefix("default-src 'none'; ") && !policy.contains("unsafe"))
    #expect(policy.components(separatedBy: "'sha256-").count == 3)
    for rule in ["connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"] {
      #expect(policy.contains(rule))
    }
  }

  @Test("packing leaves out what only people need, and nothing else")
  func packing() {
    for (source, packed) in [
      ("const a = 1;\n\n// why\nlet b = a + +a;", "let a=1,b=a+ +a;"),
      (
        "let a = [1, 2];\nf();\nconst b = (x) => {\n  const c = 1;\n  return c;\n};\nconst d = 2;",
        "let a=[1,2];f();let b=x=>{let c=1;return c},d=2;"
      ),
      ("for (let i = 0; i < 3; i++) g(i);\nconst a = 1;", "for(let i=0;i<3;i++)g(i);let a=1;"),
      ("const { a, b } = c;\nconst d = `${a ? `;${b}` : ''};`;\nlet e;", "let {a,b}=c,d=`${a?`;${b}`:''};`,e;"),
      ("if (a) {\n  b();\n}\nlet c = {\n  d: 1,\n}\ne();", "if(a){b()}let c={d:1,}\ne();"),
      ("function f() {\n  g();\n}\nfunction h() {}\n(i)();", "function f(){g()}function h(){}\n(i)();"),
      (
        "class A {\n  b() {\n    c();\n  }\n\n  #d = () => {\n    e();\n  }\n  f() {}\n}",
        "class A{b(){c()}#a=()=>{e()}\nf(){}}"
      ),
      (
        "class A {\n  #one = '#two';\n  #two() {\n    return this.#one + `#${b.#two()}`;\n  }\n}",
        "class A{#a='#two';#b(){return this.#a+`#${b.#b()}`}}"
      ),
      ("try {\n  a();\n} catch {\n  b();\n}\nc();", "try{a()}catch{b()}c();"),
      ("a.let = 1;\nb.const = 2;", "a.let=1;b.const=2;"),
      ("import { x,\n  y } from './z.js';\nexport const f = (x) => x / 2 / 3;", "let f=x=>x/2/3;"),
      ("/** Doc. */\nexport function f(a) {\n  return /[/ ]  '/.test(a);\n}", "function f(a){return/[/ ]  '/.test(a)}"),
      ("a = 'it\\'s  // no comment';", "a='it\\'s  // no comment';"),
      ("a = `x  ${b ? `y  ${ {c: 1}.c }` : ''}  // z`;", "a=`x  ${b?`y  ${{c:1}.c}`:''}  // z`;"),
      ("a\nb", "a\nb"), ("f(async (x) => x);", "f(async(x)=>x);"), ("constant = 'const a';", "constant='const a';"),
    ] {
      #expect(ScriptPacker.pack([source]) == packed)
    }
  }
}
