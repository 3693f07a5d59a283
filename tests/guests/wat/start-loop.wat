;; A formatter that never gets to be called: its start function loops as soon as it is instantiated.
;; The deadline must stop it, for it covers instantiation too, and loading must not instantiate it at all.
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

  (core module $main
    (memory (export "memory") 1)
    (func $begin (loop $forever (br $forever)))
    (start $begin)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
    (func (export "format") (param i32) (result i32) unreachable))
  (core instance $main (instantiate $main))

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
