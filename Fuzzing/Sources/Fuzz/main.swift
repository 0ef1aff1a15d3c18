// fuzz TARGET [libFuzzer options and corpus folders]; `fuzz` alone lists the targets.
// fuzz flood COUNT FOLDER…: see Flood.
import Glibc

/// libFuzzer's entry point for programs with a main function of their own.
@_silgen_name("LLVMFuzzerRunDriver")
func runFuzzer(
  _ argumentCount: UnsafeMutablePointer<Int32>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

if CommandLine.argc > 3, CommandLine.arguments[1] == "flood", let count = Int(CommandLine.arguments[2]) {
  var flood = Flood(folders: Array(CommandLine.arguments[3...]))
  flood.run(count)
  exit(0)
}

guard CommandLine.argc >= 2, let target = FuzzTarget.all.first(where: { $0.name == CommandLine.arguments[1] }) else {
  for target in FuzzTarget.all { print(target.name, target.maximumLength) }
  exit(CommandLine.argc < 2 ? 0 : 2)
}

// The fuzzer sees the arguments behind the target's name.
var arguments = CommandLine.unsafeArgv + 1
var count = CommandLine.argc - 1
arguments[0] = CommandLine.unsafeArgv[0]
let chosen = target
exit(
  runFuzzer(&count, &arguments) { bytes, size in
    chosen.run(UnsafeRawBufferPointer(start: bytes, count: size))
    return 0
  })
