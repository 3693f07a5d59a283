//! Small `email-lookup` components, written out in WebAssembly's text form: what each does before it answers is a few
//! instructions of the test that needs it.

use std::path::Path;

/// The address that each of them gives, whoever is asked for.
pub(super) const ADDRESS: &str = "ada@example.org";

/// A page of memory is 64 KiB; guests here have 2 MiB, and their answer lies at the beginning.
const MEMORY: &str = r#"
  (core module $memory-module
    (memory (export "memory") 32)
    (data (i32.const 4) "\01")
    (data (i32.const 8) "\40\00\00\00\0f\00\00\00")
    (data (i32.const 64) "ada@example.org")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $memory (instantiate $memory-module))
  (alias core export $memory "memory" (core memory $m))
  (alias core export $memory "realloc" (core func $realloc))"#;

const LOGGING: &str = r#"
  (import "campanile:notifier/logging@0.1.1" (instance $logging
    (type $level (enum "debug" "info" "warn" "error"))
    (export "level" (type $l (eq $level)))
    (export "log" (func (param "level" $l) (param "message" string)))))"#;

const WASI: &str = r#"
  (import "wasi:io/error@0.2.0" (instance $errors (export "error" (type (sub resource)))))
  (alias export $errors "error" (type $error))
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error (type $outer-error))
    (export "error" (type $e (eq $outer-error)))
    (export "output-stream" (type $o (sub resource)))
    (type $failed (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $f (eq $failed)))
    (export "[method]output-stream.write"
      (func (param "self" (borrow $o)) (param "contents" (list u8)) (result (result (error $f)))))))
  (alias export $streams "output-stream" (type $stream))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $stream (type $outer-stream))
    (export "output-stream" (type $o (eq $outer-stream)))
    (export "get-stdout" (func (result (own $o))))))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $outer-pollable))
    (export "pollable" (type $p (eq $outer-pollable)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))"#;

/// Puts a component into a file: `imports`, the host's functions that its `main` module imports from `host`, more
/// definitions of that module, and the body of the look-up.
fn write(file: &Path, [imports, lowered, given, defined, body]: [&str; 5]) {
    let text = format!(
        r#"(component {imports} {MEMORY} {lowered}
          (core module $main-module
            (import "memory" "memory" (memory 1))
            {defined}
            (func (export "find") (param i32 i32) (result i32) (local $n i32) {body} (i32.const 0)))
          (core instance $main (instantiate $main-module (with "memory" (instance $memory)) {given}))
          (func $find (param "user" string) (result (result (option string) (error string)))
            (canon lift (core func $main "find") (memory (core memory $m)) (realloc (core func $realloc))))
          (instance $lookup (export "get-address" (func $find)))
          (export "campanile:notifier/email-lookup@0.1.0" (instance $lookup)))"#
    );
    std::fs::write(file, wat::parse_str(&text).unwrap()).unwrap();
}

/// One that answers at once, from compiled code.
pub(super) fn quick(file: &Path) {
    write(file, ["", "", "", "", ""]);
}

/// One that logs so many times a text of so many bytes, all of them NUL, and answers.
pub(super) fn logger(file: &Path, times: u32, bytes: u32) {
    let lowered = r#"(core func $log (canon lower (func $logging "log") (memory (core memory $m))))"#;
    let given = r#"(with "host" (instance (export "log" (func $log))))"#;
    let defined = r#"(import "host" "log" (func $log (param i32 i32 i32)))"#;
    let body = format!(
        "(loop $again (call $log (i32.const 1) (i32.const 65536) (i32.const {bytes})) \
         (local.set $n (i32.add (local.get $n) (i32.const 1))) \
         (br_if $again (i32.lt_u (local.get $n) (i32.const {times}))))"
    );
    write(file, [LOGGING, lowered, given, defined, &body]);
}

/// One that prints so many bytes, all of them line ends, in one piece, and answers.
pub(super) fn line_ends(file: &Path, bytes: u32) {
    let lowered = r#"(core func $get (canon lower (func $stdout "get-stdout")))
        (core func $write (canon lower (func $streams "[method]output-stream.write") (memory (core memory $m)) (realloc (core func $realloc))))"#;
    let given = r#"(with "host" (instance (export "get" (func $get)) (export "write" (func $write))))"#;
    let defined = r#"(import "host" "get" (func $get (result i32)))
        (import "host" "write" (func $write (param i32 i32 i32 i32)))"#;
    let body = format!(
        "(memory.fill (i32.const 65536) (i32.const 10) (i32.const {bytes})) \
         (call $write (call $get) (i32.const 65536) (i32.const {bytes}) (i32.const 512))"
    );
    write(file, [WASI, lowered, given, defined, &body]);
}

/// One that sleeps for an hour: its deadline ends it. It has as many tables as a component may have.
pub(super) fn sleeper(file: &Path) {
    let lowered = r#"(core func $subscribe (canon lower (func $clock "subscribe-duration")))
        (core func $block (canon lower (func $poll "[method]pollable.block")))"#;
    let given =
        r#"(with "host" (instance (export "subscribe" (func $subscribe)) (export "block" (func $block))))"#;
    let defined = r#"(import "host" "subscribe" (func $subscribe (param i64) (result i32)))
        (import "host" "block" (func $block (param i32)))"#;
    // A module has one; a component may have twenty modules with one each.
    let tables = (1..=20).map(|number| format!("(core instance $t{number} (instantiate $table))"));
    let imports = format!("{WASI} (core module $table (table 1 funcref)) {}", tables.collect::<String>());
    write(
        file,
        [&imports, lowered, given, defined, "(call $block (call $subscribe (i64.const 3600000000000)))"],
    );
}

/// One that takes the compiler far longer than a test lasts.
pub(super) fn bomb() -> Vec<u8> {
    let fills = "(table.fill (i32.const 0) (ref.null func) (i32.const 1))".repeat(50_000);
    let text = format!(
        r#"(component
          (core module $main-module
            (memory (export "memory") 1)
            (table 10 funcref)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "find") (param i32 i32) (result i32) {fills} unreachable))
          (core instance $main (instantiate $main-module))
          (func $find (param "user" string) (result (result (option string) (error string)))
            (canon lift (core func $main "find") (memory (core memory $main "memory"))
              (realloc (core func $main "realloc"))))
          (instance $lookup (export "get-address" (func $find)))
          (export "campanile:notifier/email-lookup@0.1.0" (instance $lookup)))"#
    );
    wat::parse_str(&text).unwrap()
}
