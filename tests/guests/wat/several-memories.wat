;; A formatter whose three further modules each grow a memory of their own to 30 MiB and touch it: 90 MiB in all, and
;; no single one above the 64 MiB that a callback has by default. The limit on the sum of all memories must stop it.
(component
  ;; The types of the contract that a formatter is called with.
  (type $results (enum "success" "warnings" "failure" "skipped" "exception" "retry" "cancelled"))
  (type $build-id (record (field "builder" string) (field "number" u64)))
  (type $property (record (field "name" string) (field "value" string) (field "source" string)))
  (type $change (record
    (field "who" string) (field "committer" (option string)) (field "revision" (option string))
    (field "branch" (option string)) (field "when" f64) (field "files" (list string)) (field "comments" string)
    (field "revlink" (option string)) (field "repository" string) (field "project" string)
    (field "codebase" string) (field "category" (option string)) (field "properties" (list $property))))
  (type $patch (record
    (field "level" u32) (field "subdir" string) (field "author" string) (field "comment" string)
    (field "body" string)))
  (type $source-stamp (record
    (field "codebase" string) (field "repository" string) (field "project" string)
    (field "branch" (option string)) (field "revision" (option string)) (field "patch" (option $patch))
    (field "changes" (list $change))))
  (type $log-summary (record
    (field "name" string) (field "url" (option string)) (field "lines" u64) (field "bytes" u64)))
  (type $step (record
    (field "name" string) (field "text" (list string)) (field "results" (option $results))
    (field "started" (option f64)) (field "finished" (option f64)) (field "logs" (list $log-summary))))
  (type $build (record
    (field "id" $build-id) (field "url" (option string)) (field "tags" (list string))
    (field "results" (option $results)) (field "text" (list string)) (field "reason" string)
    (field "worker" string) (field "started" f64) (field "finished" (option f64))
    (field "responsible-users" (list string)) (field "interested-users" (list string))
    (field "properties" (list $property)) (field "source-stamps" (list $source-stamp))
    (field "steps" (list $step)) (field "buildset" (option u64))))
  (type $mode (flags "change" "failing" "passing" "problem" "warnings" "exception" "cancelled"))
  (type $kind (enum "plain" "html"))
  (type $message (record
    (field "subject" (option string)) (field "body" string) (field "kind" $kind)
    (field "alternative" (option string)) (field "headers" (list (tuple string string)))))

  (core module $hoarder
    (memory 1)
    (func (export "hoard")
      (local $at i32)
      (if (i32.eq (memory.grow (i32.const 479)) (i32.const -1)) (then return))
      (loop $touch
        (i32.store8 (local.get $at) (i32.const 1))
        (local.set $at (i32.add (local.get $at) (i32.const 4096)))
        (br_if $touch (i32.lt_u (local.get $at) (i32.const 31457280))))))
  (core instance $one (instantiate $hoarder))
  (core instance $two (instantiate $hoarder))
  (core instance $three (instantiate $hoarder))

  (core module $main
    (import "one" "hoard" (func $one))
    (import "two" "hoard" (func $two))
    (import "three" "hoard" (func $three))
    (memory (export "memory") 8)
    (global $free (mut i32) (i32.const 4096))
    ;; The result: `err` with the text below.
    (data (i32.const 16) "\01\00\00\00\40\00\00\00\1e\00\00\00")
    (data (i32.const 64) "three memories of 30 MiB taken")
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and
        (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
      (global.set $free (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
    (func (export "format") (param i32) (result i32)
      (call $one)
      (call $two)
      (call $three)
      (i32.const 16)))
  (core instance $main (instantiate $main
    (with "one" (instance $one)) (with "two" (instance $two)) (with "three" (instance $three))))

  (func $format (param "mode" $mode) (param "name" string) (param "build" $build) (param "results" $results)
    (result (result $message (error string)))
    (canon lift (core func $main "format") (memory (core memory $main "memory"))
      (realloc (core func $main "realloc"))))
  (instance $formatter
    (export "results" (type $results))
    (export "build-id" (type $build-id))
    (export "property" (type $property))
    (export "change" (type $change))
    (export "patch" (type $patch))
    (export "source-stamp" (type $source-stamp))
    (export "log-summary" (type $log-summary))
    (export "step" (type $step))
    (export "build" (type $build))
    (export "mode" (type $mode))
    (export "kind" (type $kind))
    (export "message" (type $message))
    (export "format-message" (func $format)))
  (export "campanile:notifier/message-formatter@0.1.0" (instance $formatter))
)
